use std::net::{SocketAddr, TcpListener};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

fn book(folder: &tempfile::TempDir, name: &str) -> Option<PathBuf> {
    Some(folder.path().join(name))
}

/// The TCP end of a node's first address.
fn socket(node: &Node) -> SocketAddr {
    let address = node.address();
    let mut parts = address.split('/').skip(2).step_by(2);
    let (host, port) = (parts.next().expect("a host"), parts.next().expect("a port"));
    format!("{host}:{port}").parse().expect("a socket address")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_comes_once_and_goes_once() {
    let (mut one, two) = pair().await;
    let (first, second) = (one.peer(), two.peer());
    // A second connection, from the other side, is not a second coming.
    assert_eq!(two.dial(&one.address()).await, Ok(first.clone()));
    two.network.stop().await;
    let mut changes = Vec::new();
    while changes.last() != Some(&false) {
        match one.next().await {
            Event::PeerUp { .. } => changes.push(true),
            Event::PeerDown { peer } => {
                assert_eq!(peer, second);
                changes.push(false);
            }
            _ => {}
        }
    }
    assert_eq!(changes, [false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_dial_each_other_at_once_stay_connected() {
    let (mut one, mut two) = (start(config(1)).await, start(config(2)).await);
    let (first, second) = (one.address(), two.address());
    let (there, back) = tokio::join!(one.dial(&second), two.dial(&first));
    assert_eq!(there, Ok(two.peer()));
    assert_eq!(back, Ok(one.peer()));
    one.up(&two.peer()).await;
    two.up(&one.peer()).await;
    let peer = two.peer();
    let echo = two.echo();
    assert_eq!(one.request(&peer, b"there?".to_vec()).await, Ok(b"there?".to_vec()));
    echo.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_network_never_comes_up() {
    let mut one = start(config(1)).await;
    let elsewhere = NetworkConfig { network_id: [2; 32], ..config(2) };
    let mut two = start(elsewhere).await;
    let reason = one.dial(&two.address()).await.expect_err("it is of another network");
    assert!(reason.contains("another network"), "{reason}");
    // Whoever had come up before a third peer does would have been told of before it.
    let mut third = start(config(3)).await;
    one.dial(&third.address()).await.expect("it is of this network");
    loop {
        if let Event::PeerUp { peer, .. } = one.next().await {
            assert_eq!(peer, third.peer());
            break;
        }
    }
    third.up(&one.peer()).await;
    two.events.close();
    while let Some(event) = two.events.recv().await {
        assert!(!matches!(event, Event::PeerUp { .. }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_that_leads_nowhere_says_why() {
    let node = start(config(1)).await;
    let dead = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("/ip4/127.0.0.1/tcp/{}", listener.local_addr().expect("an address").port())
    };
    let stranger = start(config(3)).await;
    let wrong = format!("{}/p2p/{}", stranger.address().split("/p2p/").next().expect("a front"), node.peer());
    let other = start(config(4)).await;
    let swapped = format!("{}/p2p/{}", stranger.address().split("/p2p/").next().expect("a front"), other.peer());
    for (address, expected) in [
        (dead.as_str(), "refused"),
        ("nonsense", "is not an address"),
        ("/dns4/example.org/tcp/1", "only /ip4"),
        (&node.address(), "own address"),
        (&wrong, "own address"),
        (&swapped, "another peer answers there"),
    ] {
        let reason = node.dial(address).await.expect_err("it leads nowhere");
        assert!(reason.contains(expected), "{address}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_into_silence_is_answered() {
    // It accepts (in the kernel's queue) and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let node = start(config(1)).await;
    let address = format!("/ip4/127.0.0.1/tcp/{}", silent.local_addr().expect("an address").port());
    let reason = node.dial(&address).await.expect_err("nobody answers");
    assert!(!reason.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_with_the_cause() {
    let node = start(config(1)).await;
    let address = format!("/ip4/127.0.0.1/tcp/{}", socket(&node).port());
    let (inbox, _events) = mpsc::channel(1);
    let second = NetworkConfig { listen: vec![address.clone()], ..config(2) };
    let error = Network::start(second, inbox).await.expect_err("the port is taken").to_string();
    assert!(error.contains(&address) && error.contains("the port is in use"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_is_named() {
    for config in [
        NetworkConfig { listen: vec!["here".to_owned()], ..config(1) },
        NetworkConfig { connect: vec!["there".to_owned()], ..config(1) },
        NetworkConfig { listen: vec!["/ip4/127.0.0.1/udp/0".to_owned()], ..config(1) },
    ] {
        let (inbox, _events) = mpsc::channel(1);
        assert!(Network::start(config, inbox).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_a_node_listens_on_every_interface() {
    let mut node = start(NetworkConfig { listen: Vec::new(), ..config(1) }).await;
    let suffix = format!("/p2p/{}", node.peer());
    assert!(node.network.listen_addresses().iter().all(|address| address.ends_with(&suffix)));
    assert!(node.network.listen_addresses().iter().any(|address| address.starts_with("/ip4/127.0.0.1/tcp/")));
    node.until("its own address", |event| matches!(event, Event::Listening { .. }).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_is_found_through_the_book_of_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut one = start(NetworkConfig { address_book: book(&folder, "one"), ..config(1) }).await;
    let mut two = start(config(2)).await;
    let (peer, port) = (two.peer(), socket(&two).port());
    one.dial(&two.address()).await.expect("it connects");
    one.up(&peer).await;
    two.up(&one.peer()).await;
    two.network.stop().await;
    one.down(&peer).await;
    let mut two = start_at(config(2), &format!("/ip4/127.0.0.1/tcp/{port}")).await;
    one.up(&peer).await;
    two.up(&one.peer()).await;
    // And gossip works over the new connection.
    one.subscribe(TOPIC).await;
    two.subscribe(TOPIC).await;
    one.follows(&peer, TOPIC).await;
    one.publish(TOPIC, b"welcome back".to_vec()).await.expect("published");
    assert_eq!(two.message().await.0, b"welcome back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_finds_its_peers_again_through_its_own_book() {
    let folder = tempfile::tempdir().expect("a folder");
    let with_book = || NetworkConfig { address_book: book(&folder, "one"), ..config(1) };
    let mut two = start(config(2)).await;
    let one = start(with_book()).await;
    one.dial(&two.address()).await.expect("it connects");
    one.network.stop().await;
    let mut one = start(with_book()).await;
    one.up(&two.peer()).await;
    two.up(&one.peer()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_book_is_named_and_not_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("book");
    std::fs::write(&path, "damaged").expect("written");
    let (inbox, _events) = mpsc::channel(1);
    let config = NetworkConfig { address_book: Some(path.clone()), ..config(1) };
    let error = Network::start(config, inbox).await.expect_err("it is damaged").to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
    assert_eq!(std::fs::read_to_string(&path).expect("still there"), "damaged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_address_is_dialled_until_someone_is_there_and_again_afterwards() {
    let port = socket(&start(config(2)).await).port();
    let address = format!("/ip4/127.0.0.1/tcp/{port}");
    let mut one = start(NetworkConfig { connect: vec![address.clone()], ..config(1) }).await;
    let two = start_at(config(2), &address).await;
    let peer = two.peer();
    one.up(&peer).await;
    two.network.stop().await;
    one.down(&peer).await;
    let _two = start_at(config(2), &address).await;
    one.up(&peer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnected_peer_is_gone_and_may_be_dialled_on_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut one = start(NetworkConfig { address_book: book(&folder, "one"), ..config(1) }).await;
    let two = start(config(2)).await;
    one.dial(&two.address()).await.expect("it connects");
    one.send(Command::Disconnect { peer: two.peer(), reason: "a test".to_owned() }).await;
    one.down(&two.peer()).await;
    one.dial(&two.address()).await.expect("it connects again");
    one.up(&two.peer()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_silence_on_the_port_disturb_no_one() {
    let node = start(config(1)).await;
    let mut silent = Vec::new();
    for index in 0..8_u8 {
        silent.push(TcpStream::connect(socket(&node)).await.expect("it accepts"));
        let mut rude = TcpStream::connect(socket(&node)).await.expect("it accepts");
        rude.write_all(&[index.wrapping_mul(37); 10_000]).await.ok();
        // The node hangs up.
        let mut rest = Vec::new();
        within("the end of a rude connection", rude.read_to_end(&mut rest)).await.ok();
    }
    let other = start(config(2)).await;
    assert_eq!(other.dial(&node.address()).await, Ok(node.peer()));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_the_task_and_what_is_sent_later_comes_back() {
    let (one, two) = pair().await;
    let commands = one.network.commands();
    assert!(one.network.is_running());
    one.network.stop().await;
    assert!(commands.send(Command::Shutdown).await.is_err());
    assert!(two.network.is_running());
}

#[tokio::test]
async fn a_panic_in_the_task_is_caught_and_the_network_starts_anew_where_it_was() {
    let (mut one, mut two) = pair().await;
    let (first, second, address) = (one.peer(), two.peer(), two.address());
    two.send(Command::Panic).await;
    two.until("the news of a restart", |event| matches!(event, Event::Restarted).then_some(())).await;
    one.down(&second).await;
    two.subscribe(TOPIC).await;
    within("its listening on the same port again", async {
        while one.dial(&address).await != Ok(second.clone()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    two.up(&first).await;
    one.up(&second).await;
    one.follows(&second, TOPIC).await;
    assert_eq!(two.network.counters().restarts(), 1);
    two.network.stop().await;
}
