use std::io;

use futures::prelude::*;
use libp2p::request_response::{self, Codec, Message, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{StreamProtocol, SwarmBuilder, identify, noise, tcp, yamux};

use super::*;
use crate::network::behaviour::Names;

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_every_size_come_back() {
    let (mut one, two) = pair().await;
    let peer = two.peer();
    let echo = two.echo();
    for bytes in [0, 1, 70_000, REQUEST_BYTES_MAX - 1, REQUEST_BYTES_MAX] {
        let body: Vec<u8> = (0..bytes).map(|index| (index % 251) as u8).collect();
        assert_eq!(one.request(&peer, body.clone()).await, Ok(body));
    }
    echo.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_of_the_largest_size_arrives() {
    let (mut one, mut two) = pair().await;
    one.send(Command::Request { peer: two.peer(), token: 1, body: b"much".to_vec() }).await;
    let (_, reply) = two.asked().await;
    two.send(Command::Respond { reply, body: vec![5; RESPONSE_BYTES_MAX] }).await;
    let response = |event| match event {
        Event::Response { token: 1, result } => Some(result),
        _ => None,
    };
    assert_eq!(one.until("the response", response).await.map(|body| body.len()), Ok(RESPONSE_BYTES_MAX));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_and_the_connection_goes_on() {
    let (mut one, mut two) = pair().await;
    let peer = two.peer();
    assert_eq!(one.request(&peer, vec![0; REQUEST_BYTES_MAX + 1]).await, Err(RequestFailure::TooLarge));

    one.send(Command::Request { peer: peer.clone(), token: 1, body: Vec::new() }).await;
    let (_, reply) = two.asked().await;
    two.send(Command::Respond { reply, body: vec![0; RESPONSE_BYTES_MAX + 1] }).await;
    let response = |event| match event {
        Event::Response { token: 1, result } => Some(result),
        _ => None,
    };
    assert_eq!(one.until("the refusal", response).await, Err(RequestFailure::Refused));

    let echo = two.echo();
    assert_eq!(one.request(&peer, b"still there?".to_vec()).await, Ok(b"still there?".to_vec()));
    echo.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_reply_is_a_refusal_at_once() {
    let (mut one, mut two) = pair().await;
    one.send(Command::Request { peer: two.peer(), token: 1, body: Vec::new() }).await;
    drop(two.asked().await);
    let refused = |event| matches!(event, Event::Response { result: Err(RequestFailure::Refused), .. }).then_some(());
    one.until("the refusal", refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_someone_unconnected_fails_at_once() {
    let (mut one, two) = pair().await;
    let stranger = start(config(3)).await.peer();
    assert_eq!(one.request(&stranger, Vec::new()).await, Err(RequestFailure::NotConnected));
    drop(two);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_may_be_under_way_are_told_so_and_every_one_is_answered() {
    let (mut one, two) = pair().await;
    let peer = two.peer();
    const REQUESTS: u64 = 200;
    for token in 0..REQUESTS {
        one.send(Command::Request { peer: peer.clone(), token, body: vec![1; 1000] }).await;
    }
    let echo = two.echo();
    let mut answered = std::collections::BTreeSet::new();
    let mut whole = 0;
    while answered.len() < usize::try_from(REQUESTS).expect("it fits") {
        if let Event::Response { token, result } = one.next().await {
            assert!(answered.insert(token), "answered twice");
            whole += usize::from(result.is_ok());
        }
    }
    assert!(whole > 0);
    echo.abort();
}

/// Frames a lie: a length over every bound and nothing behind it, or a length within it and too few bytes.
#[derive(Clone, Copy, Default)]
struct Liar;

impl Codec for Liar {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Vec<u8>> {
        let mut frame = [0; 5];
        io.read_exact(&mut frame).await?;
        Ok(frame.to_vec())
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        _: &mut T,
    ) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        _: &mut T,
        _: Vec<u8>,
    ) -> io::Result<()> {
        Ok(())
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        frame: Vec<u8>,
    ) -> io::Result<()> {
        io.write_all(&frame).await
    }
}

#[derive(NetworkBehaviour)]
struct Hostile {
    identify: identify::Behaviour,
    requests: request_response::Behaviour<Liar>,
}

/// Starts a peer that looks like one of the network and answers each request with the frame it is told to.
async fn hostile(frames: Vec<Vec<u8>>) -> String {
    let names = Names::new(&config(0).network_id);
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .expect("a transport")
        .with_behaviour(|key| Hostile {
            identify: identify::Behaviour::new(identify::Config::new(names.version.clone(), key.public())),
            requests: request_response::Behaviour::new(
                [(names.requests.clone(), ProtocolSupport::Full)],
                request_response::Config::default(),
            ),
        })
        .expect("a behaviour")
        .with_swarm_config(|config| config.with_idle_connection_timeout(DEADLINE))
        .build();
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().expect("an address")).expect("a listener");
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            break format!("{address}/p2p/{}", swarm.local_peer_id());
        }
    };
    let mut frames = frames.into_iter();
    tokio::spawn(async move {
        loop {
            let SwarmEvent::Behaviour(HostileEvent::Requests(request_response::Event::Message {
                message: Message::Request { channel, .. },
                ..
            })) = swarm.select_next_some().await
            else {
                continue;
            };
            let frame = frames.next().expect("one frame per request");
            swarm.behaviour_mut().requests.send_response(channel, frame).expect("still waited for");
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_response_is_malformed_and_the_connection_goes_on() {
    let mut one = start(config(1)).await;
    let honest = [3_u32.to_le_bytes().as_slice(), b"yes"].concat();
    let over_bound = [u32::MAX.to_le_bytes().as_slice(), b"no"].concat();
    let just_over = u32::try_from(RESPONSE_BYTES_MAX + 1).expect("it fits").to_le_bytes().to_vec();
    let too_short = [9_u32.to_le_bytes().as_slice(), b"short"].concat();
    let address = hostile(vec![over_bound, just_over, too_short, honest]).await;
    let peer = one.dial(&address).await.expect("it looks like one of us");
    for _ in 0..3 {
        assert_eq!(one.request(&peer, b"?".to_vec()).await, Err(RequestFailure::Malformed));
    }
    assert_eq!(one.request(&peer, b"?".to_vec()).await, Ok(b"yes".to_vec()));
}
