//! A client that asks faster than it listens is slowed down, not dropped; and who may not lose anything is told when there is
//! room: `Overflow::Refuse`, `Event::Drained`, `send_timeout`.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::{
    Client, PATIENCE, duplex, events_in_time, frame, serving, upgrade, wait_until,
};
use wshub::testing::Duplex;
use wshub::{
    Connection, Event, Limits, Overflow, SendErrorKind, Server, ServerBuilder, Transport, serve,
};

/// More than streams and bounds hold.
const AHEAD: usize = 24 << 20;
/// Every kind of message: none, short, as long as a read, and the longest.
const LENGTHS: [usize; 5] = [0, 200, 64 << 10, (1 << 20) - 1, 1 << 20];

/// Sends ahead, and reads only when the server has taken all, or takes no more: every answer comes.
fn ask_ahead(
    len: usize,
    mut send: impl FnMut(&[u8]) + Send + 'static,
    mut read: impl FnMut() -> Vec<u8>,
) {
    let count = (AHEAD / len.max(1)).min(100_000);
    let (tell, sent) = channel();
    let sending = thread::spawn(move || {
        (0..count).for_each(|n| send(&vec![n as u8; len]));
        let _ = tell.send(());
    });
    // It never comes where the server slows its peer down.
    let _ = sent.recv_timeout(Duration::from_millis(500));
    for n in 0..count {
        assert!(read() == vec![n as u8; len], "answer {n} of {len} bytes");
    }
    sending.join().unwrap();
}

/// One end of a stream, for two threads.
#[derive(Clone)]
struct Shared(Arc<Duplex>);

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Transport::read(&*self.0, buffer, Some(Instant::now() + PATIENCE))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.try_write(&[io::IoSlice::new(bytes)]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.0.wait_writable(Instant::now() + PATIENCE)?;
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ask_over<S: Read + Write + Send + 'static>(len: usize, stream: S, mut other: S) {
    let mut client = Client::open(stream, &upgrade("localhost", "/", ""));
    let send = move |payload: &[u8]| other.write_all(&frame(true, 2, payload)).unwrap();
    ask_ahead(len, send, || {
        let answer = client.read();
        assert_eq!(answer.opcode, 2, "{len}: {answer:?}");
        answer.payload
    });
}

fn ask_over_tcp(len: usize, addr: SocketAddr) {
    let stream = crate::support::dial(addr);
    let other = stream.try_clone().unwrap();
    ask_over(len, stream, other);
}

#[test]
fn b01_events_answer_who_asks_ahead_over_tcp() {
    for len in LENGTHS {
        let app = App::echo(Server::builder());
        ask_over_tcp(len, app.addr);
    }
}

#[test]
fn b01_events_answer_who_asks_ahead_over_a_stream_that_has_a_thread() {
    for len in LENGTHS {
        ask_over_memory(len, Server::builder());
    }
}

fn ask_over_memory(len: usize, builder: ServerBuilder) {
    let server = builder.without_listener().unwrap();
    let (ours, theirs) = duplex();
    server.attach(ours);
    let handle = server.handle();
    let answering = thread::spawn(move || {
        for event in server.events() {
            if let Event::Message(connection, message) = event {
                let _ = connection.send(message);
            }
        }
    });
    let shared = Shared(Arc::new(theirs));
    ask_over(len, shared.clone(), shared);
    handle.shutdown();
    answering.join().unwrap();
}

/// Two of the longest messages may wait, and one read brings no more.
#[test]
fn b01_small_limits_answer_who_asks_ahead() {
    for len in [0, 4, 200, 4_000, 8 << 10] {
        let small = || Server::builder().limits(Limits::small());
        ask_over_memory(len, small());
        let app = App::echo(small());
        ask_over_tcp(len, app.addr);
    }
}

#[test]
fn b01_a_closure_answers_who_asks_ahead() {
    for len in LENGTHS {
        let handle = serve("127.0.0.1:0", serving::echo).unwrap();
        ask_over_tcp(len, handle.local_addr().unwrap());
        handle.shutdown();
        handle.wait();
    }
}

/// Another thread of the closure's sends what is asked for.
#[test]
fn b01_another_thread_answers_for_a_closure() {
    let handle = serve("127.0.0.1:0", |mut ws| {
        while let Some(message) = ws.read()? {
            let connection = ws.connection().clone();
            thread::spawn(move || connection.send(message))
                .join()
                .unwrap()?;
        }
        Ok(())
    })
    .unwrap();
    ask_over_tcp(1 << 20, handle.local_addr().unwrap());
    handle.shutdown();
    handle.wait();
}

/// In both forms: by events, and with a closure.
#[cfg(all(feature = "client", feature = "tls"))]
#[test]
fn b01_who_asks_ahead_is_answered_over_tls() {
    use crate::support::tls::Authority;

    let authority = Authority::new();
    let ask = |len, addr: SocketAddr| {
        let tls = wshub::ClientTls::builder().ca(authority.pem());
        let url = format!("wss://localhost:{}/", addr.port());
        let request = wshub::ClientRequest::new(&url).unwrap();
        ask_by(len, request.with_tls(&tls.build().unwrap()));
    };
    for len in LENGTHS {
        in_both_forms(
            || Server::builder().tls(&authority.tls()),
            |addr| ask(len, addr),
        );
    }
}

/// What a client compresses to a thousandth is answered as it is, too.
#[cfg(all(feature = "client", feature = "deflate"))]
#[test]
fn b01_who_asks_ahead_is_answered_compressed() {
    use wshub::{ClientRequest, Compression};

    let plain = Compression {
        threshold: usize::MAX,
        ..Compression::default()
    };
    let ask = |len, addr: SocketAddr| {
        let request = ClientRequest::new(&format!("ws://{addr}/")).unwrap();
        ask_by(len, request.with_compression(Compression::default()));
    };
    let rounds = LENGTHS.map(|len| (len, Compression::default()));
    let answered_plain = [9000, 1 << 20].map(|len| (len, plain.clone()));
    for (len, own) in rounds.into_iter().chain(answered_plain) {
        in_both_forms(
            || Server::builder().compression(own.clone()),
            |addr| ask(len, addr),
        );
    }
}

#[cfg(all(feature = "client", any(feature = "tls", feature = "deflate")))]
fn in_both_forms(builder: impl Fn() -> ServerBuilder, ask: impl Fn(SocketAddr)) {
    let app = App::echo(builder());
    ask(app.addr);
    drop(app);
    let handle = builder().serve("127.0.0.1:0", serving::echo).unwrap();
    ask(handle.local_addr().unwrap());
    handle.shutdown();
    handle.wait();
}

#[cfg(all(feature = "client", any(feature = "tls", feature = "deflate")))]
fn ask_by(len: usize, request: wshub::ClientRequest) {
    let (mut reader, mut writer) = wshub::connect(request).unwrap().split();
    let send = move |payload: &[u8]| writer.send(payload.to_vec()).unwrap();
    ask_ahead(len, send, || {
        reader.read().unwrap().expect("an answer").into_bytes()
    });
}

/// A second message comes while the application still has the first, and the peer takes nothing yet: there is room for one
/// such answer at least, and what would be too much is not read.
#[test]
fn b01_nothing_is_read_ahead_whose_answer_finds_no_room() {
    let len = Limits::default().max_message;
    let server = Server::builder().without_listener().unwrap();
    let (ours, theirs) = duplex();
    server.attach(ours);
    let shared = Shared(Arc::new(theirs));
    let mut client = Client::open(shared.clone(), &upgrade("localhost", "/", ""));
    let mut other = shared;
    let asking = thread::spawn(move || {
        (0..2).for_each(|_| other.write_all(&frame(true, 2, &vec![7; len])).unwrap());
    });
    let mut events = server.events();
    assert!(matches!(events.recv_timeout(PATIENCE), Ok(Event::Open(_))));
    let answer = |event| match event {
        Ok(Event::Message(connection, message)) => connection.send(message).unwrap(),
        other => panic!("{other:?}"),
    };
    let first = events.recv_timeout(PATIENCE);
    wait_until("the reader waits for the application", || {
        server.stats().waiting_for_application == 1
    });
    answer(first);
    // Whether it is read before the peer takes anything is the server's own affair.
    let early = events.recv_timeout(Duration::from_millis(200));
    let comes_later = early.is_err();
    if !comes_later {
        answer(early);
    }
    let reading = thread::spawn(move || {
        (0..2).for_each(|_| assert_eq!(client.read().payload.len(), len));
    });
    if comes_later {
        answer(events.recv_timeout(PATIENCE));
    }
    reading.join().unwrap();
    asking.join().unwrap();
}

fn refusing() -> ServerBuilder {
    Server::builder().overflow(Overflow::Refuse)
}

const CHUNK: usize = 100_000;

/// Sends the chunks from `next` on until one is refused; which one.
fn go_on(connection: &Connection, next: usize, count: usize) -> usize {
    for n in next..count {
        if let Err(error) = connection.send(vec![n as u8; CHUNK]) {
            assert_eq!(error.kind(), SendErrorKind::Full);
            assert_eq!(error.into_message().into_bytes(), vec![n as u8; CHUNK]);
            return n;
        }
    }
    count
}

fn download(server: &Server, count: usize) -> usize {
    let (mut next, mut drained) = (0, 0);
    for event in events_in_time(server.events()) {
        match event {
            Event::Open(connection) => next = go_on(&connection, next, count),
            Event::Drained(connection) => {
                drained += 1;
                assert!(next < count, "told of room, and nothing was refused");
                assert!(connection.buffered_amount() <= 1 << 20);
                next = go_on(&connection, next, count);
            }
            Event::Message(connection, _) => drop(connection.close(1000, "")),
            Event::Close(..) => break,
            other => panic!("{other:?}"),
        }
    }
    drained
}

#[test]
fn refuse_loses_nothing_and_says_when_there_is_room() {
    const COUNT: usize = 300;
    for over_tcp in [true, false] {
        let server = match over_tcp {
            true => refusing().bind("127.0.0.1:0").unwrap(),
            false => refusing().without_listener().unwrap(),
        };
        let stream: Box<dyn ReadWrite> = match over_tcp {
            true => Box::new(crate::support::dial(server.local_addr().unwrap())),
            false => {
                let (ours, theirs) = duplex();
                server.attach(ours);
                Box::new(theirs)
            }
        };
        let reading = thread::spawn(move || {
            let mut client = Client::open(stream, &upgrade("localhost", "/", ""));
            for n in 0..COUNT {
                assert!(client.read().payload == vec![n as u8; CHUNK], "chunk {n}");
            }
            client.send_text("all of it");
            assert_eq!(client.read().close(), (1000, ""));
            client.send_close(1000, "");
        });
        assert!(download(&server, COUNT) > 0);
        reading.join().unwrap();
        assert_eq!(server.stats().dropped, 0);
    }
}

trait ReadWrite: Read + Write + Send {}
impl<S: Read + Write + Send> ReadWrite for S {}

#[test]
fn refuse_gives_up_who_takes_nothing() {
    let limits = Limits {
        write_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = refusing().limits(limits).without_listener().unwrap();
    let (ours, theirs) = duplex();
    server.attach(ours);
    let _client = wshub::testing::Client::open(theirs, "/").unwrap();
    let mut events = server.events();
    let connection = events.recv_timeout(PATIENCE).unwrap().connection().clone();
    assert!(go_on(&connection, 0, 1000) < 1000);
    let error = events.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(error, Event::Error(_, wshub::Error::SlowConsumer)));
    let close = events.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(close, Event::Close(..)));
}

#[test]
fn send_timeout_waits_for_room_and_gives_back_what_finds_none() {
    for overflow in [
        Overflow::Disconnect,
        Overflow::DropNewest,
        Overflow::DropOldest,
        Overflow::Refuse,
    ] {
        let server = Server::builder().overflow(overflow);
        let server = server.without_listener().unwrap();
        let (ours, theirs) = duplex();
        server.attach(ours);
        let mut client = wshub::testing::Client::open(theirs, "/").unwrap();
        let mut events = server.events();
        // On the application's own thread, too.
        let connection = events.recv_timeout(PATIENCE).unwrap().connection().clone();
        let (mut sent, short) = (0, Duration::from_millis(20));
        while connection
            .send_timeout(vec![sent as u8; CHUNK], short)
            .is_ok()
        {
            sent += 1;
            assert!(sent < 100, "nothing is ever full");
        }
        let refused = connection.send_timeout("more".repeat(CHUNK), short);
        assert_eq!(refused.unwrap_err().kind(), SendErrorKind::Full);
        let last = sent + 50;
        let sending = thread::spawn(move || {
            for n in sent..last {
                connection
                    .send_timeout(vec![n as u8; CHUNK], PATIENCE)
                    .unwrap();
            }
            connection
        });
        for n in 0..last {
            assert!(
                client.read_frame().unwrap().payload == vec![n as u8; CHUNK],
                "{n}"
            );
        }
        let connection = sending.join().unwrap();
        assert_eq!(server.stats().dropped, 0);
        connection.terminate();
        let late = connection.send_timeout("late", PATIENCE).unwrap_err();
        assert_eq!(late.kind(), SendErrorKind::Closed);
    }
}

/// One that is not read from, for it does not read, hears of the end all the same, and so does the application.
#[test]
fn b01_one_that_is_not_read_from_ends_in_order() {
    for shutdown in [true, false] {
        let limits = Limits {
            close_timeout: Duration::from_millis(200),
            ..Limits::default()
        };
        let server = Server::builder()
            .limits(limits)
            .bind("127.0.0.1:0")
            .unwrap();
        let client = Client::connect(server.local_addr().unwrap());
        let mut events = server.events();
        let connection = events.recv_timeout(PATIENCE).unwrap().connection().clone();
        while connection.buffered_amount() < 1 << 20 {
            connection.send(vec![7; 900_000]).unwrap();
        }
        match shutdown {
            true => server.handle().shutdown(),
            false => connection.terminate(),
        }
        let ended = events.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(ended, Event::Close(..)), "{ended:?}");
        drop(client);
    }
}
