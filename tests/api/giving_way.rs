//! Handshakes that give way to newer ones while they are answered: up to the last byte of their 101, and not after it.

use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use crate::support::app::App;
use crate::support::refusal::status_of;
use crate::support::{Client, PATIENCE, dial, duplex, read_head, upgrade, wait_until};
use wshub::testing::Duplex;
use wshub::{How, Limits, Server, Transport, Waker};

/// The machine may be too busy to run a thread for each before the next has come.
#[test]
fn m10_whose_request_is_there_does_not_give_way_while_its_thread_is_late() {
    let limits = Limits {
        max_handshakes: 2,
        ..Limits::default()
    };
    let server = Server::builder().limits(limits).without_listener().unwrap();
    for _ in 0..100 {
        // As many as may have begun.
        let pairs = [(); 8].map(|()| {
            let (stream, mut peer) = duplex();
            let request = upgrade("localhost", "/", "");
            peer.write_all(request.as_bytes()).unwrap();
            (stream, peer)
        });
        let peers = pairs.map(|(stream, peer)| {
            server.attach(stream);
            peer
        });
        for peer in peers {
            Client::adopt(peer);
        }
        wait_until("their threads are done", || server.stats().handshakes == 0);
    }
    assert!(server.stats().refused.is_empty());
}

/// Tells the test where it is, and goes on when the test lets it.
struct Told {
    stream: Duplex,
    room: Room,
    begun: AtomicBool,
    tell: Sender<()>,
    gate: Mutex<Receiver<()>>,
}

#[derive(Clone, Copy)]
enum Room {
    /// Tells of its first write.
    Plenty,
    /// For twenty bytes; tells when it is waited for.
    Little,
}

impl Told {
    fn step(&self) {
        self.tell.send(()).unwrap();
        // Not for ever, should the test fail meanwhile.
        let _ = self.gate.lock().unwrap().recv_timeout(PATIENCE);
    }
}

impl Transport for Told {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        Transport::read(&self.stream, buffer, deadline)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.room {
            Room::Plenty => {
                let written = self.stream.try_write(buffers);
                self.step();
                written
            }
            Room::Little if !self.begun.swap(true, SeqCst) => {
                self.stream.try_write(&[IoSlice::new(&buffers[0][..20])])
            }
            Room::Little => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        self.step();
        // Ends with the stream, as TCP does.
        Transport::read(&self.stream, &mut [0], Some(deadline)).map(drop)
    }

    fn wake_when_writable(&self, waker: &Waker) {
        self.stream.wake_when_writable(waker);
    }

    fn shutdown(&self, how: How) {
        self.stream.shutdown(how);
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }
}

fn one_handshake_at_a_time() -> App {
    App::echo(Server::builder().limits(Limits {
        max_handshakes: 1,
        ..Limits::default()
    }))
}

/// Attaches a stream; gives its peer, what is told, and what lets it go on.
fn attach(app: &App, room: Room) -> (Duplex, Receiver<()>, Sender<()>) {
    let (tell, told) = channel();
    let (release, gate) = channel();
    let (stream, mut peer) = duplex();
    peer.write_all(upgrade("localhost", "/", "").as_bytes())
        .unwrap();
    app.handle.attach(Told {
        stream,
        room,
        begun: AtomicBool::default(),
        tell,
        gate: Mutex::new(gate),
    });
    (peer, told, release)
}

/// A client that has read its 101 has a connection.
#[test]
fn a_handshake_whose_101_has_left_gives_way_no_more() {
    let app = one_handshake_at_a_time();
    let (peer, wrote, release) = attach(&app, Room::Plenty);
    wrote.recv_timeout(PATIENCE).unwrap();
    let mut newer = dial(app.addr);
    wait_until("a newer one has come", || {
        app.handle.stats().handshakes == 2
    });
    drop(release);
    let mut client = Client::adopt(peer);
    client.send_text("still here");
    assert_eq!(client.read().text(), "still here");
    newer
        .write_all(upgrade("localhost", "/", "").as_bytes())
        .unwrap();
    assert_eq!(status_of(&read_head(&mut newer).unwrap()), 101);
    assert!(app.handle.stats().refused.is_empty());
}

#[test]
fn a_handshake_whose_101_waits_for_its_peer_gives_way_and_is_counted_once() {
    let app = one_handshake_at_a_time();
    let (mut peer, waits, release) = attach(&app, Room::Little);
    waits.recv_timeout(PATIENCE).unwrap();
    drop(release);
    // One that has to be waited for.
    let mut newer = dial(app.addr);
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).unwrap();
    assert_eq!(answer.len(), 20);
    newer
        .write_all(upgrade("localhost", "/", "").as_bytes())
        .unwrap();
    let mut newer = Client::adopt(newer);
    newer.send_text("in");
    assert_eq!(newer.read().text(), "in");
    wait_until("it is counted", || {
        !app.handle.stats().refused.is_empty() && app.handle.stats().handshakes == 0
    });
    let refused = app.handle.stats().refused;
    assert_eq!(refused.into_iter().collect::<Vec<_>>(), [("evicted", 1)]);
}
