//! A stream that lingers when it is dropped: whatever its peer still sends, our last bytes reach it and no reset does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use super::split::Pair;
use crate::support::{Client, PATIENCE, frame, upgrade};
use wshub::testing::Duplex;
use wshub::{How, LingeringStream, Transport, WebSocket};

const REQUEST: &str = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000\r\n\r\n";

/// A client sends what ends it and goes on sending, before the stream is dropped and after that.
fn goes_on_behind<S: Pair>(ends_it: &[u8], mut judge: impl FnMut(&mut Client<S::Theirs>)) {
    let (ours, mut theirs) = S::pair();
    let (tell, told) = channel();
    let request = match ends_it.is_empty() {
        true => REQUEST.into(),
        false => upgrade("localhost", "/", ""),
    };
    theirs.write_all(request.as_bytes()).unwrap();
    theirs.write_all(ends_it).unwrap();
    theirs.write_all(&frame(true, 2, &[0; 30_000])).unwrap();
    theirs.flush().unwrap();
    let serving = thread::spawn(move || {
        if let Ok(mut ws) = WebSocket::accept(LingeringStream::new(ours)) {
            while let Ok(Some(_)) = ws.read() {}
            tell.send(()).unwrap();
        }
    });
    if !ends_it.is_empty() {
        told.recv_timeout(PATIENCE).unwrap();
    }
    // By now it is being dropped, most likely.
    thread::sleep(Duration::from_millis(20));
    theirs.write_all(&frame(true, 2, &[0; 10_000])).unwrap();
    theirs.flush().unwrap();
    let mut client = match ends_it.is_empty() {
        true => Client {
            stream: theirs,
            answer: String::new(),
        },
        false => Client::adopt(theirs),
    };
    judge(&mut client);
    drop(client);
    serving.join().unwrap();
}

fn in_every_way<S: Pair>() {
    let closed = |code| {
        move |client: &mut Client<S::Theirs>| {
            assert_eq!(client.read().close().0, code);
            assert!(client.at_end());
        }
    };
    // A violation, a Close, and a request that is refused.
    goes_on_behind::<S>(&[0xff; 2], closed(1002));
    goes_on_behind::<S>(&frame(true, 8, &1000u16.to_be_bytes()), closed(1000));
    goes_on_behind::<S>(&[], |client| {
        let mut answer = String::new();
        client.stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    });
}

#[test]
fn f13_last_bytes_arrive_though_the_peer_goes_on_over_tcp() {
    in_every_way::<TcpStream>();
}

#[test]
fn f13_last_bytes_arrive_though_the_peer_goes_on_in_memory() {
    in_every_way::<Duplex>();
}

#[cfg(feature = "tls")]
#[test]
fn f13_last_bytes_arrive_though_the_peer_goes_on_over_tls() {
    in_every_way::<wshub::TlsStream>();
}

/// A peer that stays, or sends for ever, holds it for about a second.
#[test]
fn f13_lingering_is_bounded() {
    for floods in [false, true] {
        let (ours, mut theirs) = TcpStream::pair();
        let peer = thread::spawn(move || {
            while floods && theirs.write_all(&[0; 1000]).is_ok() {}
            theirs
        });
        let since = Instant::now();
        drop(LingeringStream::new(ours));
        assert!(since.elapsed() < PATIENCE / 2, "{:?}", since.elapsed());
        drop(peer.join().unwrap());
    }
}

#[test]
fn f13_who_resets_does_not_linger() {
    // Its peer stays: one that lingered would take a second, each time.
    let is_short = |_| {
        let (ours, _theirs) = TcpStream::pair();
        let stream = LingeringStream::new(ours);
        Transport::shutdown(&stream, How::Reset);
        let since = Instant::now();
        drop(stream);
        since.elapsed() < Duration::from_millis(500)
    };
    assert!((0..20).any(is_short), "it waits");
}
