//! How every subject's sides wait: they spin, as documented for each of them, and where there are fewer cores than sides they
//! offer the core to the other one.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::Result;
use crate::control::Control;

/// Fruitless tries between two offers of the core where it is needed.
const TRIES: u32 = 32;

/// Fruitless tries between two looks at whether it is time to give up.
const LOOK: u32 = 1 << 14;

/// A message that takes longer is lost, or its sender is.
const LOST_AFTER: Duration = Duration::from_secs(20);

static CROWDED: OnceLock<bool> = OnceLock::new();

/// Says once whether the sides share a core.
pub(crate) fn set_crowded(crowded: bool) {
    let _ = CROWDED.set(crowded);
}

/// A wait for something that the other side does.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    control: &'a Control,
    tries: u32,
    step: u32,
    since: Option<Instant>,
}

impl<'a> Wait<'a> {
    #[inline]
    pub(crate) fn new(control: &'a Control) -> Self {
        Self {
            control,
            tries: 0,
            step: TRIES,
            since: None,
        }
    }

    /// Another fruitless try.
    #[inline]
    pub(crate) fn again(&mut self) -> Result<()> {
        std::hint::spin_loop();
        self.tries += 1;
        if self.tries >= self.step {
            return self.slowly();
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn slowly(&mut self) -> Result<()> {
        if *CROWDED.get().unwrap_or(&false) {
            std::thread::yield_now();
        } else {
            self.step = LOOK;
        }
        self.tries = 0;
        if self.control.given_up() {
            return Err("the other side gave up".into());
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() > LOST_AFTER {
            self.control.give_up();
            return Err(format!("nothing came for {LOST_AFTER:?}: a message is lost").into());
        }
        Ok(())
    }
}
