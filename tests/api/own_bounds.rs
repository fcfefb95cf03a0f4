//! What the accept hook chooses for one connection, in place of what goes for its server: over streams in memory.

use crate::support::{PATIENCE, duplex};
use wshub::testing::{Client, Duplex};
use wshub::{
    Accept, CloseCode, Connection, Event, Events, HookRequest, Limits, Overflow, SendErrorKind,
    Server, ServerBuilder,
};

/// A live feed, a download and the rest, on one server.
fn builder() -> ServerBuilder {
    let limits = Limits {
        outbound_per_connection: Some(256 << 10),
        max_message: 4 << 10,
        ..Limits::default()
    };
    Server::builder().limits(limits).accept(|request| {
        let accept = Accept::new();
        Ok(match request.path() {
            "/feed" => accept.with_overflow(Overflow::DropOldest),
            "/download" => accept.with_overflow(Overflow::Refuse),
            "/upload" => accept.with_max_message(1 << 20),
            "/words" => accept.with_max_message(16),
            _ => accept,
        })
    })
}

fn join(server: &Server, events: &mut Events<'_>, path: &str) -> (Connection, Client<Duplex>) {
    let (ours, theirs) = duplex();
    server.attach(ours);
    let client = Client::open(theirs, path).unwrap();
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Open(connection)) => (connection, client),
        other => panic!("{other:?}"),
    }
}

fn chunk(n: u32) -> Vec<u8> {
    let mut chunk = vec![0; 8 << 10];
    chunk[..4].copy_from_slice(&n.to_be_bytes());
    chunk
}

fn number(client: &mut Client<Duplex>) -> u32 {
    let message = client.read_message().unwrap().expect("a message");
    u32::from_be_bytes(message.as_bytes()[..4].try_into().unwrap())
}

/// The feed leaves something out and says the latest; the download loses nothing; the default gives its peer up.
#[test]
fn a_feed_that_drops_and_a_download_that_loses_nothing_are_on_one_server() {
    const CHUNKS: u32 = 100;
    let server = builder().without_listener().unwrap();
    let mut events = server.events();
    let (feed, mut watcher) = join(&server, &mut events, "/feed");
    let (download, mut reader) = join(&server, &mut events, "/download");
    let (other, _reads_nothing) = join(&server, &mut events, "/");

    (0..CHUNKS).for_each(|n| feed.send(chunk(n)).unwrap());
    let dropped = server.stats().dropped;
    assert!(dropped > 0);
    let seen = std::thread::spawn(move || {
        let mut seen = vec![number(&mut watcher)];
        while seen.last() != Some(&(CHUNKS - 1)) {
            seen.push(number(&mut watcher));
        }
        (seen, watcher)
    });

    let mut next = 0;
    let refused = loop {
        match download.send(chunk(next)) {
            Ok(()) => next += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), SendErrorKind::Full);
    assert!(next < CHUNKS);
    let read = std::thread::spawn(move || Vec::from_iter((0..CHUNKS).map(|_| number(&mut reader))));
    while next < CHUNKS {
        match events.recv_timeout(PATIENCE).unwrap() {
            Event::Drained(it) => assert_eq!(it, download),
            event => panic!("{event:?}"),
        }
        while next < CHUNKS && download.send(chunk(next)).is_ok() {
            next += 1;
        }
    }
    assert_eq!(read.join().unwrap(), Vec::from_iter(0..CHUNKS));
    assert_eq!(
        server.stats().dropped,
        dropped,
        "the download loses nothing"
    );
    let (seen, _watcher) = seen.join().unwrap();
    assert_eq!(seen.len() as u64 + dropped, u64::from(CHUNKS));

    let refused = (0..CHUNKS).find_map(|n| other.send(chunk(n)).err());
    assert_eq!(refused.unwrap().kind(), SendErrorKind::SlowConsumer);
}

/// The code of the Close that a message of so many bytes is answered with; `None`: it was taken.
fn refusal_of(len: usize, path: &str) -> Option<CloseCode> {
    let server = builder().without_listener().unwrap();
    let mut events = server.events();
    let (_, mut client) = join(&server, &mut events, path);
    // What is too big is refused before all of it was taken.
    let _ = client.send_binary(&vec![7; len]);
    loop {
        match events.recv_timeout(PATIENCE).unwrap() {
            Event::Message(_, message) => {
                assert_eq!(message.len(), len);
                return None;
            }
            Event::Close(..) => return Some(client.read_frame().unwrap().close().unwrap().0),
            _ => {}
        }
    }
}

#[test]
fn the_longest_message_is_each_connections_own() {
    let too_big = Some(CloseCode::MESSAGE_TOO_BIG);
    assert_eq!(refusal_of(4 << 10, "/"), None);
    assert_eq!(refusal_of((4 << 10) + 1, "/"), too_big);
    assert_eq!(refusal_of(1 << 20, "/upload"), None);
    assert_eq!(refusal_of((1 << 20) + 1, "/upload"), too_big);
    assert_eq!(refusal_of(16, "/words"), None);
    assert_eq!(refusal_of(17, "/words"), too_big);
}

/// In the closure form, too, and over a stream without a server.
#[test]
fn the_other_forms_take_what_the_hook_chose() {
    let accept = |request: &HookRequest<'_>| match request.path() {
        "/upload" => Ok(Accept::new().with_max_message(1 << 20)),
        _ => Ok(Accept::new()),
    };
    let limits = Limits {
        max_message: 16,
        ..Limits::default()
    };
    let builder = Server::builder().limits(limits).accept(accept);
    let (ours, theirs) = duplex();
    let client = std::thread::spawn(move || {
        let mut client = Client::open(theirs, "/upload").unwrap();
        client.send_binary(&[7; 1000]).unwrap();
        client
    });
    let mut ws = builder.websocket(ours).unwrap();
    assert_eq!(ws.read().unwrap().unwrap().len(), 1000);
    drop(client.join().unwrap());

    let handle = builder
        .serve("127.0.0.1:0", |mut ws| {
            while let Some(message) = ws.read()? {
                ws.send(message.len().to_string())?;
            }
            Ok(())
        })
        .unwrap();
    let stream = std::net::TcpStream::connect(handle.local_addr().unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut client = Client::open(stream, "/upload").unwrap();
    client.send_binary(&[7; 1000]).unwrap();
    assert_eq!(client.read_message().unwrap(), Some("1000".into()));
    handle.shutdown();
    handle.wait();
}
