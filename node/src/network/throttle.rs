//! Gossipsub, read no faster than [`Allowances`] say.
//!
//! The library reads and handles whatever a peer sends, as fast as it comes. This wrapper weighs each frame after it was
//! handled, and asks before the next of the same connection is read. It also turns messages away that are on topics this
//! node has never joined: the library would keep them in memory for seconds without telling anyone. Everything else is
//! passed on as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::gossipsub::{Behaviour, DataTransform, Message, RawMessage, TopicHash, TopicSubscriptionFilter};
use libp2p::swarm::handler::ConnectionEvent;
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::{Sleep, sleep};

use super::allowance::{Allowances, cost};
use super::interface::Counters;
use crate::engine::MessageName;

/// Strange topics that are counted of one peer: more than enough to send it away.
const STRANGE_MAX: usize = 16;

/// Copies that are noted until they are asked for: what is read in a second, and its bursts, in the quarter of one after
/// which the task asks. Of what is beyond nobody is told, and nobody is the worse for it.
const COPIES_MAX: usize = 4096;

/// Something that tasks of connections and the swarm's share. It is held for a few instructions at a time.
type Shared<T> = Arc<Mutex<T>>;

fn held<T>(shared: &Shared<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What came in since it was last looked at.
#[derive(Debug, Clone, Default)]
struct Meter {
    messages: u64,
    bytes: u64,
    /// Those on topics of this node, by name.
    names: Vec<MessageName>,
    /// Topics of messages that this node has never joined. Nobody has a reason to send it such.
    strange: BTreeSet<TopicHash>,
}

/// Which messages go further than the library's door, and how much there was. The library tells nobody of a copy of what it
/// has seen before; here it is counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Doorstep {
    bytes_max: usize,
    /// Topics that were ever joined, and whether they still are.
    topics: Shared<BTreeMap<TopicHash, bool>>,
    meter: Shared<Meter>,
    counters: Arc<Counters>,
}

impl Doorstep {
    pub(super) fn new(bytes_max: usize, counters: Arc<Counters>) -> Self {
        Self { bytes_max, counters, ..Self::default() }
    }

    /// Messages on this topic are welcome from now on.
    pub(super) fn admit(&self, topic: TopicHash) {
        held(&self.topics).insert(topic, true);
    }

    /// Messages on this topic are turned away from now on; those on their way are no offence.
    pub(super) fn shut(&self, topic: TopicHash) {
        held(&self.topics).insert(topic, false);
    }
}

impl DataTransform for Doorstep {
    fn inbound_transform(&self, message: RawMessage) -> io::Result<Message> {
        let is_joined = held(&self.topics).get(&message.topic).copied();
        {
            let mut meter = held(&self.meter);
            meter.messages += 1;
            meter.bytes += message.data.len() as u64;
            if is_joined.is_none() && meter.strange.len() < STRANGE_MAX {
                meter.strange.insert(message.topic.clone());
            }
        }
        if message.data.len() > self.bytes_max || is_joined != Some(true) {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        self.counters.count_copy();
        held(&self.meter).names.push(roda_protocol::gossip::message_id(&message.data));
        let RawMessage { source, data, sequence_number, topic, .. } = message;
        Ok(Message { source, data, sequence_number, topic })
    }

    fn outbound_transform(&self, _: &TopicHash, data: Vec<u8>) -> io::Result<Vec<u8>> {
        Ok(data)
    }
}

/// See the module.
pub(super) struct Throttled<F: TopicSubscriptionFilter> {
    inner: Behaviour<Doorstep, F>,
    doorstep: Doorstep,
    allowances: Shared<Allowances>,
    /// Strange topics by peer, and how many of them are news.
    strangers: BTreeMap<PeerId, (BTreeSet<TopicHash>, usize)>,
    copies: Vec<(PeerId, MessageName)>,
}

impl<F: TopicSubscriptionFilter> Throttled<F> {
    /// Wraps the library's behaviour, which was made with this doorstep.
    pub(super) fn new(inner: Behaviour<Doorstep, F>, doorstep: Doorstep) -> Self {
        let allowances = Arc::new(Mutex::new(Allowances::new(Instant::now())));
        Self { inner, doorstep, allowances, strangers: BTreeMap::new(), copies: Vec::new() }
    }

    /// Who has sent messages on topics that this node has never joined since this was last asked, and on how many that were
    /// not told before. A peer may take it for what it was before a restart, and be mistaken in a board or two.
    pub(super) fn take_strangers(&mut self) -> Vec<(PeerId, usize)> {
        let news = |(peer, (_, news)): (&PeerId, &mut (BTreeSet<TopicHash>, usize))| (*peer, std::mem::take(news));
        self.strangers.iter_mut().map(news).filter(|(_, news)| *news > 0).collect()
    }

    /// Which messages came from whom since this was last asked, the first copy of each and every further one.
    pub(super) fn take_copies(&mut self) -> Vec<(PeerId, MessageName)> {
        std::mem::take(&mut self.copies)
    }

    pub(super) fn doorstep(&self) -> &Doorstep {
        &self.doorstep
    }
}

impl<F: TopicSubscriptionFilter> Deref for Throttled<F> {
    type Target = Behaviour<Doorstep, F>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<F: TopicSubscriptionFilter> DerefMut for Throttled<F> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl<F: TopicSubscriptionFilter + Send + 'static> Throttled<F> {
    fn paced(
        &mut self,
        peer: PeerId,
        handler: THandler<Behaviour<Doorstep, F>>,
    ) -> Paced<THandler<Behaviour<Doorstep, F>>> {
        Paced { inner: handler, peer, allowances: Arc::clone(&self.allowances), rest: None }
    }
}

impl<F: TopicSubscriptionFilter + Send + 'static> NetworkBehaviour for Throttled<F> {
    type ConnectionHandler = Paced<THandler<Behaviour<Doorstep, F>>>;
    type ToSwarm = <Behaviour<Doorstep, F> as NetworkBehaviour>::ToSwarm;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let handler = self.inner.handle_established_inbound_connection(connection, peer, local, remote)?;
        Ok(self.paced(peer, handler))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let handler = self.inner.handle_established_outbound_connection(connection, peer, address, role, port)?;
        Ok(self.paced(peer, handler))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match &event {
            FromSwarm::ConnectionEstablished(opened) => {
                held(&self.allowances).open(opened.peer_id, Instant::now());
            }
            FromSwarm::ConnectionClosed(closed) if closed.remaining_established == 0 => {
                self.strangers.remove(&closed.peer_id);
                held(&self.allowances).close(&closed.peer_id);
            }
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        *held(&self.doorstep.meter) = Meter::default();
        self.inner.on_connection_handler_event(peer, connection, event);
        let Meter { messages, bytes, names, strange } = std::mem::take(&mut *held(&self.doorstep.meter));
        let room = COPIES_MAX.saturating_sub(self.copies.len());
        self.copies.extend(names.into_iter().take(room).map(|name| (peer, name)));
        if !strange.is_empty() {
            let (known, news) = self.strangers.entry(peer).or_default();
            for topic in strange {
                *news += usize::from(known.len() < STRANGE_MAX && known.insert(topic));
            }
        }
        held(&self.allowances).charge(&peer, cost(messages, bytes), Instant::now());
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.inner.poll(context)
    }
}

/// The library's handler of a connection, which is left alone while the peer has no allowance.
pub(super) struct Paced<H> {
    inner: H,
    peer: PeerId,
    allowances: Shared<Allowances>,
    rest: Option<Pin<Box<Sleep>>>,
}

impl<H: ConnectionHandler> ConnectionHandler for Paced<H> {
    type FromBehaviour = H::FromBehaviour;
    type ToBehaviour = H::ToBehaviour;
    type InboundProtocol = H::InboundProtocol;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>> {
        loop {
            if let Some(rest) = &mut self.rest {
                ready!(rest.as_mut().poll(context));
                self.rest = None;
            }
            match held(&self.allowances).may(&self.peer, Instant::now()) {
                Ok(()) => break,
                Err(time) => self.rest = Some(Box::pin(sleep(time))),
            }
        }
        // A few more frames may be on their way to the behaviour, which charges them: as many as a connection may have
        // under way.
        self.inner.poll(context)
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inner.poll_close(context)
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        self.inner.on_behaviour_event(event);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<
            '_,
            Self::InboundProtocol,
            Self::OutboundProtocol,
            Self::InboundOpenInfo,
            Self::OutboundOpenInfo,
        >,
    ) {
        self.inner.on_connection_event(event);
    }
}
