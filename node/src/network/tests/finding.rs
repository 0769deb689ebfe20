use futures::StreamExt;
use libp2p::identity::Keypair;
use libp2p::kad::store::RecordStore;
use libp2p::request_response::{self, Message, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, identify, kad};

use super::super::behaviour::Names;
use super::super::circuits::Circuits;
use super::super::codec::FrameCodec;
use super::super::discovery::{self, Kademlia};
use super::super::records;
use super::super::task::now_ms;
use super::super::transport::{Permits, direct};
use super::*;

/// Knows so many neighbours at start, and nobody else.
fn knowing(node: u8, others: &[&Node]) -> NetworkConfig {
    NetworkConfig { connect: others.iter().map(|other| other.address()).collect(), ..config(node) }
}

async fn report(node: &Node) -> Report {
    let (reply, answer) = oneshot::channel();
    node.send(Command::Report { reply }).await;
    within("a report", answer).await.expect("every question is answered")
}

/// Waits until a report says so.
async fn until_report(node: &Node, what: &str, is_so: impl Fn(&Report) -> bool) -> Report {
    within(what, async {
        loop {
            let report = report(node).await;
            if is_so(&report) {
                return report;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_know_the_same_third_find_each_other_and_go_on_without_it() {
    let two = start(config(2)).await;
    let mut one = start(knowing(1, &[&two])).await;
    one.up(&two.peer()).await;
    let mut three = start(knowing(3, &[&two])).await;
    three.up(&one.peer()).await;
    one.up(&three.peer()).await;
    assert!(report(&three).await.found.exchange >= 1);
    let second = two.peer();
    two.network.stop().await;
    one.down(&second).await;
    one.subscribe(TOPIC).await;
    three.subscribe(TOPIC).await;
    one.follows(&three.peer(), TOPIC).await;
    one.publish(TOPIC, b"without the third".to_vec()).await.expect("published");
    assert_eq!(three.message().await.0, b"without the third");
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_nodes_in_a_line_become_a_network() {
    let mut nodes = vec![start(config(0)).await];
    for number in 1..12 {
        let node = start(knowing(number, &[&nodes[usize::from(number) - 1]])).await;
        nodes.push(node);
    }
    for node in &nodes {
        until_report(node, "three peers", |report| report.inbound + report.outbound >= 3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_connected_last_is_dialled_first_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let with_book = || NetworkConfig { address_book: Some(folder.path().join("book")), ..config(1) };
    let mut two = start(config(2)).await;
    let mut one = start(with_book()).await;
    let first = one.peer();
    one.dial(&two.address()).await.expect("it connects");
    one.up(&two.peer()).await;
    two.up(&first).await;
    one.network.stop().await;
    two.down(&first).await;
    let mut one = start(with_book()).await;
    let report = report(&one).await;
    assert_eq!((report.book.anchors, report.found.cached), (1, 1));
    one.up(&two.peer()).await;
    two.up(&one.peer()).await;
}

/// A peer of ours that serves the DHT and says nothing of others.
#[derive(NetworkBehaviour)]
struct Silent {
    identify: identify::Behaviour,
    dht: Kademlia,
}

/// A peer of ours that answers every question about peers with the same bytes.
#[derive(NetworkBehaviour)]
struct Liar {
    identify: identify::Behaviour,
    exchange: request_response::Behaviour<FrameCodec>,
}

fn swarm<B: NetworkBehaviour<ToSwarm: Send>>(key: &Keypair, behaviour: B) -> Swarm<B> {
    let (transport, _) =
        direct(key, Permits::new(true), Circuits::new(key.public().to_peer_id())).expect("a transport");
    let settings = libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(DEADLINE);
    let mut swarm = Swarm::new(transport, behaviour, key.public().to_peer_id(), settings);
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().expect("an address")).expect("a free port");
    swarm
}

fn introducing(key: &Keypair, names: &Names) -> identify::Behaviour {
    identify::Behaviour::new(identify::Config::new(names.version.clone(), key.public()))
}

async fn address_of<B: NetworkBehaviour>(swarm: &mut Swarm<B>) -> Multiaddr {
    within("an address", async {
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                return address;
            }
        }
    })
    .await
}

/// The hub speaks no exchange: only the DHT can have brought the two together.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_one_board_is_found_in_the_dht() {
    let names = Names::new(&config(0).network_id);
    let key = Keypair::generate_ed25519();
    let dht = discovery::behaviour(key.public().to_peer_id(), &names, [1; 32], true);
    let mut hub = swarm(&key, Silent { identify: introducing(&key, &names), dht });
    hub.behaviour_mut().dht.set_mode(Some(kad::Mode::Server));
    let address = address_of(&mut hub).await.to_string();
    let hub = tokio::spawn(async move {
        loop {
            if let SwarmEvent::Behaviour(SilentEvent::Dht(kad::Event::InboundRequest {
                request: kad::InboundRequest::AddProvider { record: Some(record) },
            })) = hub.select_next_some().await
            {
                hub.behaviour_mut().dht.store_mut().add_provider(record).expect("there is room");
            }
        }
    });
    let through = |node| NetworkConfig { connect: vec![address.clone()], ..config(node) };
    let (mut one, mut two, three) = (start(through(1)).await, start(through(2)).await, start(through(3)).await);
    one.subscribe(TOPIC).await;
    two.subscribe(TOPIC).await;
    three.subscribe("/roda/1/another").await;
    one.up(&two.peer()).await;
    two.up(&one.peer()).await;
    let report = until_report(&one, "something found", |report| report.found.dht > 0).await;
    assert_eq!(report.dht, Dht::Serves);
    assert!(report.routing > 0);
    hub.abort();
}

/// Ten thousand records, others' addresses, near addresses: the liar has what a ration allows, and the honest get in.
#[tokio::test(flavor = "multi_thread")]
async fn a_liar_fills_its_ration_and_no_more() {
    let names = Names::new(&config(0).network_id);
    let key = Keypair::generate_ed25519();
    let mut liar = swarm(
        &key,
        Liar {
            identify: introducing(&key, &names),
            exchange: request_response::Behaviour::with_codec(
                FrameCodec::bounded(4 * 1024 * 1024),
                [(names.exchange.clone(), ProtocolSupport::Full)],
                request_response::Config::default(),
            ),
        },
    );
    let liar_peer = Peer::from(key.public().to_peer_id());
    let address = address_of(&mut liar).await.to_string();
    let mut node = start(NetworkConfig { connect: vec![address], ..config(1) }).await;
    let node_peer: PeerId = node.peer().as_str().parse().expect("a name");
    let mut answers = (0..).map(|number| match number {
        // Far too much for a message.
        0 => [vec![255], (0..10_000).flat_map(|_| bogus(1)).collect()].concat(),
        // Somebody else's record, changed by a bit.
        1 => {
            let mut record = bogus(1);
            record[60] ^= 1;
            records::encode(&[record])
        }
        // As many strangers as a message holds, all with keys of their own.
        _ => records::encode(&(1..=10).map(bogus).collect::<Vec<_>>()),
    });
    let (told, mut heard) = mpsc::channel(64);
    let liar = tokio::spawn(async move {
        let mut questions = tokio::time::interval(Duration::from_millis(20));
        loop {
            tokio::select! {
                event = liar.select_next_some() => match event {
                    SwarmEvent::Behaviour(LiarEvent::Exchange(request_response::Event::Message {
                        message: Message::Request { channel, .. },
                        ..
                    })) => {
                        let answer = answers.next().expect("it goes on");
                        drop(liar.behaviour_mut().exchange.send_response(channel, answer));
                    }
                    SwarmEvent::Behaviour(LiarEvent::Exchange(request_response::Event::OutboundFailure { .. })) => {
                        told.try_send(()).ok();
                    }
                    _ => {}
                },
                // It asks and tells without pause, too.
                _ = questions.tick() => {
                    let records = (1..=2).map(bogus).collect::<Vec<_>>();
                    liar.behaviour_mut().exchange.send_request(&node_peer, records::encode(&records));
                }
            }
        }
    });
    node.up(&liar_peer).await;
    // It is refused, once it has had its ration.
    for _ in 0..40 {
        within("a refusal", heard.recv()).await.expect("the liar goes on");
    }
    let said = report(&node).await;
    assert!(said.known <= 1 + 16, "{said:?}");
    assert!(node.network.counters().exchange_refused() > 0);
    let honest = start(config(2)).await;
    assert_eq!(node.dial(&honest.address()).await, Ok(honest.peer()));
    let mut late = start(knowing(3, &[&honest])).await;
    late.up(&node.peer()).await;
    liar.abort();
}

/// The record of a stranger nearby that isn't there.
fn bogus(port: u16) -> Vec<u8> {
    let address = format!("/ip4/127.0.0.1/tcp/{port}").parse().expect("an address");
    records::sign(&Keypair::generate_ed25519(), &[address], now_ms()).expect("a record")
}
