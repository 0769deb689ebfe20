//! The Unix socket: who may connect, and how serving ends.

use crate::runtime::Context;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A serving socket.
pub(crate) struct Server {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Binds the socket and serves. The caller holds the home's lock, so a socket that is there is a dead one.
    ///
    /// # Errors
    ///
    /// The socket can't be made.
    pub(crate) fn start(context: Arc<Context>) -> io::Result<Self> {
        let path = context.home.socket();
        let listener = bind(&path)?;
        let (stop, stopped) = oneshot::channel::<()>();
        super::waiting::start(&context);
        let service = super::router(context).fallback(super::error::no_route);
        let task = tokio::spawn(async move {
            let end = async {
                // Dropping the sender ends the service, too.
                let _ = stopped.await;
            };
            if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(end).await {
                tracing::error!(%error, "the API ended");
            }
        });
        Ok(Self { stop: Some(stop), task })
    }

    /// Takes no more connections, and lets requests under way end within `patience`. Endless ones are cut.
    pub(crate) async fn stop(&mut self, patience: Duration) {
        if let Some(stop) = self.stop.take() {
            // The task may have ended by itself.
            let _ = stop.send(());
        }
        if tokio::time::timeout(patience, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

fn bind(path: &Path) -> io::Result<OwnUser> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    let user = std::fs::metadata(path)?.uid();
    Ok(OwnUser { listener, user })
}

/// A listener that takes connections of this process's own user only. File modes say the same; this holds where a file
/// system does not keep them.
struct OwnUser {
    listener: UnixListener,
    user: u32,
}

impl axum::serve::Listener for OwnUser {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            // The qualified call is axum's: it backs off when the process has no more file handles.
            let (stream, address) = axum::serve::Listener::accept(&mut self.listener).await;
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == self.user => return (stream, address),
                _ => tracing::warn!("a connection to the API by another user was refused"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
