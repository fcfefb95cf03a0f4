//! What the accept hook keeps with a connection, and who is there: over streams in memory.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;

use crate::support::{PATIENCE, duplex, read_to_close, throw, upgrade, wait_until};
use wshub::testing::{Client, Duplex};
use wshub::{Accept, Connection, Event, Events, Request, Server, ServerBuilder};

struct User {
    name: String,
    sent: AtomicUsize,
}

/// Lets in who has a name, and keeps it.
fn with_users() -> ServerBuilder {
    Server::builder().accept(|request| Ok(Accept::new().with_data(user(request))))
}

fn user(request: &Request) -> User {
    User {
        name: request.header("x-name").unwrap_or("nobody").to_owned(),
        sent: AtomicUsize::new(0),
    }
}

fn join(server: &Server, events: &mut Events<'_>, name: &str) -> (Connection, Client<Duplex>) {
    let (ours, theirs) = duplex();
    server.attach(ours);
    let client = Client::open_with(theirs, "/", &[("X-Name", name)]).unwrap();
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Open(connection)) => (connection, client),
        other => panic!("{other:?}"),
    }
}

fn name(connection: &Connection) -> &str {
    &connection.data::<User>().unwrap().name
}

#[test]
fn what_the_hook_found_out_stays_with_the_connection() {
    let server = with_users().without_listener().unwrap();
    let mut events = server.events();
    let (ann, mut client) = join(&server, &mut events, "ann");
    let (bob, _bob) = join(&server, &mut events, "bob");
    assert_eq!((name(&ann), name(&bob)), ("ann", "bob"));
    assert!(ann.data::<String>().is_none());

    client.send_text("hello").unwrap();
    client.send_frame(true, 8, &[]).unwrap();
    while let Ok(event) = events.recv_timeout(PATIENCE) {
        let user: &User = event.connection().data().unwrap();
        assert_eq!(user.name, "ann");
        match event {
            Event::Message(..) => _ = user.sent.fetch_add(1, SeqCst),
            Event::Close(..) => break,
            other => panic!("{other:?}"),
        }
    }
    // A handle outlives its connection, and so does what it keeps.
    assert_eq!(ann.data::<User>().unwrap().sent.load(SeqCst), 1);
}

#[test]
fn without_data_there_is_none() {
    let server = Server::builder().without_listener().unwrap();
    let (connection, _client) = join(&server, &mut server.events(), "ann");
    assert!(connection.data::<User>().is_none());
    assert!(connection.data::<()>().is_none());
}

#[test]
fn the_last_value_counts() {
    let accept = Accept::new().with_data("a name").with_data(7_u32);
    assert_eq!(accept.data(), Some(&7_u32));
    assert_eq!(accept.data::<&str>(), None);
    // Whatever it is, it may be secret.
    assert!(!format!("{accept:?}").contains('7'));
}

#[test]
fn own_threads_and_streams_have_it_too() {
    let (told, names) = channel();
    let serve = with_users().serve("127.0.0.1:0", move |session| {
        let own = session.data::<User>().unwrap();
        told.send((own.name.clone(), name(session.connection()).to_owned()))
            .unwrap();
        Ok(())
    });
    let handle = serve.unwrap();
    let (ours, theirs) = duplex();
    handle.attach(ours);
    let _client = Client::open_with(theirs, "/", &[("X-Name", "ann")]).unwrap();
    let both = names.recv_timeout(PATIENCE).unwrap();
    assert_eq!(both, ("ann".to_owned(), "ann".to_owned()));

    let (ours, mut theirs) = duplex();
    let request = upgrade("localhost", "/", "X-Name: bob\r\n");
    theirs.write_all(request.as_bytes()).unwrap();
    let ws = with_users().websocket(ours).unwrap();
    assert_eq!(ws.data::<User>().unwrap().name, "bob");
    let (reader, _writer) = ws.split();
    assert_eq!(reader.data::<User>().unwrap().name, "bob");
    handle.shutdown();
}

#[test]
fn a_destructor_that_panics_costs_nobody_anything() {
    struct Bad(Arc<AtomicUsize>);
    impl Drop for Bad {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
            throw();
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = dropped.clone();
    let server = Server::builder()
        .accept(move |_| Ok(Accept::new().with_data(Bad(count.clone()))))
        .without_listener()
        .unwrap();
    let mut events = server.events();
    for expected in 1..=3 {
        let (connection, client) = join(&server, &mut events, "ann");
        drop((connection, client));
        while !matches!(events.recv_timeout(PATIENCE), Ok(Event::Close(..))) {}
        wait_until("the last handle is gone", || {
            dropped.load(SeqCst) == expected
        });
    }
    assert_eq!(server.shutdown().threads_left, 0);
}

#[test]
fn a_refused_client_leaves_no_data() {
    let kept = Arc::new(());
    let given = kept.clone();
    let server = Server::builder()
        .accept(move |_| {
            let accept = Accept::new().with_data(given.clone());
            Ok(accept.with_subprotocol("not-offered")?)
        })
        .without_listener()
        .unwrap();
    let (ours, mut theirs) = duplex();
    server.attach(ours);
    theirs
        .write_all(upgrade("localhost", "/", "").as_bytes())
        .unwrap();
    assert!(read_to_close(&mut theirs).starts_with(b"HTTP/1.1 500 "));
    wait_until("it is dropped", || Arc::strong_count(&kept) == 2);
}

// What is hashed, the id, never changes.
#[allow(clippy::mutable_key_type)]
#[test]
fn a_connection_keys_a_map() {
    let server = with_users().without_listener().unwrap();
    let mut events = server.events();
    let (ann, _a) = join(&server, &mut events, "ann");
    let (bob, _b) = join(&server, &mut events, "bob");
    let mut scores: HashMap<Connection, u32> = HashMap::new();
    for connection in [&ann, &bob, &ann] {
        *scores.entry(connection.clone()).or_default() += 1;
    }
    assert_eq!((scores[&ann], scores[&bob]), (2, 1));
}

#[test]
fn connections_are_those_that_are_open_the_oldest_first() {
    let server = with_users().without_listener().unwrap();
    let mut events = server.events();
    let names = || -> Vec<String> {
        let open = server.connections();
        open.iter().map(|it| name(it).to_owned()).collect()
    };
    assert!(names().is_empty());
    let joined: Vec<_> = ["ann", "bob", "eve"]
        .into_iter()
        .map(|name| join(&server, &mut events, name))
        .collect();
    assert_eq!(names(), ["ann", "bob", "eve"]);
    assert_eq!(server.handle().connections(), server.connections());

    joined[1].0.terminate();
    while !matches!(events.recv_timeout(PATIENCE), Ok(Event::Close(..))) {}
    assert_eq!(names(), ["ann", "eve"]);
    server.handle().terminate();
    while events.recv_timeout(PATIENCE).is_ok() {}
    assert!(names().is_empty());
}

/// As for broadcasts: from its Open on, as the application takes it.
#[test]
fn who_waits_to_be_announced_is_not_among_them() {
    let server = with_users().without_listener().unwrap();
    let (ours, theirs) = duplex();
    server.attach(ours);
    let _client = Client::open(theirs, "/").unwrap();
    wait_until("it has opened", || server.stats().opened == 1);
    assert!(server.connections().is_empty());
    server.events().recv_timeout(PATIENCE).unwrap();
    assert_eq!(server.connections().len(), 1);
}

#[test]
fn one_is_found_by_its_number_while_it_is_open() {
    let server = with_users().without_listener().unwrap();
    let mut events = server.events();
    let (one, _client) = join(&server, &mut events, "one");
    let (two, gone) = join(&server, &mut events, "two");
    assert_eq!(server.connection(one.id()), Some(one));
    assert_eq!(server.connection(two.id()).as_ref(), Some(&two));
    assert_eq!(server.connection(two.id() + 1), None);
    drop(gone);
    wait_until("it has ended", || server.connection(two.id()).is_none());
}
