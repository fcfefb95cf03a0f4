//! A chat on several servers at once, which a running Redis makes one: start it twice, and end one of the two.
//!
//! `cargo run --release --features redis --example cluster -- 127.0.0.1:9001`
//! `cargo run --release --features redis --example cluster -- 127.0.0.1:9002`, then open both addresses in a browser.
//!
//! With a Redis that sentinels watch: `... -- 127.0.0.1:9001 redis://mymaster redis://127.0.0.1:26379`, and more of them.

mod support;

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use wshub::{
    BackplaneError, CatchUpError, Cluster, ClusterEvent, Connection, Event, NodeId, RecvError,
    Redis, Response, Room, Server,
};

/// How often the pages of other servers are counted anew, where nothing else happens.
const REFRESH: Duration = Duration::from_secs(1);
/// Lines of the chat that are remembered for pages that come later.
const HISTORY: usize = 100;
const PAGE: &str = concat!(
    include_str!("support/head.html"),
    include_str!("cluster.html")
);

fn main() -> ExitCode {
    let about =
        "REDIS is redis://127.0.0.1/ by default; with SENTINELs its host is what they call it.\n";
    support::run_with("[ADDRESS [REDIS [SENTINEL...]]]", about, |addr| {
        let redis = redis().map_err(io::Error::other)?;
        let server = Server::builder()
            // When a server ends, its pages go to another one: they are of this machine, and of another port.
            .origin_rule(|origin, _| is_of_this_machine(origin))
            .http(|request| match request.path() {
                "/" => Response::html(PAGE),
                _ => Response::not_found(),
            })
            .bind(addr)?;
        let own = format!("localhost:{}", server.local_addr()?.port());
        let cluster = Cluster::builder().history(HISTORY).join(&server, redis)?;
        support::announce(server.local_addr()?, server.handle())?;
        chat(&server, &cluster, &own);
        Ok(())
    })
}

fn redis() -> Result<Redis, BackplaneError> {
    let mut urls = std::env::args().skip(2);
    let redis = urls.next();
    let redis = redis.as_deref().unwrap_or("redis://127.0.0.1/");
    match urls.len() {
        0 => Redis::new(redis),
        _ => Redis::with_sentinels(redis, urls),
    }
}

fn is_of_this_machine(origin: &str) -> bool {
    let place = origin.strip_prefix("http://");
    let host = place.and_then(|place| place.rsplit_once(':'));
    matches!(host, Some(("localhost" | "127.0.0.1", _)))
}

/// Until the server has shut down. A page is told, a line each: `you SERVER`, `servers SERVER=PAGES ...`, `news TEXT`,
/// `say ID SERVER TEXT`.
fn chat(server: &Server, cluster: &Cluster, own: &str) {
    // Where the nodes are, as they tell each other.
    let mut places = BTreeMap::from([(cluster.id(), own.to_owned())]);
    let mut shown = String::new();
    let room = cluster.group("chat");
    let mut events = server.events();
    loop {
        match events.recv_timeout(REFRESH) {
            Ok(Event::Open(page)) => {
                let _ = page.send(format!("you {own}"));
                let _ = page.send(servers(cluster, &places));
                enter(&room, &page);
            }
            Ok(Event::Message(_, message)) => {
                let text = message.as_text().unwrap_or("(no text)");
                // While Redis is away the pages here get a line at once, and the history does not.
                let sent = match cluster.is_attached() {
                    true => room.post(|id| format!("say {id} {own} {text}")).map(drop),
                    false => room.broadcast(format!("say - {own} {text}")).map(drop),
                };
                if let Err(error) = sent {
                    log::warn!("{error}");
                }
            }
            Ok(_) | Err(RecvError::Empty) => {}
            Err(RecvError::Woken) => {
                for event in cluster.events() {
                    if let Some(news) = take(event, cluster, own, &mut places) {
                        log::info!("{news}");
                        server.broadcast(format!("news {news}"));
                    }
                }
            }
            Err(_) => return,
        }
        let now = servers(cluster, &places);
        if now != shown {
            server.broadcast(now.as_str());
            shown = now;
        }
    }
}

/// With what the page missed since the line that it names, as in `/?last=ID`; or else with the last lines.
fn enter(room: &Room, page: &Connection) {
    let last = page.request().query("last").and_then(|id| id.parse().ok());
    let entered = match last.map(|last| room.catch_up(page, last)) {
        Some(Err(CatchUpError::Gone)) => {
            let _ = page.send("news lines are missing here");
            room.join_with_history(page, HISTORY)
        }
        Some(entered) => entered,
        None => room.join_with_history(page, HISTORY),
    };
    if let Err(error) = entered {
        log::warn!("a page does not hear the chat: {error}");
        // It comes again.
        let _ = page.close(1013, "try again");
    }
}

/// Something happened between the servers: what the pages here are told of it.
fn take(
    event: ClusterEvent,
    cluster: &Cluster,
    own: &str,
    places: &mut BTreeMap<NodeId, String>,
) -> Option<String> {
    Some(match event {
        ClusterEvent::NodeJoined(node) => {
            // An error says that this node has left.
            let _ = cluster.send(Some(node), own);
            return None;
        }
        ClusterEvent::Message { node, message } => {
            let place = message.as_text()?.to_owned();
            let news = format!("{place} joined");
            places.insert(node, place);
            news
        }
        ClusterEvent::NodeLeft(node) => format!("{} left", places.remove(&node)?),
        ClusterEvent::Gap { missing, .. } => {
            format!("{missing} messages of another server are lost")
        }
        ClusterEvent::Unsent { messages } => {
            format!("{messages} messages did not leave this server")
        }
        ClusterEvent::Detached { reason } => format!("alone: {reason}"),
        ClusterEvent::Attached => "in touch with the other servers".to_owned(),
        _ => return None,
    })
}

fn servers(cluster: &Cluster, places: &BTreeMap<NodeId, String>) -> String {
    let mut line = "servers".to_owned();
    for node in cluster.nodes() {
        if let Some(place) = places.get(&node.id) {
            line += &format!(" {place}={}", node.connections);
        }
    }
    line
}
