//! What happens in the node, as it happens: lines of JSON, or server-sent events that a browser can take up again where it
//! lost them.

use super::Shared;
use super::dto::NodeEvent;
use super::error::ApiError;
use crate::engine::{Notice, Verdict};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{ACCEPT, HeaderMap};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt as _, stream};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast};

/// News that a browser can take up again: minutes of a busy node.
const REPLAYED_MAX: usize = 1024;

/// News that a slow reader may fall behind before it is told that it missed some.
const BEHIND_MAX: usize = 1024;

/// Browsers' streams at once.
const STREAMS_MAX: usize = 16;

/// How often a silent stream says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// One of the news with its place.
pub(super) type Numbered = (u64, Arc<NodeEvent>);

/// News with ids, and the last of them.
#[derive(Debug)]
pub(crate) struct News {
    /// Tells this run of the node from others: ids of another run mean nothing here.
    run: u64,
    last: Mutex<VecDeque<Numbered>>,
    sender: broadcast::Sender<Numbered>,
    streams: Arc<Semaphore>,
}

impl News {
    /// News from now on, until the node ends.
    pub(crate) fn start(mut notices: broadcast::Receiver<Notice>, run: u64) -> Arc<Self> {
        let (sender, _) = broadcast::channel(BEHIND_MAX);
        let streams = Arc::new(Semaphore::new(STREAMS_MAX));
        let news = Arc::new(Self { run, last: Mutex::default(), sender, streams });
        let weak = Arc::downgrade(&news);
        tokio::spawn(async move {
            let mut number = 0;
            loop {
                let said = match notices.recv().await {
                    Ok(notice) => said(notice),
                    Err(RecvError::Lagged(missed)) => Some(NodeEvent::Lagged { missed }),
                    Err(RecvError::Closed) => return,
                };
                let Some(news) = weak.upgrade() else { return };
                let Some(said) = said else { continue };
                number += 1;
                news.add((number, Arc::new(said)));
            }
        });
        news
    }

    /// News from now on.
    pub(super) fn listen(&self) -> broadcast::Receiver<Numbered> {
        self.sender.subscribe()
    }

    fn add(&self, numbered: Numbered) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == REPLAYED_MAX {
            last.pop_front();
        }
        last.push_back(numbered.clone());
        // Nobody may be listening. Sent under the lock: who subscribes sees each of the news once.
        let _ = self.sender.send(numbered);
    }

    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.run)
    }

    /// Those behind an id, then those to come. Without an id, or with one of another run: those to come. The number tells
    /// how many were missed for good.
    fn behind(&self, id: Option<&str>) -> (u64, Vec<Numbered>, broadcast::Receiver<Numbered>) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = self.sender.subscribe();
        let Some((run, number)) = id.and_then(|id| id.split_once('-')) else { return (0, Vec::new(), receiver) };
        let Ok(number) = number.parse::<u64>() else { return (0, Vec::new(), receiver) };
        if run != self.run.to_string() {
            // How many there were in between is not known; that there may have been some is.
            return (1, Vec::new(), receiver);
        }
        let replayed: Vec<Numbered> = last.iter().filter(|(of, _)| *of > number).cloned().collect();
        let missed = replayed.first().map_or(0, |(first, _)| first.saturating_sub(number.saturating_add(1)));
        (missed, replayed, receiver)
    }

    fn event(&self, (number, said): &Numbered) -> Option<Event> {
        let text = serde_json::to_string(said.as_ref()).ok()?;
        Some(Event::default().id(self.id(*number)).event(word(said)).data(text))
    }
}

/// The name under which a browser's script hears of it.
fn word(said: &NodeEvent) -> &'static str {
    match said {
        NodeEvent::Admitted { .. } => "admitted",
        NodeEvent::Declined { .. } => "declined",
        NodeEvent::Connected { .. } => "connected",
        NodeEvent::Disconnected { .. } => "disconnected",
        NodeEvent::Lagged { .. } => "lagged",
    }
}

fn said(notice: Notice) -> Option<NodeEvent> {
    Some(match notice {
        Notice::Judged { event, verdict } => {
            let (id, board, kind) = (event.id.to_string(), event.space.to_string(), event.kind.to_owned());
            match verdict {
                Verdict::Declined(_, why) => NodeEvent::Declined { id, board, kind, why: why.word().to_owned() },
                _ => NodeEvent::Admitted { id, board, kind },
            }
        }
        Notice::PeerUp { peer, address } => NodeEvent::Connected { peer_id: peer.to_string(), addr: address },
        Notice::PeerDown { peer } => NodeEvent::Disconnected { peer_id: peer.to_string() },
        Notice::Delivered { .. } => return None,
    })
}

/// `GET /api/v1/events`: until the reader goes or the node stops.
pub(super) async fn events(State(context): State<Shared>, headers: HeaderMap) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text(ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/event-stream")) {
        return to_browser(&context.news, text("last-event-id"));
    }
    let (_, _, receiver) = context.news.behind(None);
    let lines = received(receiver).filter_map(|said| async move {
        let mut line = match said {
            Ok((_, said)) => serde_json::to_vec(said.as_ref()).ok()?,
            Err(missed) => serde_json::to_vec(&NodeEvent::Lagged { missed }).ok()?,
        };
        line.push(b'\n');
        Some(Ok::<_, Infallible>(Bytes::from(line)))
    });
    ([("content-type", "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

/// What comes, and how many were missed.
fn received(receiver: broadcast::Receiver<Numbered>) -> impl stream::Stream<Item = Result<Numbered, u64>> {
    stream::unfold(receiver, |mut receiver| async move {
        match receiver.recv().await {
            Ok(numbered) => Some((Ok(numbered), receiver)),
            Err(RecvError::Lagged(missed)) => Some((Err(missed), receiver)),
            Err(RecvError::Closed) => None,
        }
    })
}

fn to_browser(news: &Arc<News>, last_id: Option<&str>) -> Response {
    let Ok(place) = Arc::clone(&news.streams).try_acquire_owned() else {
        let message = format!("{STREAMS_MAX} pages listen already");
        return ApiError::new("busy", message, "close some of them").into_response();
    };
    let (missed, replayed, receiver) = news.behind(last_id);
    let lag = (missed > 0).then_some(Err(missed));
    let first = stream::iter(lag.into_iter().chain(replayed.into_iter().map(Ok)));
    let news = Arc::clone(news);
    let events = first.chain(received(receiver)).filter_map(move |said| {
        // The place is free again when the stream is dropped.
        let _ = &place;
        let event = match &said {
            Ok(numbered) => news.event(numbered),
            Err(missed) => {
                let text = serde_json::to_string(&NodeEvent::Lagged { missed: *missed });
                text.ok().map(|text| Event::default().event("lagged").data(text))
            }
        };
        async move { event.map(Ok::<_, Infallible>) }
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;

    async fn heard(news: &News, peer: &Peer, notices: &broadcast::Sender<Notice>, count: usize) {
        let (_, _, mut receiver) = news.behind(None);
        for _ in 0..count {
            notices.send(Notice::PeerDown { peer: peer.clone() }).unwrap();
            receiver.recv().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_browser_takes_the_news_up_where_it_lost_them() {
        let (notices, receiver) = broadcast::channel(16);
        let news = News::start(receiver, 7);
        let peer = Peer::new("peer");
        heard(&news, &peer, &notices, 5).await;
        let numbers = |id: &str| news.behind(Some(id)).1.iter().map(|(number, _)| *number).collect::<Vec<_>>();
        assert_eq!(numbers("7-2"), [3, 4, 5]);
        assert_eq!(numbers("7-5"), [] as [u64; 0]);
        assert_eq!(news.behind(Some("7-2")).0, 0);
        assert_eq!(news.behind(Some("6-2")).0, 1, "news of another run were missed");
        assert_eq!(news.behind(Some("nonsense")).0, 0);
        heard(&news, &peer, &notices, REPLAYED_MAX).await;
        assert_eq!(news.behind(Some("7-2")).0, 3, "what fell out of the memory is said");
        assert_eq!(news.behind(Some("7-2")).1.len(), REPLAYED_MAX);
    }
}
