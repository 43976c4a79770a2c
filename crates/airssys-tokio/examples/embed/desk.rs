//! The desk: one task owns the ports, and gives each answer to whoever asked.

use std::collections::HashMap;

use airssys_rt::{SendError, StepError};
use airssys_tokio::{AsyncReceiver, AsyncSender};
use tokio::sync::{mpsc, oneshot};

use crate::pricer::{Ask, Quote};

/// Quotes that one look takes.
const BATCH: usize = 64;

/// A question that has no number yet, and where its answer goes.
pub(crate) struct Question {
    quantity: u64,
    reply: oneshot::Sender<Quote>,
}

/// What handlers have of the desk.
#[derive(Clone)]
pub(crate) struct Desk(mpsc::Sender<Question>);

impl Desk {
    /// The desk, and what its work is made of.
    pub(crate) fn open() -> (Self, mpsc::Receiver<Question>) {
        let (send, incoming) = mpsc::channel(256);
        (Self(send), incoming)
    }

    /// The quote for a quantity; `None` if the bus has ended.
    pub(crate) async fn quote(&self, quantity: u64) -> Option<Quote> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Question { quantity, reply }).await.ok()?;
        answer.await.ok()
    }
}

/// What went over the desk.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) asked: u64,
    pub(crate) answered: u64,
    /// Answers to what nobody asked, or what had its answer.
    pub(crate) unasked: u64,
}

/// Works until the pricer is done, which it is once nobody can ask any more and everything is answered; or until the bus has
/// ended.
pub(crate) async fn work(
    mut incoming: mpsc::Receiver<Question>,
    mut asks: AsyncSender<Ask>,
    mut quotes: AsyncReceiver<Quote>,
) -> Result<Tally, StepError> {
    let mut tally = Tally::default();
    let mut waiting: HashMap<u64, oneshot::Sender<Quote>> = HashMap::new();
    let mut refused: Option<Ask> = None; // while the link is full, nothing else is taken in
    let mut open = true;
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            question = incoming.recv(), if open && refused.is_none() => {
                if let Some(Question { quantity, reply }) = question {
                    let id = tally.asked;
                    tally.asked += 1;
                    waiting.insert(id, reply);
                    refused = send(&mut asks, Ask { id, quantity })?;
                } else {
                    open = false;
                    asks.close()?;
                }
            }
            () = asks.ready(), if refused.is_some() => {
                if let Some(ask) = refused.take() {
                    refused = send(&mut asks, ask)?;
                }
            }
            count = quotes.recv_many(&mut batch, BATCH) => {
                if count? == 0 {
                    return Ok(tally);
                }
                for quote in batch.drain(..) {
                    match waiting.remove(&quote.id) {
                        Some(reply) => {
                            tally.answered += 1;
                            let _ = reply.send(quote); // its client may have gone
                        }
                        None => tally.unasked += 1,
                    }
                }
            }
        }
    }
}

/// Sends it, or gives it back if there is no room. Where the bus has ended, the quotes' end says so next.
fn send(asks: &mut AsyncSender<Ask>, ask: Ask) -> Result<Option<Ask>, StepError> {
    match asks.try_send(ask) {
        Ok(()) | Err(SendError::Closed(_)) => Ok(None),
        Err(SendError::Full(ask)) => Ok(Some(ask)),
        Err(SendError::Fault { error, .. }) => Err(error),
    }
}
