//! Time beside events: ticks on a fixed schedule, the peer's round trips, reads that end by themselves. In memory.

use std::io::ErrorKind;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::support::{AtEnd, PATIENCE, duplex};
use wshub::testing::{Client, Duplex};
use wshub::{Connection, Error, Event, Handler, Listeners, Message, RunError, Server, Step, Tick};

const INTERVAL: Duration = Duration::from_millis(5);

fn server() -> Server {
    Server::builder().without_listener().unwrap()
}

fn client(server: &Server) -> Client<Duplex> {
    let (ours, theirs) = duplex();
    server.attach(ours);
    Client::open(theirs, "/").unwrap()
}

/// Works for so long.
fn be_busy(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

#[test]
fn ticks_keep_their_schedule_beside_events() {
    let server = server();
    let mut client = client(&server);
    let start = Instant::now();
    let (mut last, mut messages) = (0, 0);
    for step in server.events().tick(INTERVAL) {
        match step {
            Step::Tick(tick) => {
                assert_eq!(tick.number, last + 1 + tick.missed);
                last = tick.number;
                // Not before its time, however late the one before it was.
                assert!(start.elapsed() >= INTERVAL * last as u32);
                if last >= 20 {
                    break;
                }
                client.send_text("between two ticks").unwrap();
            }
            Step::Event(Event::Message(..)) => messages += 1,
            Step::Event(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(messages > 0);
}

#[test]
fn who_was_away_gets_one_tick_that_tells_what_it_missed() {
    let server = server();
    let mut ticks = server.events().tick(INTERVAL);
    let start = Instant::now();
    let mut tick = || match ticks.next() {
        Some(Step::Tick(tick)) => tick,
        other => panic!("{other:?}"),
    };
    let first = tick();
    be_busy(10 * INTERVAL);
    let late = tick();
    assert!(late.missed >= 9, "{late:?}");
    assert_eq!(late.number, first.number + 1 + late.missed);
    // No more ticks than there was time for.
    let next = tick();
    assert!(start.elapsed() >= INTERVAL * next.number as u32, "{next:?}");
}

#[test]
fn ticks_that_take_too_long_leave_time_to_events() {
    const MESSAGES: usize = 500;
    let server = server();
    let mut client = client(&server);
    for _ in 0..MESSAGES {
        client.send_text("input").unwrap();
    }
    let (mut ticks, mut messages) = (0, 0);
    for step in server.events().tick(INTERVAL) {
        match step {
            Step::Tick(_) => {
                ticks += 1;
                assert!(
                    ticks < MESSAGES / 2,
                    "{ticks} ticks for {messages} messages"
                );
                be_busy(2 * INTERVAL);
            }
            Step::Event(Event::Message(..)) => messages += 1,
            _ => {}
        }
        if messages == MESSAGES {
            break;
        }
    }
}

#[derive(Default)]
struct World {
    ticks: Vec<Tick>,
    messages: usize,
    closes: usize,
    wakes: usize,
}

impl Handler for World {
    fn on_message(&mut self, connection: &Connection, message: Message) {
        self.messages += 1;
        connection.send(message).unwrap();
    }

    fn on_close(&mut self, _: &Connection, _: &wshub::CloseEvent) {
        self.closes += 1;
    }

    fn on_wake(&mut self) {
        self.wakes += 1;
    }

    fn on_tick(&mut self, tick: Tick) {
        self.ticks.push(tick);
    }
}

#[test]
fn a_handler_has_ticks_until_the_shutdown_is_through() {
    let server = server();
    let handle = server.handle();
    let mut client = client(&server);
    let peer = std::thread::spawn(move || {
        let _over = AtEnd(|| handle.shutdown());
        client.send_text("hello").unwrap();
        assert_eq!(client.read_message().unwrap(), Some("hello".into()));
        handle.wake();
        handle.shutdown();
        client.close(1000, "").unwrap();
    });
    let mut world = World::default();
    server.run_with_tick(Duration::ZERO, &mut world).unwrap(); // at most a thousand a second
    peer.join().unwrap();
    assert_eq!((world.messages, world.closes, world.wakes), (1, 1, 1));
    for pair in world.ticks.windows(2) {
        assert_eq!(pair[1].number, pair[0].number + 1 + pair[1].missed);
    }
}

#[test]
fn listeners_have_ticks_too() {
    let server = server();
    let handle = server.handle();
    let mut listeners = Listeners::new(Vec::new())
        .on_tick(|numbers: &mut Vec<u64>, tick| numbers.push(tick.number))
        .on_tick(|numbers, _| {
            if numbers.len() == 3 {
                handle.shutdown();
            }
        });
    server.run_with_tick(INTERVAL, &mut listeners).unwrap();
    let numbers = listeners.into_state();
    assert!(numbers.len() >= 3 && numbers.is_sorted(), "{numbers:?}");
}

#[test]
fn a_handler_that_panics_in_a_tick_ends_the_server() {
    let server = server();
    let mut listeners = Listeners::new(()).on_tick(|(), _| panic!("on purpose"));
    let ended = server.run_with_tick(INTERVAL, &mut listeners);
    assert_eq!(ended, Err(RunError::Panicked("on purpose".into())));

    let events = server.events();
    let ended = server.run_with_tick(INTERVAL, &mut World::default());
    assert_eq!(ended, Err(RunError::InUse));
    drop(events);
}

#[test]
fn ticks_are_over_when_the_server_is() {
    let server = server();
    server.handle().shutdown();
    let mut ticks = server.events().tick(Duration::MAX);
    assert!(ticks.next().is_none());
    assert!(ticks.next().is_none());
}

#[test]
fn a_loop_of_ones_own_hands_events_to_a_handler() {
    let server = server();
    let mut client = client(&server);
    client.send_text("hello").unwrap();
    let (mut events, mut world) = (server.events(), World::default());
    while world.messages == 0 {
        events.recv_timeout(PATIENCE).unwrap().dispatch(&mut world);
    }
    assert_eq!(client.read_message().unwrap(), Some("hello".into()));
    Step::Tick(Tick::new(7, 2)).dispatch(&mut world);
    Step::Woken.dispatch(&mut world);
    assert_eq!((world.ticks, world.wakes), (vec![Tick::new(7, 2)], 1));
}

#[test]
fn a_round_trip_is_from_the_ping_to_its_pong() {
    let server = server();
    let mut events = server.events();
    let mut client = client(&server);
    let Ok(Event::Open(connection)) = events.recv_timeout(PATIENCE) else {
        panic!()
    };
    let mut settle = |client: &mut Client<Duplex>| {
        client.send_text("what was before has been read").unwrap();
        events.recv_timeout(PATIENCE).unwrap();
    };
    let begun = Instant::now();
    connection.ping().unwrap();
    let ping = client.read_frame().unwrap();
    for made_up in [&b""[..], b"12345678", &[0; 8]] {
        client.send_frame(true, 10, made_up).unwrap();
    }
    settle(&mut client);
    assert_eq!(connection.rtt(), None);
    client.send_frame(true, 10, &ping.payload).unwrap();
    settle(&mut client);
    let first = connection.rtt().unwrap();
    assert!(first <= begun.elapsed());
    // Once is enough.
    client.send_frame(true, 10, &ping.payload).unwrap();
    settle(&mut client);
    assert_eq!(connection.rtt(), Some(first));
}

/// The heartbeat measures by itself.
#[test]
fn a_peer_that_is_pinged_for_its_silence_is_measured() {
    let limits = wshub::Limits {
        ping_interval: Some(Duration::from_millis(1)),
        ..wshub::Limits::default()
    };
    let builder = Server::builder().limits(limits);
    let (told, measured) = channel();
    let serve = builder.serve("127.0.0.1:0", move |mut session| {
        session.read()?;
        told.send(session.connection().rtt())?;
        Ok(())
    });
    let handle = serve.unwrap();
    let (ours, theirs) = duplex();
    handle.attach(ours);
    let mut client = Client::open(theirs, "/").unwrap();
    let ping = client.read_frame().unwrap();
    assert_eq!(ping.opcode, 9);
    client.send_frame(true, 10, &ping.payload).unwrap();
    client.send_text("done").unwrap();
    assert!(measured.recv_timeout(PATIENCE).unwrap().is_some());
    handle.terminate();
}

#[test]
fn a_session_reads_for_so_long_at_most() {
    let (told, outcomes) = channel();
    let serve = Server::builder().serve("127.0.0.1:0", move |mut session| {
        loop {
            match session.read_timeout(Duration::ZERO) {
                Err(Error::Io(error)) if error.kind() == ErrorKind::TimedOut => {
                    session.send("nothing yet")?;
                }
                outcome => {
                    let ended = !matches!(outcome, Ok(Some(_)));
                    told.send(outcome)?;
                    if ended {
                        return Ok(());
                    }
                }
            }
        }
    });
    let handle = serve.unwrap();
    let (ours, theirs) = duplex();
    handle.attach(ours);
    let mut client = Client::open(theirs, "/").unwrap();
    assert_eq!(client.read_message().unwrap(), Some("nothing yet".into()));
    // A part of a message is not lost where the time runs out in it.
    client.send_frame(false, 1, b"in ").unwrap();
    assert_eq!(client.read_message().unwrap(), Some("nothing yet".into()));
    client.send_frame(true, 0, b"parts").unwrap();
    let outcome = outcomes.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!(outcome, Some("in parts".into()));
    client.close(1000, "").unwrap();
    let outcome = outcomes.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!(outcome, None);
    handle.shutdown();
}
