//! A running node: what is opened, started and stopped in which order.
//!
//! Owns threads, channels and the clock. Start: home, lock, keys, log and index, engine, network, engine's thread, API. Stop:
//! API, inbox, engine's thread (which stores what it took), network, lock. Decides nothing about events.

mod driver;
mod foresight;
mod inbox;
mod notices;
mod open;
mod statements;
mod upkeep;

pub(crate) use driver::wall_ms;
pub use foresight::Checkers;
#[cfg(test)]
pub(crate) use open::open as open_store;
pub(crate) use open::replace_index;

use crate::api;
use crate::config::{Config, ConfigError, WebPolicy};
use crate::engine::{self, Answer, Completeness, Engine, Local, Notice};
use crate::home::{Home, HomeError, HomeLock};
use crate::identity::{self, KeyError};
use crate::network::{Command, Network, NetworkConfig, NetworkError, Proxy, Report};
use crate::search::Search;
use crate::store::{EventStore, FoundDamage, JournalError, StoreError};
use crate::web::{self, Access, DoorError, Tls, WebAddress};
use driver::Driver;
use foresight::Foresight;
use inbox::Inbox;
use notices::Notices;
use open::Opened;
use roda_protocol::id::{AuthorKey, NetworkId, SpaceId};
use roda_protocol::keys::SecretKey;
use statements::Statements;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use upkeep::Bell;

/// Notices that a slow reader may fall behind before it is told that it missed some.
const NOTICES_MAX: usize = 4096;

/// How long a question to the network may take.
const REPORT_TIME_MAX: Duration = Duration::from_secs(5);

/// The parts of a stop that wait for others get this long; the whole stays below five seconds.
const STOP_PART: Duration = Duration::from_millis(1500);

/// What a node is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its folders.
    pub home: Home,
    /// The network's name.
    pub network: String,
    /// Multiaddrs to listen on; empty: every interface, a free port.
    pub listen: Vec<String>,
    /// Multiaddrs that are dialled at start and kept.
    pub connect: Vec<String>,
    /// Whether to look for nodes on the local network.
    pub mdns: bool,
    /// Whether to look for further peers at all: on the local network, through peers and in the DHT.
    pub discover: bool,
    /// A proxy that is the only way out.
    pub proxy: Option<Proxy>,
    /// Where to serve the web page.
    pub web: WebAddress,
}

/// A node that serves.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The network's name.
    pub network: String,
    /// The node's libp2p name.
    pub peer_id: String,
    /// Who writes here.
    pub author: String,
    /// Addresses with `/p2p/`.
    pub listen: Vec<String>,
    /// The API's socket.
    pub socket: PathBuf,
    /// A login link of the web page that works once, until it is used.
    pub web: Option<String>,
    /// SHA-256 of the page's certificate, as browsers show it, if it is served by TLS.
    pub certificate: Option<String>,
    /// Whether the home was empty before.
    pub is_new: bool,
    /// What a person should know, such as an index that was rebuilt.
    pub notices: Vec<String>,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StartError {
    /// A stable word: `locked_home`, `format`, `other_network`, `address`, `web_unprotected`, `storage`, `config`, `internal`.
    pub code: &'static str,
    /// What happened and why.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

/// What the rest of the node may do with a running engine.
#[derive(Clone)]
pub(crate) struct Handle {
    inbox: Inbox,
    commands: mpsc::Sender<Command>,
    notices: broadcast::Sender<Notice>,
    statements: Statements,
}

/// The engine takes no more questions: too many wait, or the node is stopping.
#[derive(Debug)]
pub(crate) struct Unavailable;

impl Handle {
    /// Asks the engine.
    ///
    /// # Errors
    ///
    /// [`Unavailable`].
    pub(crate) async fn ask(&self, ask: Local) -> Result<Answer, Unavailable> {
        let (reply, answer) = oneshot::channel();
        if !self.inbox.ask(ask, reply) {
            return Err(Unavailable);
        }
        answer.await.map_err(|_| Unavailable)
    }

    /// Tells the engine something, of which nobody waits to hear what came of it. False: the node stops, or has no room for more
    /// questions.
    pub(crate) fn tell(&self, ask: Local) -> bool {
        let (reply, _) = oneshot::channel();
        self.inbox.ask(ask, reply)
    }

    /// What the engine said last of how complete a space is. Waits for nobody.
    pub(crate) fn completeness(&self, space: SpaceId) -> Completeness {
        self.statements.of(space)
    }

    /// Dials an address.
    ///
    /// # Errors
    ///
    /// The reason, for a person.
    pub(crate) async fn dial(&self, address: String) -> Result<crate::peer::Peer, String> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(Command::Dial { address, reply }).await;
        sent.map_err(|_| "the node is stopping".to_owned())?;
        answer.await.unwrap_or_else(|_| Err("the node is stopping".to_owned()))
    }

    /// How the network stands.
    ///
    /// # Errors
    ///
    /// [`Unavailable`].
    pub(crate) async fn report(&self) -> Result<Report, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let report = async {
            self.commands.send(Command::Report { reply }).await.ok()?;
            answer.await.ok()
        };
        // A network that starts anew takes a moment.
        tokio::time::timeout(REPORT_TIME_MAX, report).await.ok().flatten().ok_or(Unavailable)
    }

    /// Has an address remembered that a person was given.
    pub(crate) async fn vouch(&self, address: String, until_ms: u64) {
        // An error means that the node is stopping.
        let _ = self.commands.send(Command::Vouch { address, until_ms }).await;
    }

    /// News from here on.
    pub(crate) fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }
}

/// What the API serves from.
pub(crate) struct Context {
    pub(crate) handle: Handle,
    pub(crate) store: Arc<EventStore>,
    pub(crate) key: SecretKey,
    /// The node's key among peers. It signs invites, and has nothing to do with the author's.
    pub(crate) network_key: SecretKey,
    pub(crate) network_name: String,
    pub(crate) home: Home,
    pub(crate) peer_id: String,
    pub(crate) disk_bytes_max: u64,
    pub(crate) upkeep: Bell,
    pub(crate) notices: Notices,
    pub(crate) started: Instant,
    pub(crate) stop: mpsc::Sender<()>,
    pub(crate) ignored: Arc<crate::network::Counters>,
    pub(crate) news: Arc<api::News>,
    pub(crate) waiting: api::WaitingMarks,
    pub(crate) search: Search,
    /// The web page's door, if it is served.
    pub(crate) web: Option<Arc<Access>>,
}

impl Context {
    pub(crate) fn me(&self) -> AuthorKey {
        self.key.public()
    }
}

/// A running node. Dropping it without [`Node::shutdown`] leaves its threads to the end of the process.
pub struct Node {
    ready: Ready,
    inbox: Inbox,
    network: Network,
    engine: Option<std::thread::JoinHandle<()>>,
    engine_ended: oneshot::Receiver<String>,
    upkeep: Option<(std::thread::JoinHandle<()>, Bell)>,
    search: Option<(std::thread::JoinHandle<()>, Search)>,
    api: api::Server,
    /// Tells the web page to end.
    web: watch::Sender<bool>,
    stop: mpsc::Receiver<()>,
    _lock: HomeLock,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Node({})", self.ready.peer_id)
    }
}

impl Node {
    /// Starts a node.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let home = settings.home.clone();
        home.create()?;
        let lock = home.lock()?;
        let config = Config::read(&home.config.join("config.toml"))?;
        let (wanted, tls) = page_terms(settings.web, &config.web, &home)?;
        let (key, is_new) = identity::author(&home.config)?;
        let (network_seed, _) = identity::seed(&home.config.join("network.key"))?;
        let network_id = NetworkId::of(&settings.network);
        let engine_config = engine::Config {
            work_bits_min: config.admission.work_bits_min,
            disk_bytes_max: config.admission.disk_bytes_max,
            denied_authors: config.admission.authors().map_err(|reason| internal(&reason))?,
            seed: identity::random()?,
        };
        let Opened { store, made: (mut engine, first), remaking, mut notices } = {
            let (home, me) = (home.clone(), key.public());
            let stamp = format!("{:015}", wall_ms());
            let make = move |store: &Arc<EventStore>| Engine::new(Arc::clone(store), me, engine_config.clone());
            blocking(move || open::open(&home, (me, network_id), &stamp, make)).await??
        };
        engine.remake(remaking);
        let page = bind_page(wanted).await?;
        let inbox = Inbox::default();
        let network_config = NetworkConfig {
            key_seed: *network_seed,
            network_id: network_id.0,
            listen: settings.listen,
            mdns: settings.mdns,
            proxy: settings.proxy.or(config.network.proxy().map_err(|reason| internal(&reason))?),
            dht: config.network.dht,
            discover: settings.discover && config.network.discover,
            relay: config.network.relay,
            upnp: config.network.upnp,
            address_book: Some(home.data.join("peers.json")),
            connect: settings.connect,
            bootstrap: config.network.bootstrap,
            agent: concat!("roda/", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        let network = start_network(network_config, &home, &inbox, &mut notices).await?;
        let (notice_sender, _) = broadcast::channel(NOTICES_MAX);
        let handle = Handle {
            inbox: inbox.clone(),
            commands: network.commands(),
            notices: notice_sender,
            statements: Statements::default(),
        };
        let counters = Arc::clone(network.counters());
        let said = Notices::new(notices.clone());
        let foresight =
            Foresight::start(inbox.clone(), Arc::clone(&store)).map_err(|error| internal(&error.to_string()))?;
        let driver = Driver::new(engine, foresight, &handle, home.clone(), counters, said.clone());
        let (thread, engine_ended) = run_engine(driver, first)?;
        let peer_id = network.local_peer().to_string();
        let access = match &page {
            None => None,
            Some(listener) => {
                let address = listener.local_addr().map_err(|error| internal(&error.to_string()))?;
                Some(Arc::new(Access::new(address, tls, &home, &peer_id, config.web.allowed_hosts)?))
            }
        };
        let ready = Ready {
            network: settings.network.clone(),
            peer_id,
            author: key.public().to_string(),
            listen: network.listen_addresses().to_vec(),
            socket: home.socket(),
            web: access.as_ref().map(|access| access.login_link(true)).transpose()?,
            certificate: access.as_ref().and_then(|access| access.fingerprint()),
            is_new,
            notices,
        };
        let (stop_sender, stop) = mpsc::channel(1);
        let bell = Bell::default();
        let upkeep = upkeep::start(Arc::clone(&store), key.public(), config.admission.disk_bytes_max, bell.clone())
            .map_err(|error| internal(&error.to_string()))?;
        let (search, search_thread) =
            start_search(&store, &home, &handle, &said).map_err(|error| internal(&error.to_string()))?;
        let context = Arc::new(Context {
            handle: handle.clone(),
            store: Arc::clone(&store),
            key,
            network_key: SecretKey::from_seed(&network_seed),
            network_name: settings.network,
            waiting: api::WaitingMarks::read(&home),
            home,
            peer_id: ready.peer_id.clone(),
            disk_bytes_max: config.admission.disk_bytes_max,
            upkeep: bell.clone(),
            notices: said,
            started: Instant::now(),
            stop: stop_sender,
            ignored: Arc::clone(network.counters()),
            news: api::News::start(handle.notices(), wall_ms()),
            search: search.clone(),
            web: access.clone(),
        });
        let api = api::Server::start(Arc::clone(&context)).map_err(|source| StartError {
            code: "internal",
            message: format!("can't serve on {}: {source}", ready.socket.display()),
            hint: "check that the folder of the socket is yours".into(),
        })?;
        let (web, stop_web) = watch::channel(false);
        if let (Some(listener), Some(access)) = (page, access) {
            let router = web::router(Arc::clone(&context), Arc::clone(&access));
            tokio::spawn(web::serve(listener, router, access, stop_web));
        }
        look_for_damage(context);
        let (engine, upkeep, search) = (Some(thread), Some((upkeep, bell)), Some((search_thread, search)));
        Ok(Self { ready, inbox, network, engine, engine_ended, upkeep, search, api, web, stop, _lock: lock })
    }

    /// Facts for the first line of output.
    #[must_use]
    pub fn ready(&self) -> Ready {
        self.ready.clone()
    }

    /// Resolves when somebody asked the node to stop through its API, or when it failed.
    ///
    /// # Errors
    ///
    /// Why it failed.
    pub async fn stop_asked(&mut self) -> Result<(), String> {
        tokio::select! {
            _ = self.stop.recv() => Ok(()),
            reason = &mut self.engine_ended => Err(reason.unwrap_or_else(|_| "the engine ended".to_owned())),
        }
    }

    /// Stops within five seconds. Everything that was acknowledged is on disk already.
    pub async fn shutdown(mut self) {
        self.web.send_replace(true);
        if let Some((_, bell)) = &self.upkeep {
            bell.end();
        }
        if let Some((_, search)) = &self.search {
            search.end();
        }
        self.api.stop(STOP_PART).await;
        self.inbox.close();
        if let Some(thread) = self.engine.take() {
            let ended = tokio::task::spawn_blocking(move || thread.join());
            if tokio::time::timeout(STOP_PART, ended).await.is_err() {
                tracing::warn!("the engine did not end in time");
            }
        }
        let (upkeep, search) = (self.upkeep.take(), self.search.take());
        let ended = tokio::task::spawn_blocking(move || {
            let threads = [upkeep.map(|(thread, _)| thread), search.map(|(thread, _)| thread)];
            for thread in threads.into_iter().flatten() {
                // A panic was logged where it happened.
                let _ = thread.join();
            }
        });
        if tokio::time::timeout(STOP_PART, ended).await.is_err() {
            // What they write has another name until it is whole.
            tracing::warn!("the upkeep of the store, or the index of the words, did not end in time");
        }
        self.network.stop().await;
        // The socket goes last but for the lock: who sees no socket may take the home a moment later.
        let _ = std::fs::remove_file(&self.ready.socket);
    }
}

/// Where the web page is to be served, and what protects it there.
fn page_terms(asked: WebAddress, policy: &WebPolicy, home: &Home) -> Result<(WebAddress, Option<Tls>), StartError> {
    let wanted = match asked {
        WebAddress::Default => policy.address().map_err(|reason| internal(&reason))?,
        other => other,
    };
    let tls = match wanted {
        WebAddress::At(address) => web::protection(address, policy, home)?,
        _ => None,
    };
    Ok((wanted, tls))
}

/// Takes the web page's port.
async fn bind_page(wanted: WebAddress) -> Result<Option<TcpListener>, StartError> {
    web::bind(wanted).await.map_err(|source| StartError {
        code: "address",
        message: match wanted {
            WebAddress::At(address) => format!("can't serve the web page on {address}: {source}"),
            _ => format!("can't serve the web page: {source}"),
        },
        hint: "choose another address: `roda up --web 127.0.0.1:0` takes any free port, `--web off` serves none".into(),
    })
}

/// Starts the network. A node that is free to choose listens where it did last time, so that what others know of it stays
/// true.
async fn start_network(
    config: NetworkConfig,
    home: &Home,
    inbox: &Inbox,
    notices: &mut Vec<String>,
) -> Result<Network, NetworkError> {
    if !config.listen.is_empty() || config.proxy.is_some() {
        return start_anyhow(config, inbox, notices).await;
    }
    let file = home.data.join("listen.json");
    let last = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Vec<String>>(&bytes).ok());
    let again = NetworkConfig { listen: last.unwrap_or_default(), ..config.clone() };
    let network = match Network::start(again, inbox.clone()).await {
        // Somebody else has the port now.
        Err(NetworkError::Multicast { .. } | NetworkError::Listen { .. } | NetworkError::Address(_)) => {
            start_anyhow(config, inbox, notices).await?
        }
        other => other?,
    };
    let written = serde_json::to_vec(network.bound()).map(|bytes| std::fs::write(&file, bytes));
    if !matches!(written, Ok(Ok(()))) {
        tracing::warn!(file = %file.display(), "the ports were not written down");
    }
    Ok(network)
}

/// A machine without multicast is no reason not to run.
async fn start_anyhow(
    config: NetworkConfig,
    inbox: &Inbox,
    notices: &mut Vec<String>,
) -> Result<Network, NetworkError> {
    match Network::start(config.clone(), inbox.clone()).await {
        Err(NetworkError::Multicast { cause }) => {
            notices.push(format!("nodes on the local network are not looked for: {cause}"));
            Network::start(NetworkConfig { mdns: false, ..config }, inbox.clone()).await
        }
        other => other,
    }
}

type EngineThread = (std::thread::JoinHandle<()>, oneshot::Receiver<String>);

/// Starts the engine's thread. A panic in it is reported: the node then stops instead of serving half.
fn run_engine(mut driver: Driver, first: Vec<engine::Output>) -> Result<EngineThread, StartError> {
    let (ended, engine_ended) = oneshot::channel();
    let run = move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| driver.run(first)));
        driver.foresight.close();
        if outcome.is_err() {
            // The receiver is gone when the node is stopping anyway.
            let _ = ended.send("the engine met a bug and stopped; what was acknowledged is on disk".to_owned());
        }
    };
    let thread = std::thread::Builder::new().name("engine".into()).spawn(run);
    thread.map(|thread| (thread, engine_ended)).map_err(|error| internal(&error.to_string()))
}

/// Starts the index of the words, and rings whenever an event was judged. Nobody waits for it: what it does not hear of it
/// reads in the log.
fn start_search(
    store: &Arc<EventStore>,
    home: &Home,
    handle: &Handle,
    said: &Notices,
) -> std::io::Result<(Search, std::thread::JoinHandle<()>)> {
    let said = said.clone();
    let (search, thread) = Search::start(Arc::clone(store), &home.data.join("search"), move |text| said.add(text))?;
    let (mut notices, ringing) = (handle.notices(), search.clone());
    tokio::spawn(async move {
        loop {
            match notices.recv().await {
                Ok(Notice::Judged { .. }) | Err(broadcast::error::RecvError::Lagged(_)) => ringing.ring(),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    });
    Ok((search, thread))
}

/// Reads the log's checksums and counts the index's events once, behind the node's back, so that damage is known and made
/// good: by peers, and by a new index, which the engine asks for.
fn look_for_damage(context: Arc<Context>) {
    if context.store.remade_percent().is_some() {
        // Whoever makes the index reads all of the log, and says what is damaged.
        return;
    }
    tokio::spawn(async move {
        let store = Arc::clone(&context.store);
        let found = tokio::task::spawn_blocking(move || store.find_damage()).await;
        let mut texts = Vec::new();
        match found {
            Err(_) => return,
            Ok(Err(error)) => texts.push(format!("log and index can't be read whole: {error}")),
            Ok(Ok(FoundDamage { places, lacks_rows })) => {
                if places > 0 {
                    texts.push(open::damage(places));
                }
                if lacks_rows {
                    texts.push("the index lacked rows of events and is rebuilt from the log".to_owned());
                }
            }
        }
        if texts.is_empty() {
            return;
        }
        for text in texts {
            tracing::warn!("{text}");
            context.notices.add(text);
        }
        // Whether or not peers are here yet: the engine keeps the list.
        let _ = context.handle.ask(Local::FetchLost).await;
    });
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StartError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| internal(&error.to_string()))
}

fn internal(reason: &str) -> StartError {
    StartError { code: "internal", message: reason.to_owned(), hint: String::new() }
}

impl From<HomeError> for StartError {
    fn from(error: HomeError) -> Self {
        let (code, hint) = match &error {
            HomeError::Locked { .. } => ("locked_home", "see it with `roda status`, stop it with `roda down`"),
            HomeError::Io { .. } => ("storage", "check that the folder exists and is yours, or choose another --home"),
        };
        Self { code, message: error.to_string(), hint: hint.into() }
    }
}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self { code: "config", message: error.to_string(), hint: "mend the file, or move it away for defaults".into() }
    }
}

impl From<DoorError> for StartError {
    fn from(error: DoorError) -> Self {
        let code = if matches!(error, DoorError::Open { .. }) { "web_unprotected" } else { "storage" };
        Self { code, message: error.to_string(), hint: error.hint() }
    }
}

impl From<KeyError> for StartError {
    fn from(error: KeyError) -> Self {
        let hint = "the key is who you are here: restore it from a copy rather than to make a new one";
        Self { code: "storage", message: error.to_string(), hint: hint.into() }
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        let (code, hint) = match &error {
            StoreError::OtherNetwork => ("other_network", "pass the --network of this home, or another --home"),
            StoreError::NewerFormat { .. } | StoreError::Journal(JournalError::Newer { .. }) => {
                ("format", "update roda; nothing was changed")
            }
            _ => ("storage", "check the disk; nothing was changed"),
        };
        Self { code, message: error.to_string(), hint: hint.into() }
    }
}

impl From<NetworkError> for StartError {
    fn from(error: NetworkError) -> Self {
        let code = match &error {
            NetworkError::Address(_) | NetworkError::Listen { .. } => "address",
            NetworkError::AddressBook { .. } => "storage",
            _ => "internal",
        };
        let hint = if code == "address" { "choose another --listen; /tcp/0 takes a free port" } else { "" };
        Self { code, message: error.to_string(), hint: hint.into() }
    }
}
