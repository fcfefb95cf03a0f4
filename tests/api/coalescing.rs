//! Frames collect while more events wait, and never for long.

use std::io::{self, IoSlice, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::support::{self, Client, PATIENCE, duplex, events_in_time, frame, serving, upgrade};
use wshub::testing::Duplex;
use wshub::{Connection, Event, How, Server, ServerHandle, Transport};

/// A stream in memory that counts the writes of its server.
struct Counting {
    stream: Duplex,
    writes: Arc<AtomicUsize>,
}

impl Transport for Counting {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        Transport::read(&self.stream, buffer, deadline)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.writes.fetch_add(1, SeqCst);
        self.stream.try_write(buffers)
    }

    crate::support::delegated!(stream);
}

/// Attaches a client; returns it with the count of the server's writes to it.
fn attach(handle: &ServerHandle) -> (Client<Duplex>, Arc<AtomicUsize>) {
    attach_at(handle, "/")
}

fn attach_at(handle: &ServerHandle, path: &str) -> (Client<Duplex>, Arc<AtomicUsize>) {
    let (stream, peer) = duplex();
    let writes = Arc::default();
    handle.attach(Counting {
        stream,
        writes: Arc::clone(&writes),
    });
    (Client::open(peer, &upgrade("localhost", path, "")), writes)
}

fn without_listener() -> Server {
    Server::builder().without_listener().unwrap()
}

/// Waits until the server has read so many messages.
fn wait_for_messages(server: &Server, count: u64) {
    support::wait_until("the server has read them", || {
        server.stats().messages_in >= count
    });
}

fn open(events: &mut wshub::Events<'_>) -> Connection {
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Open(connection)) => connection,
        other => panic!("{other:?}"),
    }
}

/// The handler does not come back before its peer has what it sent, though more events wait.
#[test]
fn a_busy_handler_does_not_hold_its_frames_back() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let (got, confirmed) = mpsc::channel();
    let client = thread::spawn(move || {
        let mut client = Client::connect(addr);
        let three = frame(true, 1, b"question").repeat(3);
        client.stream.write_all(&three).unwrap();
        for n in 0..3 {
            assert_eq!(client.read().text(), format!("answer {n}"));
            got.send(()).unwrap();
        }
        client
    });
    let mut events = server.events();
    let connection = open(&mut events);
    wait_for_messages(&server, 3);
    for n in 0..3 {
        assert!(matches!(
            events.recv_timeout(PATIENCE),
            Ok(Event::Message(..))
        ));
        let since = Instant::now();
        connection.send(format!("answer {n}")).unwrap();
        confirmed
            .recv_timeout(PATIENCE)
            .expect("the helper flushes");
        assert!(since.elapsed() < PATIENCE / 2, "{:?}", since.elapsed());
    }
    drop(client.join().unwrap());
}

/// The same for broadcasts, and for a handler that sleeps instead of waiting.
#[test]
fn a_busy_handler_does_not_hold_its_broadcasts_back() {
    let server = without_listener();
    let mut clients: Vec<_> = (0..10).map(|_| attach(&server.handle()).0).collect();
    let mut events = server.events();
    (0..10).for_each(|_| drop(open(&mut events)));
    let two = frame(true, 1, b"go").repeat(2);
    clients[0].stream.write_all(&two).unwrap();
    wait_for_messages(&server, 2);
    assert!(matches!(
        events.recv_timeout(PATIENCE),
        Ok(Event::Message(..))
    ));
    assert_eq!(server.broadcast("tick").sent, 10);
    // The handler waits right here until every peer has the frame.
    for client in &mut clients {
        assert_eq!(client.read().text(), "tick");
    }
}

#[test]
fn many_queued_messages_are_answered_in_few_writes() {
    const MESSAGES: usize = 1000;
    let server = without_listener();
    let (mut client, writes) = attach(&server.handle());
    let sent: Vec<u8> = (0..MESSAGES)
        .flat_map(|n| frame(true, 1, n.to_string().as_bytes()))
        .collect();
    client.stream.write_all(&sent).unwrap();
    client.send_close(1000, "");
    let reader = thread::spawn(move || {
        for n in 0..MESSAGES {
            assert_eq!(client.read().text(), n.to_string());
        }
        assert_eq!(client.read().close().0, 1000);
    });
    for event in events_in_time(server.events()) {
        match event {
            Event::Message(connection, message) => connection.send(message).unwrap(),
            Event::Close(..) => break,
            _ => {}
        }
    }
    reader.join().unwrap();
    let writes = writes.load(SeqCst);
    assert!(
        writes < MESSAGES / 4,
        "{writes} writes for {MESSAGES} answers"
    );
}

#[test]
fn a_handler_of_its_own_thread_answers_many_messages_in_few_writes() {
    const MESSAGES: usize = 1000;
    let handle = wshub::serve("127.0.0.1:0", serving::echo).unwrap();
    let (mut client, writes) = attach(&handle);
    let sent: Vec<u8> = (0..MESSAGES)
        .flat_map(|n| frame(true, 1, n.to_string().as_bytes()))
        .collect();
    client.stream.write_all(&sent).unwrap();
    for n in 0..MESSAGES {
        assert_eq!(client.read().text(), n.to_string());
    }
    let writes = writes.load(SeqCst);
    assert!(
        writes < MESSAGES / 4,
        "{writes} writes for {MESSAGES} answers"
    );
    drop(client);
    handle.shutdown();
    handle.wait();
}

/// The buffer of an idle connection is small; what is sent at once is taken at once all the same.
#[test]
fn a_burst_that_ends_a_silence_is_one_batch_and_the_end_behind_it_is_seen() {
    const MESSAGES: usize = 100;
    let (ended, end) = mpsc::channel();
    let handle = wshub::serve("127.0.0.1:0", move |mut ws| {
        while let Some(message) = ws.read()? {
            ws.send(message)?;
        }
        ended.send(ws.close_event().cloned())?;
        Ok(())
    })
    .unwrap();
    let (mut client, writes) = attach(&handle);
    let before = writes.load(SeqCst);
    let text = "0123456789".repeat(5);
    let sent = frame(true, 1, text.as_bytes()).repeat(MESSAGES);
    client.stream.write_all(&sent).unwrap();
    Transport::shutdown(&client.stream, How::Write);
    for _ in 0..MESSAGES {
        assert_eq!(client.read().text(), text);
    }
    // One, and a few more where its thread stood still amid it: nothing is held back for long.
    let writes = writes.load(SeqCst) - before;
    assert!(writes < 5, "{writes} writes for {MESSAGES} answers");
    let close = end.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!((close.code.into(), close.was_clean), (1006u16, false));
    handle.shutdown();
    handle.wait();
}

#[test]
fn with_no_event_waiting_a_send_leaves_at_once() {
    let server = without_listener();
    let (mut client, writes) = attach(&server.handle());
    let mut events = server.events();
    let connection = open(&mut events);
    for n in 0..100 {
        let before = writes.load(SeqCst);
        connection.send(format!("{n}")).unwrap();
        assert_eq!(writes.load(SeqCst), before + 1);
        assert_eq!(connection.buffered_amount(), 0);
        assert_eq!(client.read().text(), format!("{n}"));
        client.send_text("next");
        assert!(matches!(
            events.recv_timeout(PATIENCE),
            Ok(Event::Message(..))
        ));
    }
}

/// What another thread sends goes after what was collected before, and takes it along.
#[test]
fn order_is_kept_across_all_ways_of_sending() {
    const ROUNDS: usize = 50;
    let server = without_listener();
    let (mut client, _) = attach(&server.handle());
    let reader = thread::spawn(move || {
        let many = frame(true, 1, b"go").repeat(ROUNDS);
        client.stream.write_all(&many).unwrap();
        let mut next = 0;
        while next < ROUNDS * 5 {
            let frame = client.read();
            if frame.opcode == 9 {
                continue;
            }
            let text = std::str::from_utf8(&frame.payload).unwrap();
            assert_eq!(text.trim_end(), next.to_string());
            next += 1;
        }
    });
    let mut events = server.events();
    let connection = open(&mut events);
    let mut next = 0;
    let mut number = || {
        next += 1;
        format!("{}", next - 1)
    };
    for _ in 0..ROUNDS {
        assert!(matches!(
            events.recv_timeout(PATIENCE),
            Ok(Event::Message(..))
        ));
        connection.send(number()).unwrap();
        assert_eq!(server.broadcast(number()).sent, 1);
        let (other, text) = (connection.clone(), number());
        thread::spawn(move || other.send(text).unwrap())
            .join()
            .unwrap();
        // Too large to be collected.
        connection.send(format!("{:20000}", number())).unwrap();
        connection.ping().unwrap();
        connection.send(number()).unwrap();
    }
    reader.join().unwrap();
}

#[test]
fn what_was_collected_leaves_with_the_iterator_a_close_or_a_shutdown() {
    for way in 0..3 {
        let server = without_listener();
        let (mut client, _) = attach(&server.handle());
        let two = frame(true, 1, b"go").repeat(2);
        client.stream.write_all(&two).unwrap();
        wait_for_messages(&server, 2);
        let mut events = server.events();
        let connection = open(&mut events);
        assert!(matches!(
            events.recv_timeout(PATIENCE),
            Ok(Event::Message(..))
        ));
        connection.send("collected").unwrap();
        match way {
            0 => {
                drop(events);
                assert_eq!(connection.buffered_amount(), 0);
            }
            1 => connection.close(1000, "").unwrap(),
            _ => server.handle().shutdown(),
        }
        assert_eq!(client.read().text(), "collected");
        if way > 0 {
            assert_eq!(client.read().opcode, 8);
        }
    }
}

/// Of what one listener of Socket.IO emits, the first leaves at once and the rest together; and all of it reaches a
/// client that keeps up, what is volatile too.
#[cfg(feature = "socketio")]
#[test]
fn a_burst_of_emits_leaves_in_few_writes() {
    use wshub::socketio::{Socket, SocketIo};
    const EMITS: usize = 16;

    let mut io = SocketIo::new(());
    io.on("/", "burst", |_, socket: &Socket<()>, ()| {
        for number in 0..EMITS {
            socket.all().emit("tick", number);
        }
        socket.all().volatile().emit("tick", EMITS);
    });
    let builder = Server::builder().socketio(&io, "/socket.io/");
    let server = builder.without_listener().unwrap();
    let handle = server.handle();
    let running = thread::spawn(move || server.run(&mut io).unwrap());
    let mut clients = [(); 3].map(|()| {
        let (mut client, writes) = attach_at(&handle, "/socket.io/?EIO=4&transport=websocket");
        assert!(client.read().text().starts_with("0{"));
        client.send_text("40");
        assert!(client.read().text().starts_with("40{"));
        (client, writes)
    });
    let before = clients.each_ref().map(|(_, writes)| writes.load(SeqCst));
    clients[0].0.send_text("42[\"burst\"]");
    for (client, _) in &mut clients {
        for number in 0..=EMITS {
            assert_eq!(client.read().text(), format!("42[\"tick\",{number}]"));
        }
    }
    for ((_, writes), before) in clients.iter().zip(before) {
        let writes = writes.load(SeqCst) - before;
        // One more where the leader flushes for a listener that is late.
        assert!(writes < EMITS / 2, "{writes} writes for {EMITS} emits");
    }
    handle.shutdown();
    running.join().unwrap();
}

/// What comes together from another server leaves together, though no event of this one's waits.
#[cfg(feature = "redis")]
#[test]
fn a_burst_of_another_server_leaves_in_few_writes() {
    use std::sync::Mutex;
    use wshub::{Backplane, BackplaneError, Cluster, Local, Publisher, Subscriber};

    /// Publishes nothing while the test holds the lock.
    struct Held<B>(B, Arc<Mutex<()>>);

    impl Backplane for Held<Local> {
        fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>) {
            let (publisher, subscriber) = self.0.split();
            (Box::new(Held(publisher, self.1)), subscriber)
        }
    }

    impl Publisher for Held<Box<dyn Publisher>> {
        fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError> {
            let _free = self.1.lock().unwrap();
            self.0.publish(frames)
        }
    }

    const COUNT: usize = 300;
    let (local, gate) = (Local::new(), Arc::default());
    let (near, far) = (without_listener(), without_listener());
    let hears = Cluster::join(&far, local.clone()).unwrap();
    let sends = Cluster::join(&near, Held(local, Arc::clone(&gate))).unwrap();
    support::wait_until("they know each other", || {
        hears.nodes().len() == 2 && sends.nodes().len() == 2
    });
    let (mut client, writes) = attach(&far.handle());
    let mut events = far.events();
    // Between the servers something happens, too.
    support::wait_until("it is open", || {
        matches!(events.recv_timeout(PATIENCE), Ok(Event::Open(_)))
    });
    let before = writes.load(SeqCst);
    let held = gate.lock().unwrap();
    for number in 0..COUNT {
        let _ = sends.broadcast(number.to_string()).unwrap();
    }
    drop(held);
    for number in 0..COUNT {
        assert_eq!(client.read_message().text(), number.to_string());
    }
    let count = writes.load(SeqCst) - before;
    assert!(count < COUNT / 3, "{count} writes");
}
