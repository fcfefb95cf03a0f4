//! A client that connects again: what it reports, what becomes of what is sent meanwhile, and how it ends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::hostile::{self, Peer, SWITCHING};
use crate::support::{AtEnd, PATIENCE, listen, own_loopback, server_frame, serving, wait_until};
use wshub::{
    ClientError, ClientEvent, ClientRequest, CloseError, DisconnectCause, Error, Limits,
    Reconnecting, SendErrorKind, Server,
};

const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(80);

fn reconnecting(addr: SocketAddr) -> Reconnecting {
    let client = Reconnecting::new(format!("ws://{addr}/")).unwrap();
    client.with_backoff(FIRST, LONGEST)
}

fn connected(client: &mut Reconnecting) {
    let event = client.next();
    assert!(
        matches!(event, Some(ClientEvent::Connected { .. })),
        "{event:?}"
    );
}

fn message(client: &mut Reconnecting) -> String {
    match client.next() {
        Some(ClientEvent::Message(message)) => message.as_text().unwrap().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn disconnected(client: &mut Reconnecting) -> (DisconnectCause, u64, Option<Duration>) {
    match client.next() {
        Some(ClientEvent::Disconnected {
            cause,
            sent,
            retry_in,
            ..
        }) => (cause, sent, retry_in),
        other => panic!("{other:?}"),
    }
}

/// A server of the test's own: it accepts one connection after another.
fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    hostile::open(&mut stream, format!("{SWITCHING}\r\n"));
    stream
}

#[test]
fn a_server_that_is_restarted() {
    let first = wshub::serve(own_loopback(), serving::echo).unwrap();
    let addr = first.local_addr().unwrap();
    let mut client = reconnecting(addr);
    let writer = client.writer();
    assert_eq!(
        writer.send("too early").unwrap_err().kind(),
        SendErrorKind::Closed
    );
    connected(&mut client);
    for text in ["one", "two"] {
        writer.send(text).unwrap();
        assert_eq!(message(&mut client), text);
    }
    first.shutdown();
    let (cause, sent, retry_in) = disconnected(&mut client);
    match &cause {
        DisconnectCause::Closed(close) => {
            assert_eq!((close.code, close.was_clean), (1001.into(), true))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(cause.to_string(), "the connection was closed: 1001");
    assert_eq!(sent, 2);
    assert!(retry_in.unwrap() <= FIRST);
    let given_back = writer.send("while it is down").unwrap_err();
    first.wait();

    // Nobody listens, for a while.
    let mut longest = Duration::ZERO;
    for _ in 0..5 {
        let (cause, sent, retry_in) = disconnected(&mut client);
        assert!(
            matches!(cause, DisconnectCause::Connect(ClientError::Connect(_))),
            "{cause:?}"
        );
        assert_eq!(sent, 0);
        longest = longest.max(retry_in.unwrap());
    }
    assert!(longest > FIRST && longest <= LONGEST, "{longest:?}");

    let server = Server::bind(addr).unwrap();
    let thread = thread::spawn(move || {
        for event in server.events() {
            if let wshub::Event::Message(connection, message) = event {
                connection.send(message).unwrap();
                server.handle().shutdown();
            }
        }
    });
    // It may have been asked once more before.
    wait_until("it is connected", || {
        matches!(client.next(), Some(ClientEvent::Connected { .. }))
    });
    writer.send(given_back.into_message()).unwrap();
    assert_eq!(message(&mut client), "while it is down");
    assert_eq!(disconnected(&mut client).1, 1);
    thread.join().unwrap();
}

#[test]
fn pauses_are_kept_and_begin_anew_after_a_connection_that_lasted() {
    // Connections that end at once have lasted less than that, also on a busy machine.
    const LONGEST: Duration = Duration::from_secs(2);
    let listener = listen();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut client = Reconnecting::new(url).unwrap().with_backoff(FIRST, LONGEST);
    let server = thread::spawn(move || {
        // Connections that end at once, then one that lasts.
        for _ in 0..3 {
            accept(&listener);
        }
        let mut stream = accept(&listener);
        // The client knows of it, and only then the time runs.
        let _ = stream.read(&mut [0; 1000]).unwrap();
        thread::sleep(LONGEST + LONGEST / 4);
        stream
            .write_all(&server_frame(true, 1, b"that was long"))
            .unwrap();
        drop(stream);
        drop(accept(&listener));
    });
    let (mut pauses, mut begun) = (Vec::new(), Instant::now());
    for _ in 0..3 {
        connected(&mut client);
        if let Some(pause) = pauses.last() {
            assert!(
                begun.elapsed() >= *pause - Duration::from_millis(1),
                "waited for {pause:?}"
            );
        }
        // The pause begins no sooner.
        begun = Instant::now();
        let (cause, _, retry_in) = disconnected(&mut client);
        assert!(matches!(cause, DisconnectCause::Closed(close) if close.code == 1006));
        pauses.push(retry_in.unwrap());
    }
    assert!(pauses[2] >= 2 * FIRST, "{pauses:?}");
    connected(&mut client);
    client.writer().send("here").unwrap();
    assert_eq!(message(&mut client), "that was long");
    assert!(disconnected(&mut client).2.unwrap() <= FIRST);
    connected(&mut client);
    server.join().unwrap();
}

#[test]
fn a_connection_that_had_to_be_given_up_says_why() {
    let limits = Limits {
        ping_interval: Some(FIRST),
        pong_timeout: FIRST,
        ..Limits::default()
    };
    let peer = Peer::new(|stream| hostile::answer(stream, format!("{SWITCHING}\r\n")));
    let request = ClientRequest::new(&peer.url()).unwrap().with_limits(limits);
    let mut client = Reconnecting::new(request).unwrap();
    connected(&mut client);
    let (cause, ..) = disconnected(&mut client);
    assert!(
        matches!(cause, DisconnectCause::Failed(Error::PongTimeout)),
        "{cause:?}"
    );
    peer.end();
}

#[test]
fn of_every_message_it_is_known_whether_it_was_sent() {
    let listener = listen();
    let mut client = reconnecting(listener.local_addr().unwrap());
    let writer = client.writer();
    const ROUNDS: usize = 20;
    let server = thread::spawn(move || {
        for _ in 0..ROUNDS {
            // Gone in the middle of the stream, with a reset or in order.
            let mut stream = accept(&listener);
            let _ = stream.read(&mut [0; 1000]);
        }
    });
    // Threads send as long as there is a server; each knows what was taken.
    let stop = Arc::new(AtomicBool::new(false));
    let over = AtEnd(|| stop.store(true, SeqCst));
    let senders: Vec<_> = (0..3)
        .map(|_| {
            let (writer, stop) = (writer.clone(), stop.clone());
            thread::spawn(move || {
                let mut taken = 0;
                while !stop.load(SeqCst) {
                    match writer.send("x".repeat(100)) {
                        Ok(()) => taken += 1,
                        Err(error) => {
                            assert_eq!(error.into_message().len(), 100);
                            thread::yield_now();
                        }
                    }
                }
                taken
            })
        })
        .collect();
    let (mut sent, mut rounds) = (0, 0);
    while rounds < ROUNDS {
        match client.next() {
            Some(ClientEvent::Connected { .. }) => {}
            Some(ClientEvent::Disconnected {
                cause, sent: now, ..
            }) => {
                assert!(!matches!(cause, DisconnectCause::Connect(_)), "{cause:?}");
                sent += now;
                rounds += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    drop(over);
    let taken: u64 = senders
        .into_iter()
        .map(|sender| sender.join().unwrap())
        .sum();
    assert_eq!(sent, taken);
    server.join().unwrap();
}

#[test]
fn a_close_ends_a_pause_at_once() {
    let addr = {
        let listener = TcpListener::bind(own_loopback()).unwrap();
        listener.local_addr().unwrap()
    };
    let client = Reconnecting::new(format!("ws://{addr}/")).unwrap();
    let mut client = client.with_backoff(10 * PATIENCE, 10 * PATIENCE);
    let (_, _, retry_in) = disconnected(&mut client);
    assert!(retry_in.unwrap() >= 5 * PATIENCE);
    let writer = client.writer();
    let begun = Instant::now();
    let closing = thread::spawn(move || {
        let reserved = writer.close(1006, "").unwrap_err();
        assert!(matches!(reserved, CloseError::ReservedCode(_)));
        writer.close(1000, "").unwrap();
        assert_eq!(writer.close(1000, ""), Err(CloseError::Closed));
    });
    assert!(client.next().is_none());
    assert!(client.next().is_none());
    assert!(begun.elapsed() < PATIENCE);
    closing.join().unwrap();
}

#[test]
fn a_close_closes_and_is_the_end() {
    let app = App::echo(Server::builder());
    let mut client = reconnecting(app.addr);
    let writer = client.writer();
    connected(&mut client);
    writer.send("last").unwrap();
    assert_eq!(message(&mut client), "last");
    writer.close(4001, "bye").unwrap();
    assert!(writer.send("later").is_err());
    let (cause, sent, retry_in) = disconnected(&mut client);
    assert!(
        matches!(cause, DisconnectCause::Closed(close) if close.was_clean && close.code == 4001)
    );
    assert_eq!((sent, retry_in), (1, None));
    assert!(client.next().is_none());
    app.expect(&["open", "text last", "close 4001 bye clean"]);

    // Before there is a connection: none is opened.
    let mut client = reconnecting(app.addr);
    client.writer().close(1000, "").unwrap();
    assert!(client.next().is_none());
}

#[test]
fn a_request_that_can_never_be_sent_is_not_tried_again() {
    let app = App::echo(Server::builder());
    let mut request = ClientRequest::new(&format!("ws://{}/", app.addr)).unwrap();
    for i in 0..10 {
        let value = "x".repeat(8_000);
        request = request.with_header(&format!("X-{i}"), &value).unwrap();
    }
    let mut client = Reconnecting::new(request).unwrap();
    let (cause, _, retry_in) = disconnected(&mut client);
    assert!(matches!(
        cause,
        DisconnectCause::Connect(ClientError::Request(_))
    ));
    assert_eq!(retry_in, None);
    assert!(client.next().is_none());
    assert!(Reconnecting::new("http://localhost/").is_err());
}

#[test]
fn who_is_dropped_leaves_its_server_and_its_writers_nothing() {
    let app = App::echo(Server::builder());
    let mut client = reconnecting(app.addr);
    let writer = client.writer();
    connected(&mut client);
    drop(client);
    app.expect(&["open", "close 1006  unclean"]);
    assert_eq!(writer.send("x").unwrap_err().kind(), SendErrorKind::Closed);
    assert_eq!(writer.close(1000, ""), Err(CloseError::Closed));
}

#[test]
fn a_server_that_says_when_is_not_asked_sooner() {
    for (value, expected) in [
        ("7", 7),
        ("99999999999999999999", 3600),
        ("soon", 0),
        ("", 0),
        // A date counts from that of the answer, whatever the clock here says.
        (
            "Sun, 06 Nov 1994 08:49:47 GMT\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT",
            10,
        ),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sun, 06 Nov 2994 08:49:37 GMT", 0),
        ("Thu, 06 Nov 2994 08:49:37 GMT", 3600),
    ] {
        let peer = Peer::new(move |stream| {
            let head = "HTTP/1.1 503 Full\r\nContent-Length: 0\r\nRetry-After: ";
            hostile::answer(stream, format!("{head}{value}\r\n\r\n"))
        });
        let mut client = Reconnecting::new(peer.url())
            .unwrap()
            .with_backoff(FIRST, LONGEST);
        let (cause, _, retry_in) = disconnected(&mut client);
        assert!(
            matches!(
                cause,
                DisconnectCause::Connect(ClientError::Status { status: 503, .. })
            ),
            "{cause:?}"
        );
        let (asked, retry_in) = (Duration::from_secs(expected), retry_in.unwrap());
        assert!(
            retry_in >= asked && retry_in <= asked + FIRST,
            "{value}: {retry_in:?}"
        );
        peer.end();
    }
}

#[test]
fn each_try_has_a_request_of_its_own() {
    let listener = listen();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let one = || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let head = hostile::open(&mut stream, format!("{SWITCHING}\r\n"));
            hostile::header(&head, "X-Try").unwrap().to_owned()
        };
        [one(), one()]
    });
    let mut made = 0;
    let client = Reconnecting::with(move |failures| {
        made += 1;
        match made {
            // The server of tokens is down.
            2 => Err("no token".into()),
            _ => Ok(ClientRequest::new(&url)?.with_header("X-Try", &format!("{made} {failures}"))?),
        }
    });
    let mut client = client.with_backoff(FIRST, LONGEST);
    connected(&mut client);
    disconnected(&mut client);
    let (cause, sent, retry_in) = disconnected(&mut client);
    assert_eq!(cause.to_string(), "there is no request to send: no token");
    assert!(
        matches!(cause, DisconnectCause::Connect(ClientError::NoRequest(_))),
        "{cause:?}"
    );
    assert_eq!((sent, retry_in.is_some()), (0, true));
    connected(&mut client);
    assert_eq!(server.join().unwrap(), ["1 0", "3 2"]);
}

#[cfg(feature = "deflate")]
#[test]
fn a_secret_is_sent_as_it_is_or_given_back() {
    let app = App::echo(Server::builder());
    let mut client = reconnecting(app.addr);
    let writer = client.writer();
    let early = writer.send_uncompressed("secret").unwrap_err();
    assert_eq!(early.kind(), SendErrorKind::Closed);
    assert_eq!(early.into_message(), "secret".into());
    connected(&mut client);
    writer.send_uncompressed("secret").unwrap();
    assert_eq!(message(&mut client), "secret");
}

#[test]
fn the_address_to_dial_is_apart_from_the_name() {
    let peer = Peer::new(|mut stream: TcpStream| {
        hostile::open(
            &mut stream,
            format!("{SWITCHING}X-Server: north\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n"),
        )
    });
    let url = peer.url();
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let request = ClientRequest::new("ws://device.invalid:7/feed")
        .unwrap()
        .with_address(address.parse().unwrap());
    let client = wshub::connect(request).unwrap();
    assert_eq!(client.peer_addr(), Some(address.parse().unwrap()));
    // What the server answered, as a browser does not show it.
    assert_eq!(client.response_header("x-server"), Some("north"));
    assert_eq!(client.response_header("x-other"), None);
    let cookies = client
        .response_headers()
        .filter(|(name, _)| *name == "Set-Cookie");
    let cookies: Vec<&[u8]> = cookies.map(|(_, value)| value).collect();
    assert_eq!(cookies, [b"a=1", b"b=2"]);
    drop(client);
    let head = peer.end();
    assert_eq!(hostile::header(&head, "Host"), Some("device.invalid:7"));
}
