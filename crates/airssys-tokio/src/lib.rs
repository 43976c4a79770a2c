//! Host ports for Tokio tasks: [`AsyncSender`] is a `Sink`, [`AsyncReceiver`] a `Stream`.
//!
//! A program that runs a Tokio service launches a topology, takes its host ports and hands them to tasks. A task that finds
//! its link full or empty sleeps like any other; the partition at the other end wakes it through a descriptor that the
//! runtime watches. Nothing polls: a port that sleeps costs nothing until it is rung for, and a port that is awake costs its
//! peer one load a turn.
//!
//! ```
//! use airssys_rt::prelude::*;
//! use airssys_tokio::{AsyncReceiver, AsyncSender};
//!
//! struct Double { numbers: Receiver<u64>, doubles: Sender<u64> }
//! impl Actor for Double {
//!     fn step(&mut self) -> Result<Step, Refused> {
//!         let Some(number) = self.numbers.try_recv() else {
//!             return Ok(if self.numbers.is_closed() { Step::Done } else { Step::Idle });
//!         };
//!         self.doubles.send(2 * number)?;
//!         Ok(Step::Busy)
//!     }
//! }
//!
//! fn doubles() -> Result<Topology, TopologyError> {
//!     let mut plan = Topology::builder("tokio-doubles");
//!     let (number_out, number_in) = plan.link::<u64>("numbers", 16);
//!     let (double_out, double_in) = plan.link::<u64>("doubles", 16);
//!     plan.host().sends(number_out).receives(double_in);
//!     plan.partition("worker")
//!         .actor("double", (number_in, double_out), |(numbers, doubles)| Double { numbers, doubles });
//!     plan.build()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bus = doubles()?.launch(Launch::Threads)?;
//! let mut numbers = AsyncSender::new(bus.sender::<u64>("numbers")?)?;
//! let mut doubles = AsyncReceiver::new(bus.receiver::<u64>("doubles")?)?;
//! numbers.send(21).await?;
//! assert_eq!(doubles.recv().await?, Some(42));
//!
//! numbers.close()?;
//! assert_eq!(doubles.recv().await?, None); // the actor is done
//! bus.join()?;
//! # Ok(())
//! # }
//! ```
//!
//! `Running::join` blocks: in a service, call it from `tokio::task::spawn_blocking`, or after the runtime.
//!
//! | file | concern |
//! |---|---|
//! | `sender`, `receiver` | the ports |
//! | `watched` | when a port sleeps in the runtime, and how it gets up |
//! | `error` | what can go wrong |

#![forbid(unsafe_code)]

mod error;
mod receiver;
mod sender;
mod watched;

pub use error::{SinkError, WatchError};
pub use receiver::AsyncReceiver;
pub use sender::AsyncSender;
