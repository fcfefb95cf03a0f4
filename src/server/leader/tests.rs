//! What the leader does with each connection, and who leads; what is wanted by all of these tests.

mod busy;
mod in_line;
mod stalled;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::*;
use crate::connection::opening::Opening;
use crate::event::Event;
use crate::handshake::accept::OwnBounds;
use crate::handshake::data::Data;
use crate::http::{Peer, Request};
use crate::outbox::ReadyState;
use crate::panics;
use crate::server::connections::opened::Opened;
use crate::server::hub::Hub;
use crate::server::lifecycle::Participant;
use crate::server::threads::ServerThreads;
use crate::server::{Events, Server};
use crate::tests::{PATIENCE, wait_until};
use crate::transport::{TcpTransport, Transport};

fn leader() -> Leader {
    let log_writer = LogWriter::new(ServerThreads::new(1, 128 << 10));
    Leader::new(log_writer, &Limits::default()).unwrap()
}

#[test]
fn b13_a_panic_of_whoever_leads_gives_the_lead_back() {
    let lead = lead::Lead::new(
        LogWriter::new(ServerThreads::new(1, 128 << 10)),
        &Limits::default(),
    )
    .unwrap();
    let breaks = |_: &mut Leader| std::panic::resume_unwind(Box::new("on purpose"));
    let led = panics::catch(|| lead.application_waits::<()>(breaks));
    assert!(led.is_err());
    assert!(lead.is_free());
    assert_eq!(
        lead.application_waits(|leader| leader.has_ready()),
        Some(false)
    );
}

/// Both ends of a TCP connection, the first as the server has it.
fn tcp() -> (Arc<dyn Transport>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    theirs.set_read_timeout(Some(PATIENCE)).unwrap();
    theirs.set_write_timeout(Some(PATIENCE)).unwrap();
    let ours = TcpTransport::new(listener.accept().unwrap().0).unwrap();
    (Arc::new(ours), theirs)
}

/// Another connection of `hub` after its 101, which is for the leader next.
fn opened(hub: &Arc<Hub>, id: u64, ours: &Arc<dyn Transport>) -> Opened {
    let request = Request::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let opening = Opening {
        request,
        protocol: None,
        extension: None,
        data: Data::default(),
    };
    Opened {
        driver: hub.connections.driver(
            id,
            ours,
            opening,
            OwnBounds::default(),
            ReadBuffer::default(),
        ),
        slot: hub.admission.slots.take(Peer::Unknown).unwrap(),
        present: hub.lifecycle.register(Participant::Connection).unwrap(),
    }
}

fn run(hub: &Arc<Hub>, opened: Opened) {
    let stream = hub.lifecycle.register(Participant::Stream).unwrap();
    opened.serve(hub, stream);
}

/// Leads here. The stand-in may have the lead, and gives it back.
fn lead_here(hub: &Hub, lead: impl FnOnce(&mut Leader)) {
    let mut lead = Some(lead);
    let the_lead = &hub.lead;
    the_lead.want(true);
    wait_until("the lead is free", || {
        let led = the_lead.application_waits(|leader| lead.take().map(|lead| lead(leader)));
        led.is_some()
    });
    the_lead.want(false);
}

/// A server whose clients may be silent, however slow the machine is.
fn without_pings() -> Server {
    let limits = Limits {
        ping_interval: None,
        ..Limits::default()
    };
    Server::builder().limits(limits).without_listener().unwrap()
}

/// The next events, so many.
fn take(events: &mut Events<'_>, count: usize) -> Vec<Event> {
    let next = |_| events.recv_timeout(PATIENCE).expect("an event");
    (0..count).map(next).collect()
}

/// A connection without a thread, which the leader had.
fn taken_out(hub: &Arc<Hub>, leader: &mut Leader, ours: &Arc<dyn Transport>) -> Box<Parked> {
    run(hub, opened(hub, 1, ours));
    leader.take_mail(&mut drop);
    let (token, _) = leader.connections.poller.all().next().unwrap();
    match leader.take_out(token) {
        Some(PolledConnection::Parked(parked)) => parked,
        _ => panic!("it has a thread"),
    }
}

#[test]
fn b13_after_a_panic_of_the_application_amid_its_wait_the_stand_in_leads() {
    let server = without_pings();
    let lead = &server.hub.lead;
    let waits = || {
        let _waits = lead.application_goes_on_after();
        lead_here(&server.hub, |_| {
            std::panic::resume_unwind(Box::new("on purpose"))
        });
    };
    assert!(panics::catch(waits).is_err());
    lead.want(false);
    wait_until("the stand-in leads", || !lead.is_free());
}

/// The time of a turn is that of the last look. Where the process stood still between the two, a message that begins
/// with the turn has its time all the same.
#[test]
fn a_message_that_begins_after_a_standstill_has_its_time() {
    let limits = Limits {
        assembly_timeout: Duration::from_millis(10),
        ..Limits::default()
    };
    let server = Server::builder().limits(limits).without_listener().unwrap();
    let hub = &server.hub;
    let (ours, mut theirs) = tcp();
    lead_here(hub, |leader| {
        let mut parked = taken_out(hub, leader, &ours);
        let looked = Instant::now();
        // The process stands still: time itself has to pass.
        std::thread::sleep(Duration::from_millis(50));
        theirs.write_all(&MESSAGE[..3]).unwrap();
        let mut scratch = ReadBuffer::scratch(1 << 10);
        let begun = |next| matches!(next, Next::Wait(Some(at)) if at <= Instant::now());
        wait_until("the message begins", || {
            let next = parked.turn(&mut scratch, looked, &mut drop);
            assert_eq!(parked.connection().ready_state(), ReadyState::Open);
            begun(next)
        });
    });
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
        leader.take_leader_queue(Instant::now());
        let called = connection.outbox().token();
        assert!(called.is_some(), "its deadline is kept");
        run(hub, opened);
        leader.take_mail(&mut |item| hub.connections.inbox.put(item));
        assert_eq!(leader.connections.poller.all().count(), 1);
        assert_eq!(hub.workers.threads(), 0);
    });
    let mut close = [0; 4];
    theirs.read_exact(&mut close).unwrap();
    assert_eq!(close, [0x88, 2, 3, 0xe9]);
    theirs
        .write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xe9])
        .unwrap();
    let events = take(&mut server.events(), 2);
    assert!(matches!(&events[1], Event::Close(_, close) if close.was_clean));
}

/// An empty message of a client.
const MESSAGE: [u8; 6] = [0x82, 0x80, 0, 0, 0, 0];

/// A peer that floods is reported at each look, and its turn leaves more to read.
#[test]
fn f17_who_is_always_ready_has_one_turn_between_two_of_the_others() {
    let server = without_pings();
    let hub = &server.hub;
    let ((flooded, mut flood), (theirs, mut polite)) = (tcp(), tcp());
    lead_here(hub, |leader| {
        let look = |leader: &mut Leader| leader.poll(Some(Instant::now()), &mut drop, || true);
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
        leader.take_mail(&mut |item| hub.connections.inbox.put(item));
        // As much as the system has room for: nobody reads yet.
        flood.set_nonblocking(true).unwrap();
        let mut sent = flood.write(&MESSAGE.repeat(100_000)).unwrap();
        assert!(sent > 2 * leader.read_size, "{sent} bytes are no flood");
        wait_until("the flood is seen", || {
            look(leader);
            leader.has_ready()
        });
        for _ in 0..10 {
            // More comes, while much is there: it goes on where that was cut.
            sent += flood.write(&MESSAGE[sent % MESSAGE.len()..]).unwrap_or(0);
            look(leader);
        }
        // Windows may report the other one, too, though nothing came of it.
        let (count, came) = turns(leader);
        assert!(count <= 2 && !came, "{count} turns");
        polite.write_all(&MESSAGE).unwrap();
        wait_until("the polite one is seen", || {
            look(leader);
            leader.connections.turns.len() == 2
        });
        let (count, came) = turns(leader);
        assert!(count <= 3 && came, "{count} turns");
    });
    // The server ends those that it has announced.
    take(&mut server.events(), 2);
}

/// The message that has begun keeps a byte, so its connection reads into a buffer of its own.
#[test]
fn f17_control_frames_amid_a_message_have_one_read_of_a_turn() {
    const PINGS: usize = 1 << 20;
    const READ: usize = 64 << 10;
    const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];
    let server = without_pings();
    let hub = &server.hub;
    let (ours, mut flood) = tcp();
    lead_here(hub, |leader| {
        run(hub, opened(hub, 1, &ours));
        leader.take_mail(&mut |item| hub.connections.inbox.put(item));
        let mut sent = vec![0x02, 0x81, 0, 0, 0, 0, 7];
        sent.extend(PING.repeat(PINGS / PING.len()));
        sent.extend([0x80, 0x80, 0, 0, 0, 0]);
        let sending = std::thread::spawn(move || flood.write_all(&sent).map(|()| flood));
        let (mut turns, mut came) = (0, false);
        wait_until("the message comes", || {
            let mut put = |item| came |= matches!(item, InboxItem::Messages(..));
            leader.poll(Some(Instant::now()), &mut put, || true);
            while leader.turn(&mut put) {
                turns += 1;
            }
            came
        });
        assert!(turns >= PINGS / READ, "{turns} turns");
        sending.join().unwrap().unwrap();
    });
    take(&mut server.events(), 1);
}

#[test]
fn what_the_application_reads_goes_behind_what_other_threads_have_put_in() {
    let server = Server::builder().without_listener().unwrap();
    let inbox = &server.hub.connections.inbox;
    let mut read = VecDeque::new();
    inbox.put(InboxItem::Drained(1));
    inbox.put_behind(&mut read, InboxItem::Drained(2));
    assert!(matches!(
        read.make_contiguous(),
        [InboxItem::Drained(1), InboxItem::Drained(2)]
    ));
}

/// Nearly all that an idle connection holds beside its request head. What grows here is paid by each of thousands. A
/// mutex of std is larger on other systems.
#[test]
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn an_idle_connection_holds_little() {
    assert!(size_of::<Parked>() <= 312, "{}", size_of::<Parked>());
    assert!(size_of::<Outbox>() <= 224, "{}", size_of::<Outbox>());
}
