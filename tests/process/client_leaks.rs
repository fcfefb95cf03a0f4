//! Whatever a server does to a client, nothing stays behind: descriptors and threads are counted. A binary of its own,
//! for the count is the process's.

#[path = "../support/mod.rs"]
mod support;

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use support::hostile::{self, Peer, SWITCHING};
use support::{frame, threads_and_descriptors, wait_until};
use wshub::{ClientRequest, Limits, Proxy, Reconnecting, connect};

const BEHAVIOURS: [fn(TcpStream); 9] = [
    |stream| {
        drop(hostile::answer(
            stream,
            "HTTP/1.1 302 x\r\nLocation: ws://h/\r\n\r\n",
        ))
    },
    |stream| drop(hostile::answer(stream, "SSH-2.0-OpenSSH_9.2\r\n")),
    |stream| {
        drop(hostile::answer(
            stream,
            format!("{SWITCHING}Sec-WebSocket-Protocol: x\r\n\r\n"),
        ))
    },
    |stream| drop(hostile::answer(stream, format!("{SWITCHING}\r\n\u{1}"))),
    |stream| {
        let masked = [
            format!("{SWITCHING}\r\n").into_bytes(),
            frame(true, 1, b"x"),
        ]
        .concat();
        hostile::answer(stream, masked);
    },
    |stream| hostile::drip(stream, "HTTP/1.1 101 x\r\n", "X: y\r\n", Duration::ZERO),
    hostile::silence,
    support::reset,
    drop,
];

fn hurried(url: &str) -> ClientRequest {
    let limits = Limits {
        handshake_timeout: Duration::from_millis(50),
        ping_interval: Some(Duration::from_millis(20)),
        pong_timeout: Duration::from_millis(20),
        close_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let request = ClientRequest::new(url).unwrap().with_limits(limits);
    request.with_connect_timeout(Duration::from_millis(50))
}

fn one_of_each() {
    for behave in BEHAVIOURS {
        let peer = Peer::new(behave);
        if let Ok(mut client) = connect(hurried(&peer.url())) {
            while let Ok(Some(_)) = client.read() {}
        }
        peer.end();

        let proxy = Peer::new(behave);
        let way = Proxy::new("127.0.0.1", proxy.addr.port());
        assert!(connect(hurried("ws://h/").with_proxy(way)).is_err());
        proxy.end();

        let peer = Peer::new(behave);
        let mut client = Reconnecting::new(hurried(&peer.url())).unwrap();
        let writer = client.writer();
        assert!(client.next().is_some());
        let _ = writer.send("x");
        drop(client);
        peer.end();
        assert!(writer.send("x").is_err());
    }
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    assert!(connect(hurried(&format!("ws://{nobody}/"))).is_err());
    assert!(connect(hurried(&format!("ws://localhost:{}/", nobody.port()))).is_err());
    assert!(connect(hurried(&format!("ws://{}/", "x".repeat(64)))).is_err());
}

#[test]
fn nothing_stays_behind() {
    // What the process sets up once.
    one_of_each();
    wait_until("lookups end", || threads_and_descriptors().0 <= 2);
    let before = threads_and_descriptors();
    for _ in 0..5 {
        one_of_each();
    }
    wait_until("threads and descriptors are as before", || {
        threads_and_descriptors() == before
    });
}
