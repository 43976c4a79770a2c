//! A progress bar on stderr, fed from the counter's durable totals.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use airssys_rt::Monitor;
use indicatif::{ProgressBar, ProgressStyle};

use crate::actors::Totals;

const REDRAW_EVERY: Duration = Duration::from_millis(100);

const BAR: &str = "{msg:8} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";

/// A bar over `bytes`; a hidden one unless somebody is watching.
pub(crate) fn bar(bytes: u64, watched: bool, what: &'static str) -> ProgressBar {
    if !watched {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(BAR).expect("a constant that is a template");
    ProgressBar::new(bytes).with_style(style).with_message(what)
}

/// A thread that moves a bar until it is dropped.
pub(crate) struct Progress {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// `None` if nobody is watching.
    pub(crate) fn start(monitor: &Monitor, bytes: u64, watched: bool) -> Option<Self> {
        if !watched {
            return None;
        }
        let (stop, stopped) = mpsc::channel();
        let monitor = monitor.clone();
        let bar = bar(bytes, watched, "counting");
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(REDRAW_EVERY) == Err(RecvTimeoutError::Timeout) {
                // While the counter commits too fast to be read, the bar stays where it is.
                if let Ok(Some(totals)) = monitor.read::<Totals>("counter", "totals") {
                    bar.set_position(totals.bytes);
                }
            }
            bar.finish_and_clear();
        });
        Some(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // Its panic was printed; here is nothing to add.
            let _ = thread.join();
        }
    }
}
