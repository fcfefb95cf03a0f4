//! Hooks reach the server: to look at it and to broadcast, over streams in memory.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use crate::support::{PATIENCE, duplex, read_to_close, upgrade, wait_until};
use wshub::testing::{Client, Duplex};
use wshub::{
    Accept, Event, HookRequest, Message, RecvError, Reject, Request, Response, Server,
    ServerBuilder, ServerHandle,
};

fn peer(server: &ServerHandle) -> Duplex {
    let (ours, theirs) = duplex();
    server.attach(ours);
    theirs
}

fn get(server: &ServerHandle, path: &str) -> String {
    let mut peer = peer(server);
    write!(peer, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let answer = String::from_utf8(read_to_close(&mut peer)).unwrap();
    answer.split("\r\n\r\n").nth(1).unwrap().to_owned()
}

/// Every hook, each with what it does to the server.
fn with_hooks() -> ServerBuilder {
    Server::builder()
        .origin_rule(|_, request| request.server().connections().is_empty())
        .accept(|request| match request.server().stats().connections {
            0..2 => Ok(Accept::new()),
            _ => Err(Reject::forbidden().with_body("two are enough")),
        })
        .http(|request| match request.path() {
            "/tell" => {
                let told = request.server().broadcast("told by the hook");
                Response::text(told.sent.to_string())
            }
            _ => Response::text(request.server().connections().len().to_string()),
        })
}

#[test]
fn each_hook_reaches_the_server() {
    let server = with_hooks().without_listener().unwrap();
    let (handle, mut events) = (server.handle(), server.events());
    assert_eq!(get(&handle, "/"), "0");

    let origin = [("Origin", "https://elsewhere.example")];
    let mut ann = Client::open_with(peer(&handle), "/", &origin).unwrap();
    assert!(matches!(events.recv_timeout(PATIENCE), Ok(Event::Open(_))));
    // Somebody is there: the origin rule lets no other in.
    assert!(Client::open_with(peer(&handle), "/", &origin).is_err());
    let _bob = Client::open(peer(&handle), "/").unwrap();
    assert!(matches!(events.recv_timeout(PATIENCE), Ok(Event::Open(_))));
    let refused = Client::open(peer(&handle), "/").unwrap_err();
    assert!(refused.to_string().contains("two are enough"), "{refused}");

    assert_eq!(get(&handle, "/"), "2");
    assert_eq!(get(&handle, "/tell"), "2");
    assert_eq!(
        ann.read_message().unwrap(),
        Some(Message::from("told by the hook"))
    );
}

#[test]
fn a_hook_may_shut_the_server_down() {
    let server = Server::builder()
        .http(|request| {
            request.server().shutdown();
            Response::text("bye")
        })
        .without_listener()
        .unwrap();
    assert_eq!(get(&server.handle(), "/"), "bye");
    let ended = server.events().recv_timeout(PATIENCE);
    assert_eq!(ended.unwrap_err(), RecvError::Ended);
    assert_eq!(server.shutdown().threads_left, 0);
}

#[test]
fn a_closure_of_its_own_thread_reaches_it_too() {
    let serve = Server::builder().serve("127.0.0.1:0", |mut session| {
        while let Some(message) = session.read()? {
            session.server().broadcast(message);
        }
        Ok(())
    });
    let handle = serve.unwrap();
    let mut ann = Client::open(peer(&handle), "/").unwrap();
    ann.send_text("hello").unwrap();
    assert_eq!(ann.read_message().unwrap(), Some("hello".into()));
    handle.terminate();
    handle.wait();
}

/// What the hooks have is given back with the server: no handle that they were lent keeps it.
#[test]
fn a_dropped_server_is_gone_with_its_hooks() {
    let kept = Arc::new(());
    let (own, other) = (kept.clone(), kept.clone());
    let server = Server::builder()
        .accept(move |request| {
            let _ = (&own, request.server().stats());
            Ok(Accept::new())
        })
        .http(move |request| {
            let _ = (&other, request.server().stats());
            Response::not_found()
        })
        .without_listener()
        .unwrap();
    get(&server.handle(), "/");
    let client = Client::open(peer(&server.handle()), "/").unwrap();
    assert!(matches!(
        server.events().recv_timeout(PATIENCE),
        Ok(Event::Open(_))
    ));
    server.handle().terminate();
    drop((server, client));
    wait_until("the hooks are dropped", || Arc::strong_count(&kept) == 1);
}

/// Over a stream of a user's own there is none: a handle that does nothing, and never waits.
#[test]
fn without_a_server_the_handle_is_of_none() {
    let (lent, lends) = channel();
    let lent = Mutex::new(lent);
    let options = Server::builder().accept(move |request| {
        lent.lock().unwrap().send(request.server().clone()).unwrap();
        Ok(Accept::new())
    });
    let (ours, mut theirs) = duplex();
    theirs
        .write_all(upgrade("localhost", "/", "").as_bytes())
        .unwrap();
    let _ws = options.websocket(ours).unwrap();
    let server = lends.recv_timeout(PATIENCE).unwrap();
    assert_eq!(server.stats(), Default::default());
    assert!(server.connections().is_empty());
    assert_eq!(server.broadcast("nobody hears it"), Default::default());
    assert!(server.local_addr().is_err());
    let (ours, mut theirs) = duplex();
    server.attach(ours);
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
    server.wake();
    server.shutdown();
    server.terminate();
    assert_eq!(server.wait(), Default::default());
}

#[test]
fn a_hook_is_tested_alone() {
    fn accept(request: &HookRequest<'_>) -> Result<Accept, Reject> {
        match request.server().stats().connections {
            0 => Ok(Accept::new()),
            _ => Err(Reject::forbidden()),
        }
    }
    let server = Server::builder().without_listener().unwrap();
    let request = Request::parse(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let handle = server.handle();
    let asked = HookRequest::new(&request, &handle);
    assert!(accept(&asked).is_ok());
    assert_eq!(
        (asked.path(), asked.peer_addr()),
        ("/a", None::<SocketAddr>)
    );
}
