//! Who leads: the lead goes from the application to its stand-in and back at any moment, and no event is lost or out of
//! order for it.

use std::check::{choose, is_hurried, race};
use std::clock;
use std::io::{self, IoSlice};
use std::kernel;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::line::{Line, Seen};
use super::peer::{REQUEST, Seat, behind_head, masked, seen};
use super::server::{self, server};
use crate::{Event, Events, How, Limits, RecvError, Server, Source, Transport, Waker};

const ROOM: usize = 1 << 10;
/// Longer than the stand-in waits.
const AWAY: Duration = Duration::from_millis(3);
const SHORT: Duration = Duration::from_millis(1);
/// What the stand-in's waits and collected frames may take. Every deadline is far behind it.
const SOON: Duration = Duration::from_millis(20);
/// Looks after which an event is there, where each goes one step.
const LOOKS: u32 = 4;

/// Nobody is given up, however hurried the clock is.
fn limits() -> Limits {
    const FOR_EVER: Duration = Duration::from_secs(2 * 3600);
    Limits {
        handshake_timeout: FOR_EVER,
        assembly_timeout: FOR_EVER,
        write_timeout: FOR_EVER,
        close_timeout: FOR_EVER,
        idle_thread_timeout: FOR_EVER,
        ..server::limits()
    }
}

/// An application that takes its events now so, now so, and is away now and then.
struct Application {
    server: Arc<Server>,
    seats: Vec<(u64, Seat)>,
    ended: bool,
    empty: u32,
    away: Duration,
    /// The peers take their time: it may look in vain.
    patient: bool,
}

impl Application {
    fn new(server: &Arc<Server>) -> Self {
        Application {
            server: server.clone(),
            seats: Vec::new(),
            ended: false,
            empty: 0,
            away: Duration::ZERO,
            patient: false,
        }
    }

    /// Answers messages until `done`.
    fn serve(&mut self, done: impl Fn(&Self) -> bool) {
        self.serve_with(done, |event| {
            if let Event::Message(connection, message) = event {
                let _ = connection.send(message);
            }
        });
    }

    fn serve_with(&mut self, done: impl Fn(&Self) -> bool, mut act: impl FnMut(Event)) {
        let server = self.server.clone();
        while !done(self) {
            let mut events = server.events();
            for _ in 0..=choose(4) {
                if done(self) {
                    break;
                }
                if let Some(event) = self.take(&mut events) {
                    self.see(&event);
                    act(event);
                }
            }
            drop(events);
            if choose(3) == 0 {
                kernel::pass(AWAY);
                self.away += AWAY;
            }
        }
    }

    fn take(&mut self, events: &mut Events<'_>) -> Option<Event> {
        let taken = match choose(3) {
            0 => events.recv(),
            1 => {
                let taken = events.recv_timeout(SHORT);
                let came = !matches!(taken, Err(RecvError::Empty));
                assert!(
                    came || self.patient || is_hurried(),
                    "an event does not come"
                );
                taken
            }
            _ => events.try_recv(),
        };
        match taken {
            Ok(_) => self.empty = 0,
            Err(RecvError::Empty) => {
                self.empty += 1;
                assert!(
                    self.empty <= LOOKS || self.patient || is_hurried(),
                    "an event does not come"
                );
                kernel::settle();
            }
            Err(RecvError::Ended) => self.ended = true,
            Err(RecvError::InUse) => panic!("there is no other"),
            Err(RecvError::Woken) => panic!("nobody wakes it"),
        }
        taken.ok()
    }

    fn see(&mut self, event: &Event) {
        let id = event.connection().id();
        let seat = self.seats.iter().position(|seat| seat.0 == id);
        let seat = seat.unwrap_or_else(|| {
            self.seats.push((id, Seat::default()));
            self.seats.len() - 1
        });
        self.seats[seat].1.see(event);
    }

    fn messages(&self) -> usize {
        self.seats.iter().map(|(_, seat)| seat.messages.len()).sum()
    }

    fn closed(&self) -> usize {
        self.seats.iter().filter(|(_, seat)| seat.closed).count()
    }

    /// Each connection gave its texts in order, from the first on.
    fn assert_in_order(&self) {
        for (_, seat) in &self.seats {
            let texts = (1..).map(|number| format!("a{number}"));
            let texts = texts.take(seat.messages.len());
            assert!(
                texts.eq(seat.messages.iter().cloned()),
                "{:?}",
                seat.messages
            );
        }
    }

    fn assert_took_no_time(&self) {
        let passed = clock::passed();
        assert!(
            passed <= self.away + SOON || is_hurried(),
            "a wake-up was lost: {passed:?}"
        );
    }
}

/// Runs on a thread of its own.
fn on_its_own(
    mut application: Application,
    run: impl FnOnce(&mut Application) + Send + 'static,
) -> JoinHandle<Application> {
    thread::spawn(move || {
        run(&mut application);
        application
    })
}

/// Opens a connection over each line; the application has taken their Opens. What races begins after it.
fn open(limits: Limits, lines: &[&Line]) -> (Arc<Server>, Application) {
    let server = Arc::new(server(limits));
    for line in lines {
        server.attach((*line).clone());
        line.0.feed(REQUEST);
    }
    let mut application = Application::new(&server);
    for event in server.events().take(lines.len()) {
        application.see(&event);
    }
    race();
    (server, application)
}

fn texts(count: u32) -> Vec<u8> {
    (1..=count).flat_map(text).collect()
}

fn text(number: u32) -> Vec<u8> {
    masked(1, format!("a{number}").as_bytes())
}

/// A peer that sends texts one by one, reads in bites, and answers the Close.
fn talk(line: &Line, count: u32) -> JoinHandle<()> {
    let line = line.clone();
    thread::spawn(move || {
        for number in 1..=count {
            line.0.feed(&text(number));
            line.0.make_room(1 + choose(6) as usize);
        }
        line.0.make_room(ROOM);
        let answered = |frames: Vec<Seen>| frames.len() >= count as usize;
        line.0
            .wait_written(|written| all_of(written).is_some_and(answered));
        if line.0.wait_written(|written| closes(written) > 0) {
            line.0.feed(&masked(8, &1001u16.to_be_bytes()));
        }
        line.0.wait_shut();
        line.0.end();
    })
}

fn all_of(written: &[u8]) -> Option<Vec<Seen>> {
    behind_head(written).map(super::line::frames)
}

fn closes(written: &[u8]) -> usize {
    let frames = all_of(written).unwrap_or_default();
    let closes = frames.iter().filter(|seen| matches!(seen, Seen::Close(_)));
    closes.count()
}

/// Shuts down while no application takes events, and looks that nothing is left.
fn end(server: Arc<Server>, lines: &[&Line]) {
    let report = server.shutdown();
    assert!(report.threads_left == 0 || is_hurried());
    let server = Arc::into_inner(server).expect("nobody else has it");
    let events = server.events().count();
    assert_eq!(events, report.events_not_taken);
    drop(server);
    server::assert_streams_are_free(lines, &report);
}

/// Two peers talk at once with an application that is away now and then: each message comes once and in order, and its
/// answer leaves, whichever thread leads.
pub fn the_lead_changes_hands() {
    const TEXTS: u32 = 3;
    let room = 140 + choose(8) as usize;
    let lines = [Line::with_source(room), Line::new(room)];
    let lines = [&lines[0], &lines[1]];
    let little = Limits {
        inbound_total: 1 << choose(12),
        ..limits()
    };
    let (server, application) = open(little, &lines);
    let peers = lines.map(|line| talk(line, TEXTS));
    let application = on_its_own(application, |it| {
        it.serve(|it| it.messages() == 2 * TEXTS as usize);
    });
    let application = application.join().unwrap();
    application.assert_in_order();
    let stopper = thread::spawn({
        let server = server.clone();
        move || {
            let handle = server.handle();
            drop(server);
            handle.wait()
        }
    });
    for line in lines {
        let answered = line.0.wait_written(|written| {
            all_of(written).is_some_and(|frames| frames.len() >= TEXTS as usize)
        });
        assert!(answered);
    }
    application.assert_took_no_time();
    drop(application);
    server.handle().shutdown();
    stopper.join().unwrap();
    for peer in peers {
        peer.join().unwrap();
    }
    for line in lines {
        let texts = (1..=TEXTS).map(|number| Seen::Text(format!("a{number}")));
        let frames = seen(line);
        assert!(texts.eq(frames[..TEXTS as usize].iter().cloned()));
        assert!(frames.len() <= TEXTS as usize + 1, "{frames:?}");
    }
    end(server, &lines);
}

/// Connections that open while the application comes and goes, each with a message after its request.
pub fn an_arrival_reaches_whoever_waits() {
    let lines = [Line::with_source(ROOM), Line::new(ROOM)];
    let server = Arc::new(server(limits()));
    let peers = [0, 1].map(|at: usize| {
        let (line, server) = (lines[at].clone(), server.clone());
        thread::spawn(move || {
            server.attach(line.clone());
            line.0.feed(&[REQUEST, &texts(1)].concat());
        })
    });
    let application = on_its_own(Application::new(&server), |it| {
        it.serve(|it| it.messages() == 2);
    });
    for peer in peers {
        peer.join().unwrap();
    }
    let application = application.join().unwrap();
    application.assert_took_no_time();
    drop(application);
    for line in &lines {
        line.0.break_off();
    }
    end(server, &[&lines[0], &lines[1]]);
}

/// A shutdown from two sides while one connection is open, one opens and the application comes and goes: the events
/// end, every Open has its Close, and nothing is left.
pub fn arrivals_race_the_shutdown() {
    let lines = [Line::new(ROOM), Line::new(ROOM)];
    let (server, application) = open(limits(), &[&lines[0]]);
    let peers = [0, 1].map(|at: usize| {
        let (line, server) = (lines[at].clone(), server.clone());
        thread::spawn(move || {
            if at == 1 {
                server.attach(line.clone());
                line.0.feed(REQUEST);
            }
            drop(server);
            line.0.feed(&texts(1));
            if line.0.wait_written(|written| closes(written) > 0) {
                line.0.feed(&masked(8, &1001u16.to_be_bytes()));
            }
            line.0.wait_shut();
            line.0.end();
        })
    });
    let application = on_its_own(application, |it| it.serve(|it| it.ended));
    let stopper = thread::spawn({
        let handle = server.handle();
        move || handle.shutdown()
    });
    let report = server.shutdown();
    stopper.join().unwrap();
    for peer in peers {
        peer.join().unwrap();
    }
    let application = application.join().unwrap();
    application.assert_took_no_time();
    application.assert_in_order();
    assert_eq!(application.closed(), application.seats.len());
    assert!(report.threads_left == 0 || is_hurried());
    drop(application);
    assert_eq!(server.events().count(), 0);
    drop(Arc::into_inner(server).expect("nobody else has it"));
    for line in &lines {
        assert!(line.0.is_shut());
        let holders = Arc::strong_count(&line.0);
        assert!(
            holders == 1 || report.threads_left > 0,
            "the server holds a stream"
        );
    }
}

/// A stream whose first write returns when it is told to.
struct Held(Line, Arc<(Mutex<bool>, Condvar)>);

impl Held {
    fn let_go(gate: &(Mutex<bool>, Condvar)) {
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
    }
}

impl Transport for Held {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        self.0.read(buffer, deadline)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut open = self.1.0.lock().unwrap();
        while !*open {
            open = self.1.1.wait(open).unwrap();
        }
        drop(open);
        // It has left, whatever became of the stream meanwhile.
        Ok(buffers.iter().map(|buffer| buffer.len()).sum())
    }

    fn wait_writable(&self, _: Instant) -> io::Result<()> {
        Ok(())
    }

    fn wake_when_writable(&self, waker: &Waker) {
        waker.wake();
    }

    fn source(&self) -> Option<Source<'_>> {
        self.0.source()
    }

    fn shutdown(&self, how: How) {
        self.0.shutdown(how);
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }
}

/// The answer to an opening handshake leaves when the shutdown is done and nobody leads any more: the connection ends at
/// once, and nothing of it is left.
pub fn a_stream_outlives_the_shutdown() {
    let gate = Arc::<(Mutex<bool>, Condvar)>::default();
    let line = Line::new(ROOM);
    let server = server(server::limits());
    server.attach(Held(line.clone(), gate.clone()));
    line.0.feed(REQUEST);
    let late = match choose(2) {
        0 => {
            kernel::settle();
            None
        }
        _ => Some(thread::spawn({
            let gate = gate.clone();
            move || Held::let_go(&gate)
        })),
    };
    race();
    let report = server.shutdown();
    assert!(report.threads_left <= 1);
    let events = server.events().count();
    assert_eq!(events, report.events_not_taken);
    drop(server);
    Held::let_go(&gate);
    if let Some(late) = late {
        late.join().unwrap();
    }
    line.0.wait_shut();
    line.0.end();
    kernel::pass(Duration::from_secs(60));
    assert_eq!(Arc::strong_count(&line.0), 1, "the server holds a stream");
}

/// The application has waited for so long that its stand-in rests, and stays away with what it got: the stand-in leads.
pub fn a_ping_is_answered_while_the_application_is_away() {
    let line = Line::with_source(ROOM);
    let (server, application) = open(limits(), &[&line]);
    let peer = thread::spawn({
        let line = line.clone();
        move || {
            kernel::pass(AWAY);
            line.0.feed(&text(1));
            kernel::pass(AWAY);
            line.0.feed(&masked(9, b"there?"));
        }
    });
    let ponged = |written: &[u8]| all_of(written).is_some_and(|frames| !frames.is_empty());
    let application = on_its_own(application, {
        let line = line.clone();
        move |it| {
            it.patient = true;
            it.serve_with(
                |it| it.messages() == 1,
                |_| assert!(line.0.wait_written(ponged)),
            );
        }
    });
    peer.join().unwrap();
    drop(application.join().unwrap());
    assert_eq!(seen(&line), [Seen::Pong(b"there?".to_vec())]);
    line.0.break_off();
    end(server, &[&line]);
}

/// A peer that sends more than there is room for is terminated, by the application or another thread: its next event is
/// the Close.
pub fn a_starved_connection_is_terminated() {
    let lines = [Line::with_source(ROOM), Line::new(ROOM)];
    let lines = [&lines[0], &lines[1]];
    let little = Limits {
        inbound_total: 100,
        inbound_per_connection: 1 + choose(150) as usize,
        ..limits()
    };
    let (server, application) = open(little, &lines);
    let peers = lines.map(|line| {
        let line = line.clone();
        thread::spawn(move || {
            for number in 1..=4 {
                line.0.feed(&text(number));
            }
            line.0.wait_shut();
        })
    });
    let (first, connection) = std::sync::mpsc::channel();
    let application = on_its_own(application, move |it| {
        let mut at = 0;
        it.serve_with(
            |it| it.closed() == 2,
            |event| {
                if let Event::Message(connection, _) = event {
                    at += 1;
                    match at {
                        1 => first.send(connection).unwrap(),
                        _ => connection.terminate(),
                    }
                }
            },
        );
    });
    for peer in peers {
        peer.join().unwrap();
    }
    let application = application.join().unwrap();
    drop(connection);
    application.assert_took_no_time();
    drop(application);
    end(server, &lines);
}

/// A peer closes, or ends its direction, right after its messages: their answers go before the Close.
pub fn answers_go_before_the_close() {
    const TEXTS: u32 = 2;
    let line = Line::new(ROOM);
    let (server, application) = open(limits(), &[&line]);
    let peer = thread::spawn({
        let line = line.clone();
        move || {
            line.0.feed(&texts(TEXTS));
            match choose(2) {
                0 => line.0.feed(&masked(8, &1000u16.to_be_bytes())),
                _ => line.0.end(),
            }
            line.0.wait_shut();
            line.0.end();
        }
    });
    let application = on_its_own(application, |it| it.serve(|it| it.closed() == 1));
    let application = application.join().unwrap();
    peer.join().unwrap();
    application.assert_took_no_time();
    assert_eq!(application.messages(), TEXTS as usize);
    let frames = seen(&line);
    let texts = frames.iter().filter(|seen| matches!(seen, Seen::Text(_)));
    assert!(
        texts.count() == TEXTS as usize || is_hurried(),
        "{frames:?}"
    );
    assert!(frames.len() <= TEXTS as usize + 1, "{frames:?}");
    drop(application);
    end(server, &[&line]);
}

/// A text of which each read brings one at most, so that it makes a turn long.
fn long_text(number: u32) -> Vec<u8> {
    const LEN: u16 = 60_000;
    let mut frame = vec![0x81, 0xfe];
    frame.extend(LEN.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(format!("a{number}").bytes());
    frame.resize(8 + usize::from(LEN), b' ');
    frame
}

/// Two peers send much, are silent for a while and send again: each has a thread meanwhile, and its messages come once
/// and in order, whether the application has room for them or makes it one by one, and whether there are threads.
pub fn a_busy_connection_changes_hands() {
    const AT_ONCE: u32 = 6;
    const LATER: u32 = 1;
    /// Longer than a thread waits for more.
    const SILENCE: Duration = Duration::from_millis(15);
    let lines = [Line::with_source(ROOM), Line::with_source(ROOM)];
    let lines = [&lines[0], &lines[1]];
    let limits = Limits {
        inbound_total: 1 << (15 + choose(8)),
        inbound_per_connection: 1 << (15 + choose(8)),
        ..limits()
    };
    let (server, application) = open(limits, &lines);
    if choose(4) == 0 {
        server.hub.workers.stop_pool(|| usize::MAX, Instant::now());
    }
    let closes = choose(2) == 0;
    let peers = lines.map(|line| {
        let line = line.clone();
        thread::spawn(move || {
            (1..=AT_ONCE).for_each(|number| line.0.feed(&long_text(number)));
            kernel::pass(SILENCE);
            (1..=LATER).for_each(|number| line.0.feed(&long_text(AT_ONCE + number)));
            match closes {
                true => line.0.feed(&masked(8, &1000u16.to_be_bytes())),
                false => line.0.end(),
            }
            line.0.wait_shut();
            line.0.end();
        })
    });
    let application = on_its_own(application, |it| {
        it.patient = true;
        it.serve_with(|it| it.closed() == 2, drop);
    });
    for peer in peers {
        peer.join().unwrap();
    }
    let application = application.join().unwrap();
    application.assert_in_order();
    assert_eq!(application.messages() as u32, 2 * (AT_ONCE + LATER));
    drop(application);
    end(server, &lines);
}
