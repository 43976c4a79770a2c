//! iceoryx2: publish-subscribe with samples that are loaned, written and sent, between two processes or two nodes in one. A sample
//! that a full subscriber doesn't take is sent again: its own way to wait sleeps, where the others spin. It has no batches.

use std::fmt;
use std::time::Duration;

use iceoryx2::node::Node;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

use crate::Result;
use crate::leftovers::root_of_iceoryx2;
use crate::message::value;
use crate::subject::{Ends, Mapped, Place, Rx, Subject, Tx, attached};

/// What a sample takes beside its message, about: header and alignment.
const HEADER: usize = 64;

#[derive(Debug)]
pub(crate) struct Iceoryx2;

type Service<const W: usize> = PortFactory<ipc::Service, [u64; W], ()>;

pub(crate) struct Publishing<const W: usize> {
    publisher: Publisher<ipc::Service, [u64; W], ()>,
    _service: Service<W>,
    _node: Node<ipc::Service>,
}

impl<const W: usize> fmt::Debug for Publishing<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Publishing")
    }
}

pub(crate) struct Subscribed<const W: usize> {
    subscriber: Subscriber<ipc::Service, [u64; W], ()>,
    _service: Service<W>,
    _node: Node<ipc::Service>,
}

impl<const W: usize> fmt::Debug for Subscribed<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscribed")
    }
}

fn service<const W: usize>(place: &Place) -> Result<(Node<ipc::Service>, Service<W>)> {
    set_log_level(LogLevel::Error);
    let mut config = Config::global_config().clone();
    // So that they can be removed whatever happens.
    let prefix = format!("{}-iox2-", place.measurement);
    let root = root_of_iceoryx2(&place.measurement);
    config
        .global
        .set_root_path(&Path::new(root.to_string_lossy().as_bytes())?);
    config.global.prefix = FileName::new(prefix.as_bytes())?;
    config.global.creation_timeout = Duration::from_secs(5);
    let node = NodeBuilder::new()
        .config(&config)
        .signal_handling_mode(SignalHandlingMode::Disabled)
        .create::<ipc::Service>()?;
    let slots = place.slots(W * 8 + HEADER);
    let service = node
        .service_builder(&ServiceName::new(place.name)?)
        .publish_subscribe::<[u64; W]>()
        .enable_safe_overflow(false)
        .history_size(0)
        .max_publishers(1)
        .max_subscribers(1)
        .max_nodes(2)
        .subscriber_max_buffer_size(slots)
        .subscriber_max_borrowed_samples(1)
        .open_or_create()?;
    Ok((node, service))
}

impl<const W: usize> Tx<W> for Publishing<W> {
    #[inline]
    fn try_send(&mut self, write: impl Fn(&mut [u64; W])) -> bool {
        let sent = match self.publisher.loan_uninit() {
            Ok(sample) => sample.write_payload(value(write)).send(),
            Err(error) => panic!("iceoryx2 has no sample to loan: {error:?}"),
        };
        match sent {
            Ok(subscribers) => subscribers == 1,
            Err(error) => panic!("iceoryx2 can't send: {error:?}"),
        }
    }
}

impl<const W: usize> Rx<W> for Subscribed<W> {
    #[inline]
    fn try_recv(&mut self, mut see: impl FnMut(&[u64; W])) -> usize {
        match self.subscriber.receive() {
            Ok(Some(sample)) => {
                see(sample.payload());
                1
            }
            Ok(None) => 0,
            Err(error) => panic!("iceoryx2 can't receive: {error:?}"),
        }
    }
}

impl<const W: usize> Subject<W> for Iceoryx2 {
    type Tx = Publishing<W>;
    type Rx = Subscribed<W>;

    fn channel(place: &Place) -> Result<Ends<Self::Tx, Self::Rx>> {
        Ok(attached::<Self, W>(place))
    }
}

impl<const W: usize> Mapped<W> for Iceoryx2 {
    fn sender(place: &Place) -> Result<Self::Tx> {
        let (node, service) = service(place)?;
        let publisher = service
            .publisher_builder()
            .max_loaned_samples(1)
            .backpressure_strategy(BackpressureStrategy::DiscardData)
            .create()?;
        Ok(Publishing {
            publisher,
            _service: service,
            _node: node,
        })
    }

    fn receiver(place: &Place) -> Result<Self::Rx> {
        let (node, service) = service(place)?;
        let subscriber = service.subscriber_builder().create()?;
        Ok(Subscribed {
            subscriber,
            _service: service,
            _node: node,
        })
    }
}
