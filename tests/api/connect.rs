//! A client by its URL: the way to the server, what a hostile one is answered, and that no wait is without its end.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::hostile::{self, Peer, SWITCHING, header, proxy};
use crate::support::{PATIENCE, frame, own_loopback, read_head, server_frame};
use wshub::{
    Client, ClientError, ClientRequest, Error, InvalidAnswer, InvalidUrl, Limits, Proxy,
    ProxyError, SendErrorKind, Server, Violation, connect,
};

const SOON: Duration = Duration::from_millis(200);

fn request(url: &str) -> ClientRequest {
    ClientRequest::new(url).unwrap()
}

fn with_limits(url: &str, limits: Limits) -> ClientRequest {
    request(url).with_limits(limits)
}

/// Gives up so soon on a server that does not answer.
fn within(handshake_timeout: Duration, url: &str) -> ClientRequest {
    let limits = Limits {
        handshake_timeout,
        ..Limits::default()
    };
    with_limits(url, limits)
}

/// How long to wait for a failure: soon, only where it is the deadline. A busy machine answers late.
fn patience(is_timeout: bool) -> Duration {
    match is_timeout {
        true => SOON,
        false => PATIENCE,
    }
}

fn refused(request: ClientRequest) -> ClientError {
    connect(request).expect_err("no WebSocket")
}

/// Nobody listens there.
fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind(own_loopback()).unwrap();
    listener.local_addr().unwrap()
}

#[test]
fn a_client_and_the_server() {
    let app = App::echo(Server::builder().subprotocols(["v1"]));
    let url = format!("ws://{}/path?query", app.addr);
    let request = request(&url).with_subprotocol("v1").unwrap();
    let mut client = connect(request).unwrap();
    assert_eq!(client.protocol(), Some("v1"));
    assert_eq!(client.request().path(), "/path");
    assert_eq!(client.peer_addr(), Some(app.addr));
    client.send("grüße").unwrap();
    assert_eq!(client.read_timeout(PATIENCE).unwrap(), Some("grüße".into()));
    client.ping().unwrap();
    let long = vec![7; 1 << 20];
    client.send(long.clone()).unwrap();
    assert_eq!(client.read_timeout(PATIENCE).unwrap(), Some(long.into()));
    client.close(4000, "done").unwrap();
    assert_eq!(client.read().unwrap(), None);
    assert!(client.close_event().unwrap().was_clean);
    assert_eq!(
        client.send("late").unwrap_err().kind(),
        SendErrorKind::Closed
    );
    app.expect(&[
        "open",
        "text grüße",
        "binary 1048576 bytes",
        "close 4000 done clean",
    ]);

    let (mut reader, mut writer) = connect(&url).unwrap().split();
    let sending = thread::spawn(move || {
        for i in 0..1_000 {
            writer.send(format!("{i}")).unwrap();
        }
        writer
    });
    for i in 0..1_000 {
        assert_eq!(
            reader.read_timeout(PATIENCE).unwrap(),
            Some(format!("{i}").into())
        );
    }
    assert_eq!(sending.join().unwrap().sent(), 1_000);
}

#[test]
fn several_threads_send_over_one_connection() {
    let app = App::echo(Server::builder());
    let (mut reader, writer) = connect(format!("ws://{}/", app.addr)).unwrap().split();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let mut writer = writer.clone();
            thread::spawn(move || {
                for i in 0..100 {
                    writer.send(format!("{thread} {i}")).unwrap();
                }
            })
        })
        .collect();
    let mut next = [0; 4];
    for _ in 0..400 {
        let message = reader.read_timeout(PATIENCE).unwrap().unwrap();
        let (thread, i) = message.as_text().unwrap().split_once(' ').unwrap();
        let thread: usize = thread.parse().unwrap();
        assert_eq!(i, next[thread].to_string(), "each thread's in its order");
        next[thread] += 1;
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(writer.sent(), 400);
}

#[test]
fn a_url_or_a_request_that_cannot_be_used() {
    for (url, error) in [
        ("localhost:9001", InvalidUrl::Scheme),
        ("ws://user:secret@h/", InvalidUrl::Credentials),
    ] {
        assert!(matches!(connect(url), Err(ClientError::Url(found)) if found == error));
    }
    let app = App::echo(Server::builder());
    let mut long = request(&format!("ws://{}/", app.addr));
    for i in 0..10 {
        let value = "x".repeat(8_000);
        long = long.with_header(&format!("X-{i}"), &value).unwrap();
    }
    assert!(matches!(refused(long), ClientError::Request(_)));
}

/// RFC 6874: the zone goes to the system, which knows the interface by it.
#[test]
fn an_address_of_a_link_is_dialled_through_its_zone() {
    // The first interface is the loopback, where nobody has this address.
    let request = request("ws://[fe80::5%251]:9/").with_connect_timeout(Duration::from_secs(1));
    match refused(request) {
        ClientError::Connect(failures) => match failures[..] {
            [(SocketAddr::V6(addr), _)] => {
                assert_eq!((addr.ip().to_string(), addr.port()), ("fe80::5".into(), 9));
                assert_eq!(addr.scope_id(), 1);
            }
            _ => panic!("{failures:?}"),
        },
        other => panic!("{other:?}"),
    }
    let unknown = connect("ws://[fe80::5%25no-such-interface]:9/");
    assert!(
        matches!(unknown, Err(ClientError::Lookup { .. })),
        "{unknown:?}"
    );
}

#[cfg(not(feature = "tls"))]
#[test]
fn wss_without_tls_says_what_to_turn_on() {
    let error = refused(request("wss://127.0.0.1:1/"));
    assert!(matches!(error, ClientError::TlsFeature));
    assert!(error.to_string().contains("`tls`"), "{error}");
}

/// What a server does, the error that comes of it, and a part of its text.
type Case = (fn(TcpStream), fn(&ClientError) -> bool, &'static str);

const HOSTILE: &[Case] = &[
    (
        |stream| {
            drop(hostile::answer(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            ))
        },
        |error| matches!(error, ClientError::Status { status: 200, body, .. } if body == "hello"),
        "200 OK: hello",
    ),
    (
        |stream| {
            drop(hostile::answer(
                stream,
                "HTTP/1.1 301 x\r\nLocation: ws://h/\r\n\r\n",
            ))
        },
        |error| matches!(error, ClientError::Status { status: 301, location: Some(to), .. } if to == "ws://h/"),
        "redirects are not followed, connect to \"ws://h/\"",
    ),
    (
        |stream| {
            drop(hostile::answer(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: /\x1b[2J\r\n\r\n",
            ))
        },
        |error| matches!(error, ClientError::Answer(InvalidAnswer::Malformed(_))),
        "control character",
    ),
    (
        |stream| {
            drop(hostile::answer(
                stream,
                "HTTP/1.1 401 x\r\nWWW-Authenticate: Basic\r\n\r\n",
            ))
        },
        |error| {
            matches!(
                error,
                ClientError::Status {
                    status: 401,
                    location: None,
                    ..
                }
            )
        },
        "401 Unauthorized",
    ),
    (
        |stream| {
            drop(hostile::answer(
                stream,
                format!("{SWITCHING}\r\n").replace("{accept}", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ))
        },
        |error| matches!(error, ClientError::Answer(InvalidAnswer::Accept)),
        "Sec-WebSocket-Accept",
    ),
    (
        |stream| {
            drop(hostile::answer(
                stream,
                format!("{SWITCHING}Sec-WebSocket-Extensions: x-made-up\r\n\r\n"),
            ))
        },
        |error| matches!(error, ClientError::Answer(InvalidAnswer::Extension { .. })),
        "was not offered",
    ),
    (
        |stream| {
            drop(hostile::answer(
                stream,
                format!("{SWITCHING}Sec-WebSocket-Protocol: v9\r\n\r\n"),
            ))
        },
        |error| {
            matches!(
                error,
                ClientError::Answer(InvalidAnswer::Subprotocol { .. })
            )
        },
        "was not offered",
    ),
    (
        |stream| drop(hostile::answer(stream, "SSH-2.0-OpenSSH_9.2\r\n")),
        |error| matches!(error, ClientError::Answer(InvalidAnswer::NotHttp)),
        "check host and port",
    ),
    (
        |stream| drop(hostile::answer(stream, b"\x15\x03\x01\x00\x02\x02\x46")),
        |error| matches!(error, ClientError::Answer(InvalidAnswer::Tls)),
        "wss://",
    ),
    (
        |stream| hostile::drip(stream, "HTTP/1.1 101 x\r\n", "X: y\r\n", Duration::ZERO),
        |error| {
            matches!(
                error,
                ClientError::Answer(InvalidAnswer::TooManyHeaders { .. })
            )
        },
        "max_headers",
    ),
    (
        |stream| {
            hostile::drip(
                stream,
                "HTTP/1.1 101 x\r\nX: ",
                "y",
                Duration::from_millis(10),
            )
        },
        |error| matches!(error, ClientError::Timeout),
        "in time",
    ),
    (
        |mut stream| {
            let endless = format!("HTTP/1.1 200 {}", "y".repeat(1 << 20));
            let _ = stream.write_all(endless.as_bytes());
        },
        |error| {
            matches!(
                error,
                ClientError::Answer(InvalidAnswer::HeadTooLarge { .. })
            )
        },
        "max_head",
    ),
    (
        |stream| {
            let interim = "HTTP/1.1 102 Processing\r\n\r\n";
            hostile::drip(stream, interim, interim, Duration::ZERO)
        },
        |error| matches!(error, ClientError::Status { status: 102, .. }),
        "102",
    ),
    (
        hostile::silence,
        |error| matches!(error, ClientError::Timeout),
        "in time",
    ),
    (
        |mut stream| {
            read_head(&mut stream).unwrap();
        },
        |error| matches!(error, ClientError::ServerLeft),
        "check that host and port",
    ),
    (
        hostile::reset,
        |error| matches!(error, ClientError::Io(_)),
        "the opening handshake failed",
    ),
];

#[test]
fn hostile_servers_get_no_websocket() {
    for (behave, is_expected, says) in HOSTILE {
        let peer = Peer::new(behave);
        let begun = Instant::now();
        let patience = patience(is_expected(&ClientError::Timeout));
        let error = refused(within(patience, &peer.url()));
        assert!(is_expected(&error), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(begun.elapsed() < 2 * PATIENCE);
        peer.end();
    }
}

#[test]
fn a_server_that_drips_is_left_at_the_deadline_of_the_whole_handshake() {
    // Each byte comes long before the deadline, and the head never ends.
    let peer = Peer::new(|stream| hostile::drip(stream, "", "H", Duration::from_millis(50)));
    // It is no HTTP after the second byte.
    assert!(matches!(
        refused(within(PATIENCE, &peer.url())),
        ClientError::Answer(InvalidAnswer::NotHttp)
    ));
    peer.end();
    let body = "HTTP/1.1 403 x\r\nContent-Length: 500\r\n\r\n";
    let peer = Peer::new(move |stream| hostile::drip(stream, body, "b", Duration::from_millis(10)));
    match refused(within(10 * SOON, &peer.url())) {
        ClientError::Status {
            status: 403, body, ..
        } => assert!(body.len() < 500, "{body}"),
        other => panic!("{other:?}"),
    }
    peer.end();
}

#[test]
fn violations_behind_the_handshake_get_their_close_code() {
    let zero_key = [0x81, 0x81, 0, 0, 0, 0, b'x'];
    for (sent, violation, code) in [
        (frame(true, 1, b"x"), Violation::MaskedFrame, 1002),
        (zero_key.to_vec(), Violation::MaskedFrame, 1002),
        (vec![0xc1, 0], Violation::ReservedBits, 1002),
        (vec![0xc9, 0], Violation::ReservedBits, 1002),
        (vec![0xa1, 0], Violation::ReservedBits, 1002),
        (server_frame(true, 1, b"\xff"), Violation::InvalidUtf8, 1007),
        (
            server_frame(false, 9, b""),
            Violation::FragmentedControl,
            1002,
        ),
    ] {
        let answer = [format!("{SWITCHING}\r\n").as_bytes(), &sent].concat();
        let peer = Peer::new(move |stream| hostile::answer(stream, answer));
        let mut client = connect(peer.url()).unwrap();
        match client.read() {
            Err(Error::Protocol(found)) => assert_eq!(found, violation),
            other => panic!("{other:?}"),
        }
        assert_eq!(client.read().unwrap(), None);
        assert_eq!(client.close_event().unwrap().code, 1006);
        let told = peer.end();
        let (head, payload) = told.split_at(6);
        assert_eq!(head[0], 0x88);
        let clear: Vec<u8> = payload
            .iter()
            .zip(head[2..].iter().cycle())
            .map(|(a, b)| a ^ b)
            .collect();
        assert_eq!(clear[..2], u16::to_be_bytes(code));
    }
}

#[test]
fn frames_right_behind_the_head_are_the_first_messages() {
    let frames = [
        server_frame(true, 1, b"first"),
        server_frame(true, 2, b"second"),
    ]
    .concat();
    let answer = [format!("{SWITCHING}\r\n").as_bytes(), &frames].concat();
    let peer = Peer::new(move |mut stream| {
        hostile::open(&mut stream, answer);
    });
    let mut client = connect(peer.url()).unwrap();
    assert_eq!(client.read().unwrap(), Some("first".into()));
    assert_eq!(client.read().unwrap(), Some(b"second".into()));
    assert_eq!(client.read().unwrap(), None);
    assert_eq!(client.close_event().unwrap().code, 1006);
}

/// RFC 9110 15.2: a client has to read over them, though it expects none.
#[test]
fn interim_answers_are_read_over() {
    let answer = format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n{SWITCHING}\r\n"
    );
    let peer = Peer::new(move |mut stream| {
        hostile::open(&mut stream, answer);
        stream.write_all(&server_frame(true, 1, b"first")).unwrap();
    });
    let mut client = connect(peer.url()).unwrap();
    assert_eq!(client.read().unwrap(), Some("first".into()));
}

// ---- the way there

#[test]
fn a_port_where_nobody_listens() {
    let addr = closed_port();
    let error = refused(request(&format!("ws://{addr}/")));
    match &error {
        ClientError::Connect(failures) => {
            let found: Vec<_> = failures
                .iter()
                .map(|(addr, error)| (*addr, error.kind()))
                .collect();
            assert_eq!(found, [(addr, io::ErrorKind::ConnectionRefused)]);
        }
        other => panic!("{other:?}"),
    }
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("cannot connect: {addr}: ")),
        "{text}"
    );
    assert!(text.contains("check that the server runs"), "{text}");
}

/// The system itself refuses to route a stream to a broadcast address: nothing leaves this machine.
#[test]
fn an_address_without_a_way_to_it() {
    let error = refused(request("ws://255.255.255.255:9/"));
    assert!(matches!(error, ClientError::Connect(failures) if failures.len() == 1));
}

/// A label of more than 63 bytes is in no DNS (RFC 1035 2.3.4): resolvers refuse to ask for it.
#[test]
fn a_name_that_cannot_be() {
    let name = "x".repeat(64);
    let error = refused(request(&format!("ws://{name}/")));
    match &error {
        ClientError::Lookup { host, .. } => assert_eq!(*host, name),
        other => panic!("{other:?}"),
    }
    assert!(error.to_string().contains("check the name"), "{error}");
}

#[test]
fn a_name_is_looked_up_and_its_addresses_tried() {
    let app = App::echo(Server::builder());
    let url = format!("ws://localhost:{}/", app.addr.port());
    let client = connect(url).unwrap();
    assert_eq!(client.peer_addr(), Some(app.addr));
}

// ---- proxies

fn through(addr: SocketAddr, url: &str) -> ClientRequest {
    through_within(PATIENCE, addr, url)
}

fn through_within(patience: Duration, addr: SocketAddr, url: &str) -> ClientRequest {
    // The proxy's answer is a part of the way to the server.
    let request = within(patience, url).with_connect_timeout(patience);
    request.with_proxy(Proxy::new(addr.ip().to_string(), addr.port()))
}

#[test]
fn through_a_proxy() {
    let app = App::echo(Server::builder());
    let url = format!("ws://{}/", app.addr);
    for answer in [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200 OK\r\nVia: x\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 204 x\r\n\r\n",
    ] {
        let proxy = proxy(answer);
        let addr = proxy.addr;
        let way = Proxy::new("127.0.0.1", addr.port());
        let way = way.with_credentials("Aladdin", "open sesame").unwrap();
        let mut client = connect(request(&url).with_proxy(way)).unwrap();
        assert_eq!(client.peer_addr(), Some(addr));
        client.send("hello").unwrap();
        assert_eq!(client.read_timeout(PATIENCE).unwrap(), Some("hello".into()));
        client.close(1000, "").unwrap();
        assert_eq!(client.read().unwrap(), None);
        drop(client);
        let head = proxy.end();
        assert!(
            head.starts_with(&format!("CONNECT {} HTTP/1.1\r\n", app.addr)),
            "{head}"
        );
        assert_eq!(header(&head, "Host"), Some(&*app.addr.to_string()));
        let credentials = header(&head, "Proxy-Authorization");
        assert_eq!(credentials, Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    }
}

/// What a proxy does, the error that comes of it, and a part of its text.
type ProxyCase = (fn(TcpStream), fn(&ProxyError) -> bool, &'static str);

const HOSTILE_PROXIES: &[ProxyCase] = &[
    (
        |stream| {
            drop(hostile::answer(
                stream,
                "HTTP/1.1 407 x\r\nContent-Length: 2\r\n\r\nno",
            ))
        },
        |error| matches!(error, ProxyError::Status { status: 407, body, .. } if body == "no"),
        "with_credentials",
    ),
    (
        |stream| drop(hostile::answer(stream, "HTTP/1.1 502 x\r\n\r\n")),
        |error| matches!(error, ProxyError::Status { status: 502, .. }),
        "the proxy answered 502",
    ),
    (
        |stream| drop(hostile::answer(stream, "HTTP/1.1 101 x\r\n\r\n")),
        |error| matches!(error, ProxyError::Status { status: 101, .. }),
        "101",
    ),
    (
        |stream| drop(hostile::answer(stream, "\x05\x00")),
        |error| matches!(error, ProxyError::Answer(InvalidAnswer::NotHttp)),
        "the proxy: the answer is not HTTP",
    ),
    (
        |stream| {
            drop(hostile::answer(
                stream,
                "HTTP/1.1 200 x\r\n\r\nHTTP/1.1 101 x\r\n",
            ))
        },
        |error| matches!(error, ProxyError::Answer(InvalidAnswer::Malformed(_))),
        "before anything was sent",
    ),
    (
        |stream| hostile::drip(stream, "HTTP/1.1 200 x\r\n", "X: y\r\n", Duration::ZERO),
        |error| {
            matches!(
                error,
                ProxyError::Answer(InvalidAnswer::TooManyHeaders { .. })
            )
        },
        "max_headers",
    ),
    (
        |stream| {
            hostile::drip(
                stream,
                "HTTP/1.1 200 x\r\nX: ",
                "y",
                Duration::from_millis(10),
            )
        },
        |error| matches!(error, ProxyError::Timeout),
        "in time",
    ),
    (
        hostile::silence,
        |error| matches!(error, ProxyError::Timeout),
        "in time",
    ),
    (
        |mut stream| {
            read_head(&mut stream).unwrap();
        },
        |error| matches!(error, ProxyError::Left),
        "an HTTP proxy",
    ),
    (
        hostile::reset,
        |error| matches!(error, ProxyError::Io(_)),
        "the proxy failed",
    ),
];

#[test]
fn hostile_proxies_are_told_apart_from_servers() {
    for (behave, is_expected, says) in HOSTILE_PROXIES {
        let peer = Peer::new(behave);
        let patience = patience(is_expected(&ProxyError::Timeout));
        let error = refused(through_within(patience, peer.addr, "ws://192.0.2.1/"));
        match &error {
            ClientError::Proxy(error) => assert!(is_expected(error), "{error:?}"),
            other => panic!("{other:?}"),
        }
        assert!(error.to_string().contains(says), "{error}");
        peer.end();
    }
    // One that is not there.
    let error = refused(through(closed_port(), "ws://192.0.2.1/"));
    assert!(matches!(error, ClientError::Connect(_)), "{error:?}");
}

// ---- deadlines of an open connection, without split

#[test]
fn a_silent_server_is_pinged_and_given_up() {
    let limits = Limits {
        ping_interval: Some(Duration::from_millis(50)),
        pong_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let peer = Peer::new(|stream| hostile::answer(stream, format!("{SWITCHING}\r\n")));
    let mut client = connect(with_limits(&peer.url(), limits)).unwrap();
    let outcome = client.read();
    assert!(matches!(outcome, Err(Error::PongTimeout)), "{outcome:?}");
    drop(client);
    let told = peer.end();
    assert_eq!(told[..2], [0x89, 0x80], "an empty ping, masked");
}

#[test]
fn a_server_that_reads_nothing_does_not_hold_a_send() {
    let limits = Limits {
        write_timeout: SOON,
        ..Limits::default()
    };
    let (release, released) = channel::<()>();
    let peer = Peer::new(move |mut stream| {
        hostile::open(&mut stream, format!("{SWITCHING}\r\n"));
        let _ = released.recv_timeout(PATIENCE);
        hostile::rest(stream)
    });
    let mut client = connect(with_limits(&peer.url(), limits)).unwrap();
    let message = vec![0; 1 << 20];
    let error = loop {
        if let Err(error) = client.send(message.clone()) {
            break error;
        }
    };
    assert_eq!(error.kind(), SendErrorKind::SlowConsumer);
    assert_eq!(error.into_message(), message.into(), "given back");
    assert!(matches!(client.read(), Err(Error::SlowConsumer)));
    drop(release);
    peer.end();
}

#[test]
fn a_read_with_a_timeout_loses_nothing() {
    let (send, sent) = channel::<Vec<u8>>();
    let peer = Peer::new(move |mut stream| {
        hostile::open(&mut stream, format!("{SWITCHING}\r\n"));
        for bytes in sent {
            stream.write_all(&bytes).unwrap();
        }
        stream.read(&mut [0; 64]).unwrap()
    });
    let mut client = connect(peer.url()).unwrap();
    let timed_out = |client: &mut Client, timeout| match client.read_timeout(timeout) {
        Err(Error::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::TimedOut),
        other => panic!("{other:?}"),
    };
    for timeout in [Duration::ZERO, SOON] {
        timed_out(&mut client, timeout);
    }
    let frame = server_frame(true, 1, b"in two parts");
    send.send(frame[..5].to_vec()).unwrap();
    timed_out(&mut client, SOON);
    send.send(frame[5..].to_vec()).unwrap();
    let read = client.read_timeout(PATIENCE);
    assert_eq!(read.unwrap(), Some("in two parts".into()));
    client.send("still open").unwrap();
    drop(send);
    assert!(peer.end() > 0);
    assert_eq!(client.read_timeout(Duration::MAX).unwrap(), None);
}
