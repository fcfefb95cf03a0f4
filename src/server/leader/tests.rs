//! The leader's part for connections that have a thread: it is called, writes when there is room, and keeps deadlines.

use super::*;
use crate::connection::opening::Opening;
use crate::error::SendErrorKind;
use crate::event::Event;
use crate::handshake::accept::OwnBounds;
use crate::handshake::data::Data;
use crate::http::{Peer, Request};
use crate::limits::Limits;
use crate::outbox::{Bounds, Delivery, Failure};
use crate::overflow::Overflow;
use crate::server::Server;
use crate::server::crew::Crew;
use crate::server::hub::Hub;
use crate::server::lifecycle::Participant;
use crate::server::opening;
use crate::stats::Counters;
use crate::testing::{Duplex, duplex};
use crate::transport::How;
use crate::transport::{TcpTransport, Transport};
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

struct Rig {
    outbox: Arc<Outbox>,
    counters: Arc<Counters>,
    peer: Duplex,
}

/// An Outbox that calls `leader`, over a stream that takes 64 KiB, and a message of which it takes a part.
fn stalled(leader: &Leader, write_timeout: Duration) -> Rig {
    let (ours, peer) = duplex();
    stalled_over(ours, peer, leader, write_timeout)
}

fn stalled_over(
    ours: impl Transport,
    peer: Duplex,
    leader: &Leader,
    write_timeout: Duration,
) -> Rig {
    let limits = Limits {
        write_timeout,
        ..Limits::default()
    };
    let counters = Arc::new(Counters::default());
    let outbox = Outbox::new(
        Arc::new(ours) as Arc<dyn Transport>,
        leader.calls().clone(),
        counters.clone(),
        Delivery::Handler,
        Bounds::new(&limits, Overflow::Disconnect),
        Duration::from_secs(60),
        None,
    );
    outbox.send(vec![7; 100 << 10].into()).unwrap();
    assert!(outbox.is_stalled());
    Rig {
        outbox,
        counters,
        peer,
    }
}

/// Looks until `done`.
fn lead_until(leader: &mut Leader, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "it never comes");
        // What is waited for may come before it sleeps, and nothing wakes it behind that.
        let soon = Instant::now() + Duration::from_millis(10);
        leader.look(Some(soon), &mut |_| panic!("nobody is led"), || true);
    }
}

fn leader() -> Leader {
    let log_writer = LogWriter::new(Crew::new(1, 128 << 10));
    Leader::new(log_writer).unwrap()
}

#[test]
fn what_a_stream_refused_leaves_when_it_has_room() {
    let mut leader = leader();
    let mut rig = stalled(&leader, Duration::from_secs(60));
    let reader = std::thread::spawn(move || {
        let mut bytes = vec![0; (100 << 10) + 10];
        rig.peer.read_exact(&mut bytes).map(|()| rig.peer)
    });
    lead_until(&mut leader, || !rig.outbox.is_stalled());
    drop(reader.join().unwrap().unwrap());
}

#[test]
fn the_first_deadline_is_kept_whoever_else_has_a_later_one() {
    let mut leader = leader();
    let rigs = [60_000, 20, 60_000].map(|ms| stalled(&leader, Duration::from_millis(ms)));
    lead_until(&mut leader, || {
        rigs[1].outbox.failure() == Some(Failure::SlowConsumer)
    });
    assert_eq!(rigs[0].outbox.failure(), None);
    assert_eq!(rigs[1].counters.dropped.load(Relaxed), 1);
}

#[test]
fn b20_a_standstill_shows_by_a_deadline_that_nobody_waited_for() {
    let mut leader = leader();
    let rig = stalled(&leader, Duration::from_secs(10));
    let deadline = rig.outbox.deadline().unwrap();
    leader.take_calls(deadline + Duration::from_secs(5));
    assert_eq!(rig.outbox.failure(), None, "it has one more round");
    assert!(rig.outbox.deadline().unwrap() >= deadline + Duration::from_secs(15));
}

#[test]
fn what_still_waits_when_nobody_leads_any_more_is_counted_and_its_stream_ended() {
    let mut leader = leader();
    let heard = stalled(&leader, Duration::from_secs(60));
    leader.take_calls(Instant::now());
    let unheard = stalled(&leader, Duration::from_secs(60));
    leader.stop();
    for rig in [&heard, &unheard] {
        assert_eq!(rig.counters.dropped.load(Relaxed), 1);
        let error = rig.outbox.send("more".into()).unwrap_err();
        assert_eq!(error.kind(), SendErrorKind::Closed);
    }
}

#[test]
fn one_that_ends_is_led_no_longer() {
    let mut leader = leader();
    let rig = stalled(&leader, Duration::from_secs(60));
    leader.take_calls(Instant::now());
    assert!(rig.outbox.token().is_some());
    rig.outbox.finish();
    leader.take_calls(Instant::now());
    assert!(rig.outbox.token().is_none());
    assert_eq!(leader.poller.all().count(), 0);
}

/// Panics in its writes from some time on; what wshub does not guard against, as it does against a user's.
struct Mined {
    stream: Duplex,
    armed: Arc<AtomicBool>,
}

impl Transport for Mined {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        Transport::read(&self.stream, buffer, deadline)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.armed.load(SeqCst) {
            // Without a word on stderr, which a panic would say.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        self.stream.try_write(buffers)
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        self.stream.wait_writable(deadline)
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

    fn never_calls_back(&self) -> bool {
        true
    }
}

#[test]
fn b13_a_panic_over_one_that_stalls_costs_that_one_only() {
    let mut leader = leader();
    let armed = Arc::new(AtomicBool::new(false));
    let (stream, peer) = duplex();
    let mined = Mined {
        stream,
        armed: armed.clone(),
    };
    let first = stalled(&leader, Duration::from_secs(60));
    let broken = stalled_over(mined, peer, &leader, Duration::from_secs(60));
    let last = stalled(&leader, Duration::from_secs(60));
    armed.store(true, SeqCst);
    let readers = [first.peer, last.peer].map(|mut peer| {
        std::thread::spawn(move || {
            let mut bytes = vec![0; (100 << 10) + 10];
            peer.read_exact(&mut bytes).map(|()| peer)
        })
    });
    lead_until(&mut leader, || {
        !first.outbox.is_stalled() && !last.outbox.is_stalled()
    });
    assert_eq!(broken.outbox.failure(), Some(Failure::CloseTimeout));
    assert_eq!(broken.counters.dropped.load(Relaxed), 1);
    assert!(broken.outbox.token().is_none(), "it is led no longer");
    for reader in readers {
        drop(reader.join().unwrap().unwrap());
    }
}

#[test]
fn b13_a_panic_of_whoever_leads_gives_the_lead_back() {
    let lead = lead::Lead::new(LogWriter::new(Crew::new(1, 128 << 10))).unwrap();
    let breaks = |_: &mut Leader| std::panic::resume_unwind(Box::new("on purpose"));
    let led = panics::catch(|| lead.come::<()>(breaks));
    assert!(led.is_err());
    assert!(lead.is_free());
    assert_eq!(lead.come(|leader| leader.has_ready()), Some(false));
}

/// Both ends of a TCP connection, the first as the server has it.
fn tcp() -> (Arc<dyn Transport>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let ours = TcpTransport::new(listener.accept().unwrap().0).unwrap();
    (Arc::new(ours), theirs)
}

/// Another connection of `hub` behind its 101, which is for the leader next.
fn opened(hub: &Arc<Hub>, id: u64, ours: &Arc<dyn Transport>) -> opening::Opened {
    let request = Request::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let opening = Opening {
        request,
        protocol: None,
        extension: None,
        data: Data::default(),
    };
    opening::Opened {
        driver: opening::driver(
            hub,
            id,
            ours,
            opening,
            OwnBounds::default(),
            ReadBuffer::default(),
        ),
        slot: hub.slots.take(Peer::Unknown).unwrap(),
        present: hub.lifecycle.come(Participant::Connection).unwrap(),
    }
}

fn run(hub: &Arc<Hub>, opened: opening::Opened) {
    let stream = hub.lifecycle.come(Participant::Stream).unwrap();
    crate::server::connection::run(hub, stream, opened);
}

/// Leads here. The stand-in may have the lead, and gives it back.
fn lead_here(hub: &Hub, lead: impl FnOnce(&mut Leader)) {
    let mut lead = Some(lead);
    hub.lead.want(true);
    while hub
        .lead
        .come(|leader| lead.take().map(|lead| lead(leader)))
        .is_none()
    {
        std::thread::yield_now();
    }
    hub.lead.want(false);
}

/// What the shutdown says to a connection that is between its 101 and the leader.
#[test]
fn a_close_before_a_connection_comes_leaves_it_without_a_thread() {
    let server = Server::builder().without_listener().unwrap();
    let hub = &server.hub;
    let (ours, mut theirs) = tcp();
    lead_here(hub, |leader| {
        let opened = opened(hub, 1, &ours);
        let connection = opened.driver.connection.clone();
        connection.close(1001, "").unwrap();
        leader.take_calls(Instant::now());
        let called = connection.outbox().token();
        assert!(called.is_some(), "its deadline is kept");
        run(hub, opened);
        leader.take_mail(&mut |item| hub.inbox.put(item));
        assert_eq!(leader.poller.all().count(), 1);
        assert_eq!(hub.workers.threads(), 0);
    });
    let mut close = [0; 4];
    theirs.read_exact(&mut close).unwrap();
    assert_eq!(close, [0x88, 2, 3, 0xe9]);
    theirs
        .write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xe9])
        .unwrap();
    let events: Vec<_> = server.events().take(2).collect();
    assert!(matches!(&events[1], Event::Close(_, close) if close.was_clean));
}

/// An empty message of a client.
const MESSAGE: [u8; 6] = [0x82, 0x80, 0, 0, 0, 0];

/// A peer that floods is reported at each look, and its turn leaves more to read.
#[test]
fn f17_who_is_always_ready_has_one_turn_between_two_of_the_others() {
    let server = Server::builder().without_listener().unwrap();
    let hub = &server.hub;
    let ((flooded, mut flood), (theirs, mut polite)) = (tcp(), tcp());
    lead_here(hub, |leader| {
        let look = |leader: &mut Leader| leader.look(Some(Instant::now()), &mut drop, || true);
        // How many turns there are until a look is due, or the polite one has come.
        let turns = |leader: &mut Leader| {
            let (mut turns, mut came) = (0, false);
            let mut put = |item| {
                came |=
                    matches!(item, InboxItem::Messages(permit, _) if permit.connection().id() == 2);
            };
            while leader.turn(&mut put) {
                turns += 1;
            }
            (turns, came)
        };
        for (id, ours) in [(1, &flooded), (2, &theirs)] {
            run(hub, opened(hub, id, ours));
        }
        leader.take_mail(&mut |item| hub.inbox.put(item));
        flood.write_all(&MESSAGE.repeat(100_000)).unwrap();
        while !leader.has_ready() {
            look(leader);
        }
        for _ in 0..10 {
            // More comes, while much is there.
            flood.write_all(&MESSAGE).unwrap();
            look(leader);
        }
        // Windows may report the other one, too, though nothing came of it.
        let (count, came) = turns(leader);
        assert!(count <= 2 && !came, "{count} turns");
        polite.write_all(&MESSAGE).unwrap();
        while leader.ready.len() < 2 {
            look(leader);
        }
        let (count, came) = turns(leader);
        assert!(count <= 3 && came, "{count} turns");
    });
    // The server ends those that it has announced.
    assert_eq!(server.events().take(2).count(), 2);
}

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
            match events.recv_timeout(Duration::from_secs(60)) {
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
        let end = Instant::now() + Duration::from_secs(60);
        while self.hub.lifecycle.on_threads() > 0 {
            assert!(Instant::now() < end, "they do not come back");
            std::thread::yield_now();
        }
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
        // A Close behind the last message.
        floods.flood(&mut events, 100);
        for peer in &mut floods.peers {
            peer.write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xe8]).unwrap();
        }
        for event in events.by_ref().take(3) {
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

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write(buffers)
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        self.0.wait_writable(deadline)
    }

    fn wake_when_writable(&self, waker: &Waker) {
        self.0.wake_when_writable(waker);
    }

    fn source(&self) -> Option<crate::poller::Source<'_>> {
        self.0.source()
    }

    fn shutdown(&self, how: How) {
        self.0.shutdown(how);
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer_addr()
    }

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
    let put = |item| hub.inbox.put(item);
    lead_here(hub, |leader| {
        run(hub, opened(hub, 1, &broken));
        leader.take_mail(&mut { put });
        let (token, _) = leader.poller.all().next().unwrap();
        run(hub, opened(hub, 2, &others));
        leader.take_mail(&mut { put });
        let place = leader.places.take().unwrap();
        match leader.take_out(token) {
            Some(PolledConnection::Parked(parked)) => hand_over(parked, place),
            _ => panic!("it holds no thread"),
        }
    });
    let mut events = server.events();
    let ended = events.by_ref().nth(2).unwrap();
    assert!(
        matches!(&ended, Event::Close(connection, close) if connection.id() == 1 && !close.was_clean),
        "{ended:?}"
    );
    other.write_all(&MESSAGE).unwrap();
    assert!(matches!(events.next(), Some(Event::Message(..))));
    drop(events);
    let end = Instant::now() + Duration::from_secs(60);
    let mut taken = 1;
    while taken > 0 {
        assert!(Instant::now() < end, "its place does not come back");
        lead_here(hub, |leader| taken = leader.places.taken());
    }
    assert_eq!(hub.lifecycle.on_threads(), 0);
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
    while hub.lifecycle.on_threads() == 0 && has_cores() {
        events.recv_timeout(Duration::from_secs(60)).unwrap();
    }
    let report = server.shutdown();
    assert_eq!(report.threads_left, 0);
    let closes = events.filter(|event| matches!(event, Event::Close(..)));
    assert_eq!(closes.count(), 3);
    for (peer, writer) in floods.peers.iter().zip(writers) {
        let _ = peer.shutdown(Shutdown::Both);
        writer.join().unwrap();
    }
}

#[test]
fn what_the_application_reads_goes_behind_what_other_threads_have_put_in() {
    let server = Server::builder().without_listener().unwrap();
    let inbox = &server.hub.inbox;
    let mut read = VecDeque::new();
    inbox.put(InboxItem::Drained(1));
    inbox.put_behind(&mut read, InboxItem::Drained(2));
    assert!(matches!(
        read.make_contiguous(),
        [InboxItem::Drained(1), InboxItem::Drained(2)]
    ));
}

/// Nearly all that an idle connection holds beside its request head. What grows here is paid by each of thousands.
#[test]
#[cfg(target_pointer_width = "64")]
fn an_idle_connection_holds_little() {
    assert!(size_of::<Parked>() <= 416, "{}", size_of::<Parked>());
    assert!(size_of::<Outbox>() <= 304, "{}", size_of::<Outbox>());
}
