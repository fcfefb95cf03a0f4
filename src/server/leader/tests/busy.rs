//! Connections over which so much comes that each has a thread meanwhile.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::{MESSAGE, lead_here, opened, run, take, taken_out, tcp};
use crate::connection::end::End;
use crate::event::Event;
use crate::limits::Limits;
use crate::server::Server;
use crate::server::connections::deliver;
use crate::server::hub::Hub;
use crate::server::leader::PolledConnection;
use crate::server::leader::hand_over::hand_over;
use crate::testing::duplex;
use crate::tests::{PATIENCE, wait_until};
use crate::transport::{Transport, forward};

/// Long messages of a client, each with its number.
fn numbered(numbers: Range<u64>) -> impl Iterator<Item = Vec<u8>> {
    const LEN: u16 = 40_000;
    numbers.map(|number| {
        let mut frame = vec![0x82, 0xfe];
        frame.extend(LEN.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(number.to_be_bytes());
        frame.resize(8 + usize::from(LEN), 0);
        frame
    })
}

/// Connections over which much comes at once, again and again.
struct Floods<'a> {
    hub: &'a Arc<Hub>,
    peers: Vec<TcpStream>,
    /// How many messages each has sent.
    sent: u64,
    /// A connection had a thread.
    handed_over: bool,
}

impl<'a> Floods<'a> {
    fn new(hub: &'a Arc<Hub>) -> Self {
        let open = |id| {
            let (ours, theirs) = tcp();
            run(hub, opened(hub, id, &ours));
            theirs
        };
        Floods {
            hub,
            peers: (0..3).map(open).collect(),
            sent: 0,
            handed_over: false,
        }
    }

    /// Each peer sends so many messages, and they come in order.
    fn flood(&mut self, events: &mut crate::Events<'_>, count: u64) {
        let numbers = self.sent..self.sent + count;
        let write = |peer: &TcpStream| {
            let (mut peer, numbers) = (peer.try_clone().unwrap(), numbers.clone());
            std::thread::spawn(move || {
                numbered(numbers).for_each(|frame| peer.write_all(&frame).unwrap());
            })
        };
        let writers: Vec<_> = self.peers.iter().map(write).collect();
        let mut next = vec![self.sent; self.peers.len()];
        while next.iter().any(|&next| next < numbers.end) {
            match events.recv_timeout(PATIENCE) {
                Ok(Event::Message(connection, message)) => {
                    let number = message.as_bytes().first_chunk().unwrap();
                    let next = &mut next[connection.id() as usize];
                    assert_eq!(u64::from_be_bytes(*number), *next, "{connection:?}");
                    *next += 1;
                }
                Ok(Event::Open(_)) => {}
                other => panic!("{other:?}"),
            }
            self.handed_over |= self.hub.lifecycle.on_threads() > 0;
        }
        self.sent = numbers.end;
        for writer in writers {
            writer.join().unwrap();
        }
    }

    /// Waits until the leader has all of them again.
    fn wait_until_led(&self) {
        wait_until("they come back", || self.hub.lifecycle.on_threads() == 0);
    }
}

fn has_cores() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1)
}

/// With room for much of what comes, and for one message.
#[test]
fn f17_a_busy_connection_has_a_thread_meanwhile_and_the_order_stays() {
    for inbound_per_connection in [4 << 20, 1] {
        let limits = Limits {
            inbound_per_connection,
            ..Limits::default()
        };
        let server = Server::builder().limits(limits).without_listener().unwrap();
        let mut floods = Floods::new(&server.hub);
        let mut events = server.events();
        for _ in 0..5 {
            floods.flood(&mut events, 100);
            floods.wait_until_led();
        }
        assert_eq!(floods.handed_over, has_cores());
        // A Close after the last message.
        floods.flood(&mut events, 100);
        for peer in &mut floods.peers {
            peer.write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xe8]).unwrap();
        }
        for event in take(&mut events, 3) {
            assert!(
                matches!(&event, Event::Close(_, close) if close.was_clean),
                "{event:?}"
            );
        }
    }
}

#[test]
fn f17_a_busy_connection_stays_with_the_leader_where_there_is_no_thread() {
    let server = Server::builder().without_listener().unwrap();
    let hub = &server.hub;
    let mut floods = Floods::new(hub);
    assert_eq!(hub.workers.stop_pool(|| 0, Instant::now()), 0);
    floods.flood(&mut server.events(), 200);
    assert!(!floods.handed_over);
}

/// Panics where a thread waits in a read; what the leader reads goes well.
struct BreaksOnAThread(Arc<dyn Transport>);

impl Transport for BreaksOnAThread {
    fn read(&self, _: &mut [u8], _: Option<Instant>) -> io::Result<usize> {
        // Without a word on stderr, which a panic would say.
        std::panic::resume_unwind(Box::new("on purpose"));
    }

    forward!(this => &*this.0; try_read, try_write, wait_writable, wake_when_writable, source, shutdown, peer_addr);

    fn never_calls_back(&self) -> bool {
        true
    }
}

#[test]
fn b13_a_panic_on_the_thread_of_a_busy_connection_costs_that_one_only() {
    if !has_cores() {
        return;
    }
    let server = Server::builder().without_listener().unwrap();
    let hub = &server.hub;
    let ((ours, _theirs), (others, mut other)) = (tcp(), tcp());
    let broken: Arc<dyn Transport> = Arc::new(BreaksOnAThread(ours));
    let put = |item| hub.connections.inbox.put(item);
    lead_here(hub, |leader| {
        run(hub, opened(hub, 1, &broken));
        leader.take_mail(&mut { put });
        let (token, _) = leader.connections.poller.all().next().unwrap();
        run(hub, opened(hub, 2, &others));
        leader.take_mail(&mut { put });
        let place = leader.places.take().unwrap();
        match leader.take_out(token) {
            Some(PolledConnection::Parked(parked)) => hand_over(parked, place, &leader.mailbox),
            _ => panic!("it holds no thread"),
        }
    });
    let mut events = server.events();
    let ended = take(&mut events, 3).pop().unwrap();
    assert!(
        matches!(&ended, Event::Close(connection, close) if connection.id() == 1 && !close.was_clean),
        "{ended:?}"
    );
    other.write_all(&MESSAGE).unwrap();
    assert!(matches!(
        events.recv_timeout(PATIENCE),
        Ok(Event::Message(..))
    ));
    drop(events);
    wait_until("its place comes back", || {
        let mut taken = 1;
        lead_here(hub, |leader| taken = leader.places.taken());
        taken == 0
    });
    assert_eq!(hub.lifecycle.on_threads(), 0);
}

/// Their answers would find no room, and a peer that reads slowly would be given up for them.
#[test]
fn a_thread_takes_no_messages_while_their_answers_find_no_room() {
    let limits = Limits {
        close_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = Server::builder().limits(limits).without_listener().unwrap();
    let hub = &server.hub;
    let (ours, _theirs) = tcp();
    lead_here(hub, |leader| {
        let (_open, mut driver) = taken_out(hub, leader, &ours).take_apart();
        driver.conversation.room()[..MESSAGE.len()].copy_from_slice(&MESSAGE);
        let read = Ok::<_, io::Error>(MESSAGE.len());
        driver.conversation.filled(&read, None, Instant::now());
        driver.holds_messages = true;
        while !driver.awaits_room() {
            driver.connection.send(vec![0; 100 << 10]).unwrap();
        }
        let quiet = Some(Duration::from_millis(10));
        assert!(deliver::read(&hub.connections, &mut driver, quiet).is_ok());
        assert!(hub.connections.inbox.is_empty());
    });
}

/// As a socket: what has failed is said once, and after that there is an end.
struct FailsOnce(Arc<dyn Transport>, AtomicUsize);

impl Transport for FailsOnce {
    fn read(&self, buffer: &mut [u8], _: Option<Instant>) -> io::Result<usize> {
        match self.1.fetch_add(1, Relaxed) {
            0 => Ok(buffer.len()),
            1 => Err(io::ErrorKind::ConnectionReset.into()),
            _ => Ok(0),
        }
    }

    forward!(this => &*this.0; try_write, wait_writable, wake_when_writable, source, shutdown, peer_addr);
}

/// A read that fills its room looks what is after it, and the connection may go back to the leader with that.
#[test]
fn what_a_thread_has_found_behind_the_bytes_is_not_lost_to_the_leader() {
    let server = Server::builder().without_listener().unwrap();
    let stream: Arc<dyn Transport> = Arc::new(FailsOnce(tcp().0, AtomicUsize::default()));
    let mut opened = opened(&server.hub, 1, &stream);
    let driver = &mut opened.driver;
    assert!(driver.fill(None).unwrap());
    assert!(driver.may_hold_bytes_back());
    let end = driver.read_at_once(Instant::now());
    assert!(matches!(end, Err(End::Lost)), "{end:?}");
    let said = driver.read_error.as_ref().map(io::Error::kind);
    assert_eq!(said, Some(io::ErrorKind::ConnectionReset));
}

/// The thread waits because of what the application has still to answer. Not woken, it would look anew only when
/// `write_timeout` is over.
#[test]
fn b01_a_thread_that_waits_for_room_hears_of_answers_that_never_come() {
    const BYTES: usize = 4 << 20;
    let limits = Limits {
        outbound_per_connection: Some(BYTES),
        inbound_per_connection: BYTES,
        write_timeout: Duration::from_secs(600),
        ..Limits::default()
    };
    let server = Server::builder().limits(limits).without_listener().unwrap();
    let hub = &server.hub;
    let (ours, mut peer) = duplex();
    let ours: Arc<dyn Transport> = Arc::new(ours);
    let mut opened = opened(hub, 1, &ours);
    let driver = &mut opened.driver;
    let connection = driver.connection.clone();
    connection.send(vec![0; BYTES / 8]).unwrap();
    assert!(connection.buffered_amount() > 0);
    peer.write_all(&MESSAGE).unwrap();
    let budget = &hub.connections.inbox.budget;
    let Ok(permit) = budget.charge(&connection, BYTES - BYTES / 8) else {
        panic!("there is credit");
    };
    let until = Instant::now() + PATIENCE;
    std::thread::scope(|scope| {
        let filled = scope.spawn(|| driver.fill(Some(until)));
        while !connection.account().is_waiting() && !filled.is_finished() {
            std::thread::yield_now();
        }
        drop(permit);
        assert!(filled.join().unwrap().unwrap());
    });
    assert!(Instant::now() < until);
    assert!(!connection.account().is_waiting());
}

/// Nobody takes what they send, and none of them answers a Close.
#[test]
fn f17_a_shutdown_ends_busy_connections_on_their_threads() {
    let limits = Limits {
        close_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = Server::builder().limits(limits).without_listener().unwrap();
    let hub = &server.hub;
    let floods = Floods::new(hub);
    let write = |peer: &TcpStream| {
        let mut peer = peer.try_clone().unwrap();
        std::thread::spawn(move || {
            let _ = numbered(0..u64::MAX).try_for_each(|frame| peer.write_all(&frame));
        })
    };
    let writers: Vec<_> = floods.peers.iter().map(write).collect();
    let mut events = server.events();
    wait_until("one has a thread", || {
        take(&mut events, 1);
        hub.lifecycle.on_threads() > 0 || !has_cores()
    });
    let report = server.shutdown();
    assert_eq!(report.threads_left, 0);
    let closes = events.filter(|event| matches!(event, Event::Close(..)));
    assert_eq!(closes.count(), 3);
    for (peer, writer) in floods.peers.iter().zip(writers) {
        let _ = peer.shutdown(Shutdown::Both);
        writer.join().unwrap();
    }
}
