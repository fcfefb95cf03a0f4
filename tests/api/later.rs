//! Answers that come later: from any thread, once, without a thread meanwhile; bounded in number and time.

use std::io::{self, BufReader, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::{
    Client, PATIENCE, Thorny, dial, duplex, exchange, read_head, read_to_close, throw, wait_until,
};
use wshub::{
    Cors, How, Limits, Responder, Response, Server, ServerBuilder, Status, Transport, Waker,
    testing,
};

/// A server that hands each request's Responder to the test.
struct Polls {
    app: App,
    responders: Receiver<Responder>,
}

fn polls(limits: Limits) -> Polls {
    polls_of(Server::builder().limits(limits))
}

fn hook(
    tell: Sender<Responder>,
) -> impl Fn(&wshub::HookRequest<'_>) -> Response + Send + Sync + 'static {
    let tell = Mutex::new(tell);
    move |request| match request.path() {
        "/now" => Response::text("now"),
        "/early" => {
            let (response, responder) = Response::later();
            responder.send(Response::text("early")).unwrap();
            response
        }
        "/dropped" => Response::later().0,
        "/nested" => {
            let (response, responder) = Response::later();
            responder.send(Response::later().0).unwrap();
            response
        }
        _ => {
            let (response, responder) = Response::later();
            tell.lock().unwrap().send(responder).unwrap();
            response
        }
    }
}

fn polls_of(builder: ServerBuilder) -> Polls {
    let (tell, responders) = channel();
    Polls {
        app: App::echo(builder.http(hook(tell))),
        responders,
    }
}

impl Polls {
    fn ask(&self, path: &str) -> (TcpStream, Responder) {
        let mut stream = dial(self.app.addr);
        stream.write_all(get(path).as_bytes()).unwrap();
        (stream, self.next())
    }

    fn next(&self) -> Responder {
        self.responders.recv_timeout(PATIENCE).unwrap()
    }

    fn waiting(&self) -> usize {
        self.app.handle.stats().waiting_requests
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn last(path: &str) -> String {
    get(path).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
}

fn read_body(stream: &mut impl Read, length: usize) -> String {
    let head = read_head(stream).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        head.contains(&format!("\r\nContent-Length: {length}\r\n")),
        "{head}"
    );
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

fn status_at_the_end(stream: &mut TcpStream) -> String {
    let answer = String::from_utf8(read_to_close(stream)).unwrap();
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    answer[9..12].to_owned()
}

#[test]
fn an_answer_comes_later_from_any_thread_and_the_connection_goes_on() {
    let polls = polls(Limits::default());
    let mut stream = dial(polls.app.addr);
    for _ in 0..3 {
        stream.write_all(get("/poll").as_bytes()).unwrap();
        let responder = polls.next();
        wait_until("it waits", || polls.waiting() == 1);
        thread::spawn(move || responder.send(Response::text("later")).unwrap());
        assert_eq!(read_body(&mut stream, 5), "later");
        stream.write_all(get("/now").as_bytes()).unwrap();
        assert_eq!(read_body(&mut stream, 3), "now");
    }
}

#[test]
fn an_answer_that_is_there_before_the_hook_returns_is_given_at_once() {
    let polls = polls(Limits::default());
    assert!(exchange(polls.app.addr, last("/early")).ends_with("early"));
    wait_until("it is done with", || polls.waiting() == 0);
}

#[test]
fn what_waits_holds_no_thread_and_no_place_of_others() {
    let limits = Limits {
        max_handshakes: 2,
        max_http_requests: 2,
        idle_thread_timeout: Duration::ZERO,
        ..Limits::default()
    };
    let polls = polls(limits);
    let mut asked = Vec::new();
    for number in 1..=40 {
        asked.push(polls.ask("/poll"));
        // Its hook has given the responder away, and may not have returned yet: then it is under way still.
        wait_until("it only waits", || {
            let stats = polls.app.handle.stats();
            (stats.waiting_requests, stats.answering) == (number, 0)
        });
    }
    wait_until("no thread is left", || {
        polls.app.handle.stats().threads == 0
    });
    let stats = polls.app.handle.stats();
    assert_eq!((stats.handshakes, stats.answering), (0, 0));
    assert!(exchange(polls.app.addr, last("/now")).ends_with("now"));
    let mut client = Client::connect(polls.app.addr);
    client.send_text("hello");
    assert_eq!(client.read().text(), "hello");
    for (number, (stream, responder)) in asked.drain(..).enumerate() {
        let text = format!("{number:03}");
        responder.send(Response::text(text.clone())).unwrap();
        let mut stream = stream;
        assert_eq!(read_body(&mut stream, 3), text);
    }
    wait_until("all are done with", || polls.waiting() == 0);
}

#[test]
fn more_than_may_wait_get_503() {
    let polls = polls(Limits {
        max_waiting_requests: 2,
        ..Limits::default()
    });
    let asked: Vec<_> = (0..2).map(|_| polls.ask("/poll")).collect();
    wait_until("both wait", || polls.waiting() == 2);
    let refused = exchange(polls.app.addr, get("/poll"));
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("max_waiting_requests"), "{refused}");
    // Its responder is told.
    let late = polls.next();
    wait_until("nobody waits for it", || late.is_gone());
    assert!(late.send(Response::ok()).is_err());
    drop(asked);
    wait_until("they are 500", || polls.waiting() == 0);
    assert!(exchange(polls.app.addr, last("/now")).ends_with("now"));
}

#[test]
fn a_deadline_that_passes_gives_504_and_the_answer_back() {
    let polls = polls(Limits {
        answer_timeout: Duration::from_secs(2),
        ..Limits::default()
    });
    let (mut stream, responder) = polls.ask("/poll");
    let (tell, told) = channel();
    responder.on_gone(move || tell.send(()).unwrap());
    assert!(!responder.is_gone());
    assert_eq!(status_at_the_end(&mut stream), "504");
    told.recv_timeout(PATIENCE).unwrap();
    assert!(responder.is_gone());
    let back = responder.send(Response::text("too late")).unwrap_err();
    assert_eq!(back.body(), b"too late");
    assert_eq!(polls.app.handle.stats().refused["answer_timeout"], 1);
    wait_until("its place is free", || polls.waiting() == 0);
}

#[test]
fn a_promise_that_comes_behind_the_end_of_the_server_is_gone() {
    let (tell, told) = channel();
    let (release, released) = channel::<()>();
    let hook = Mutex::new((tell, released));
    let hook = move |_: &wshub::HookRequest<'_>| {
        let (tell, released) = &*hook.lock().unwrap();
        let (response, responder) = Response::later();
        tell.send(responder).unwrap();
        let _ = released.recv();
        response
    };
    let server = Server::builder().http(hook).bind("127.0.0.1:0").unwrap();
    let mut stream = dial(server.local_addr().unwrap());
    stream.write_all(get("/").as_bytes()).unwrap();
    let responder = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(server.shutdown().threads_left, 1);
    drop(release);
    wait_until("nobody waits for it", || responder.is_gone());
    assert!(responder.send(Response::ok()).is_err());
}

#[test]
fn a_callback_that_no_thread_has_run_is_dropped_at_the_end() {
    let polls = polls(Limits::default());
    let gate = Arc::new(Mutex::new(()));
    let shut = gate.lock().unwrap();
    let (tell, told) = channel();
    for _ in 0..8 {
        let (stream, responder) = polls.ask("/poll");
        let (tell, gate) = (tell.clone(), gate.clone());
        responder.on_gone(move || {
            tell.send(()).unwrap();
            drop(gate.lock());
        });
        drop(stream);
        told.recv_timeout(PATIENCE).unwrap();
    }
    // Every thread for callbacks is busy now.
    let (stream, responder) = polls.ask("/poll");
    let (tell, told) = channel::<()>();
    responder.on_gone(move || tell.send(()).unwrap());
    drop(stream);
    wait_until("its client has left", || responder.is_gone());
    polls.app.handle.shutdown();
    polls.app.handle.wait();
    assert_eq!(
        told.recv_timeout(PATIENCE),
        Err(RecvTimeoutError::Disconnected)
    );
    drop(shut);
}

#[test]
fn who_drops_its_responder_has_the_client_told_500() {
    let polls = polls(Limits::default());
    let (mut stream, responder) = polls.ask("/poll");
    drop(responder);
    assert_eq!(status_at_the_end(&mut stream), "500");
    for path in ["/dropped", "/nested"] {
        let answer = exchange(polls.app.addr, get(path));
        assert!(answer.starts_with("HTTP/1.1 500 "), "{path}: {answer}");
    }
    assert_eq!(polls.app.handle.stats().refused["no_answer"], 3);
}

#[test]
fn a_client_that_hangs_up_is_told_of() {
    let polls = polls(Limits::default());
    for reset in [false, true] {
        let (stream, responder) = polls.ask("/poll");
        let (tell, told) = channel();
        responder.on_gone(move || tell.send(()).unwrap());
        assert!(!responder.is_gone());
        if reset {
            // Bytes that nobody reads make a reset of the end.
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        }
        drop(stream);
        told.recv_timeout(PATIENCE).unwrap();
        assert!(responder.is_gone());
        let (tell, told) = channel();
        responder.on_gone(move || tell.send(()).unwrap());
        told.try_recv().expect("called at once");
        drop(responder);
        wait_until("it is done with", || polls.waiting() == 0);
    }
}

/// It may only have said that it asks nothing more.
#[test]
fn m11_who_half_closes_behind_its_request_gets_an_answer_that_comes_later() {
    let polls = polls(Limits::default());
    let (mut stream, responder) = polls.ask("/poll");
    stream.shutdown(Shutdown::Write).unwrap();
    wait_until("its end is noticed", || responder.is_gone());
    responder.send(Response::text("later")).unwrap();
    assert_eq!(read_body(&mut stream, 5), "later");
}

#[test]
fn h10_what_is_asked_meanwhile_waits_its_turn() {
    let polls = polls(Limits::default());
    let mut stream = dial(polls.app.addr);
    stream
        .write_all((get("/poll") + &get("/now")).as_bytes())
        .unwrap();
    let responder = polls.next();
    wait_until("it waits", || polls.waiting() == 1);
    stream
        .write_all((get("/poll") + &get("/now")).as_bytes())
        .unwrap();
    responder.send(Response::text("first")).unwrap();
    assert_eq!(read_body(&mut stream, 5), "first");
    assert_eq!(read_body(&mut stream, 3), "now");
    polls.next().send(Response::text("third")).unwrap();
    assert_eq!(read_body(&mut stream, 5), "third");
    assert_eq!(read_body(&mut stream, 3), "now");
}

#[test]
fn b22_a_shutdown_answers_who_waits_with_503() {
    let polls = polls(Limits::default());
    let mut asked: Vec<_> = (0..5).map(|_| polls.ask("/poll")).collect();
    wait_until("all wait", || polls.waiting() == 5);
    let begun = Instant::now();
    polls.app.handle.shutdown();
    for (stream, responder) in &mut asked {
        assert_eq!(status_at_the_end(stream), "503");
        assert!(responder.is_gone());
    }
    assert!(begun.elapsed() < PATIENCE / 2);
    let (_, responder) = asked.remove(0);
    assert!(responder.send(Response::ok()).is_err());
}

/// More than the socket takes at once.
#[test]
fn a_long_answer_that_comes_later_is_written_whole() {
    let polls = polls(Limits::default());
    let (mut stream, responder) = polls.ask("/poll");
    wait_until("it waits", || polls.waiting() == 1);
    let long = "x".repeat(20 << 20);
    responder.send(Response::text(long.clone())).unwrap();
    assert!(read_body(&mut stream, long.len()) == long);
    let (tell, responders) = (get("/poll"), &polls);
    stream.write_all(tell.as_bytes()).unwrap();
    let reader = std::io::Cursor::new(vec![b'y'; 100_000]);
    let response = Response::ok().with_reader(reader, Some(100_000));
    responders.next().send(response).unwrap();
    assert_eq!(read_body(&mut stream, 100_000), "y".repeat(100_000));
    stream.write_all(get("/now").as_bytes()).unwrap();
    assert_eq!(read_body(&mut stream, 3), "now");
}

/// What is dropped here is the application's: it says where.
struct Noted(Sender<String>);

impl Read for Noted {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        let thread = thread::current();
        let _ = self.0.send(thread.name().unwrap_or_default().to_owned());
    }
}

/// What is done once, with the number of the first stream that is written to.
type Act = Box<dyn FnOnce(usize) + Send>;

struct Prompted {
    stream: TcpStream,
    number: usize,
    act: Arc<Mutex<Option<Act>>>,
    /// Bytes that the server took of it.
    taken: Arc<AtomicUsize>,
}

impl Transport for Prompted {
    fn read(&self, room: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let read = Transport::read(&self.stream, room, deadline)?;
        self.taken.fetch_add(read, SeqCst);
        Ok(read)
    }

    fn try_read(&self, room: &mut [u8]) -> io::Result<usize> {
        let read = Transport::try_read(&self.stream, room)?;
        self.taken.fetch_add(read, SeqCst);
        Ok(read)
    }

    fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let act = self.act.lock().unwrap().take();
        act.into_iter().for_each(|act| act(self.number));
        Transport::try_write(&self.stream, parts)
    }

    fn source(&self) -> Option<wshub::Source<'_>> {
        self.stream.source()
    }

    crate::support::delegated!(stream);
}

/// A head and a read are held of what a client sends ahead.
#[test]
fn requests_behind_one_that_waits_stay_in_the_socket() {
    const MOST: usize = (16 << 10) + (64 << 10);
    const AHEAD: usize = 2 << 20;
    let polls = polls(Limits {
        max_requests_per_connection: u32::MAX,
        // A busy machine may take more than ten seconds to read so many answers.
        write_timeout: 3 * PATIENCE,
        ..Limits::default()
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = dial(listener.local_addr().unwrap());
    let taken = Arc::<AtomicUsize>::default();
    polls.app.handle.attach(Prompted {
        stream: listener.accept().unwrap().0,
        number: 0,
        act: Arc::default(),
        taken: taken.clone(),
    });
    let ahead = get("/now").repeat(AHEAD / get("/now").len());
    let count = ahead.len() / get("/now").len();
    let sending = thread::spawn({
        let mut stream = stream.try_clone().unwrap();
        move || stream.write_all((get("/poll") + &ahead).as_bytes())
    });
    let responder = polls.next();
    wait_until("it waits", || polls.waiting() == 1);
    // Another client's requests pass meanwhile: the server is at work.
    for _ in 0..20 {
        exchange(polls.app.addr, last("/now"));
    }
    let held = taken.load(SeqCst);
    assert!(held <= MOST, "{held}");
    responder.send(Response::text("first")).unwrap();
    let mut answers = BufReader::new(stream);
    assert_eq!(read_body(&mut answers, 5), "first");
    for _ in 0..count {
        assert_eq!(read_body(&mut answers, 3), "now");
    }
    sending.join().unwrap().unwrap();
}

#[test]
fn an_answer_that_nobody_reads_is_dropped_where_no_connection_waits_for_it() {
    // It depends on threads how far the end has come, and whether there is such an answer at all.
    let runs = (0..40).filter(|_| end_with_a_late_answer());
    assert!(runs.take(8).count() > 0);
}

/// The answer comes while the server ends, and waits for a place among the plain requests; false where it came too late.
fn end_with_a_late_answer() -> bool {
    let limits = Limits {
        max_http_requests: 1,
        ..Limits::default()
    };
    let (enter, entered) = channel();
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let (tell, responders) = channel();
    let tell = hook(tell);
    let builder = Server::builder().limits(limits).http(move |request| {
        if request.path() == "/held" {
            enter.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
        }
        tell(request)
    });
    let app = App::echo(builder);
    // Dropped before the server, whose end waits for what is held.
    let release = release;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let act: Arc<Mutex<Option<Act>>> = Arc::default();
    let waiting = [0, 1].map(|number| {
        let mut stream = dial(listener.local_addr().unwrap());
        app.handle.attach(Prompted {
            stream: listener.accept().unwrap().0,
            number,
            act: act.clone(),
            taken: Arc::default(),
        });
        stream.write_all(get("/poll").as_bytes()).unwrap();
        let responder = responders.recv_timeout(PATIENCE).unwrap();
        // Its place goes back when it waits already.
        wait_until("it waits without a place", || {
            let stats = app.handle.stats();
            (stats.waiting_requests, stats.answering) == (number + 1, 0)
        });
        (stream, responder)
    });
    let [(_one, first), (_two, second)] = waiting;
    let mut held = dial(app.addr);
    held.write_all(get("/held").as_bytes()).unwrap();
    entered.recv_timeout(PATIENCE).unwrap();
    let (note, dropped) = channel();
    let (tell, is_answered) = channel();
    // The one that is told of the end first has the other one answered.
    *act.lock().unwrap() = Some(Box::new(move |number| {
        let answer = Response::ok().with_reader(Noted(note), Some(1));
        let other = [second, first].into_iter().nth(number).unwrap();
        let _ = tell.send(other.send(answer).is_ok());
    }));
    app.handle.terminate();
    // The other one may have been given up already, and both may have been ended without a word.
    if is_answered.recv_timeout(Duration::from_secs(1)) != Ok(true) {
        return false;
    }
    let name = dropped.recv_timeout(PATIENCE).unwrap();
    assert!(name.starts_with("wshub-") && name != "wshub-http", "{name}");
    drop(release);
    true
}

#[test]
fn status_headers_and_cors_of_the_answer_count() {
    let builder = Server::builder().origins(["https://app.example"]);
    let polls = polls_of(builder.cors(Cors::new()));
    let mut stream = dial(polls.app.addr);
    let request = last("/poll").replace("Host", "Origin: https://app.example\r\nHost");
    stream.write_all(request.as_bytes()).unwrap();
    let answer = Response::json("{}").with_status(Status::CREATED);
    polls.next().send(answer).unwrap();
    let answer = String::from_utf8(read_to_close(&mut stream)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    for line in [
        "Access-Control-Allow-Origin: https://app.example",
        "Content-Type: application/json",
    ] {
        assert!(answer.contains(&format!("\r\n{line}\r\n")), "{answer}");
    }
    let mut stream = dial(polls.app.addr);
    stream
        .write_all(get("/poll").replace("GET", "HEAD").as_bytes())
        .unwrap();
    polls.next().send(Response::text("none of it")).unwrap();
    let head = read_head(&mut stream).unwrap();
    assert!(head.contains("\r\nContent-Length: 10\r\n"), "{head}");
    stream.write_all(last("/now").as_bytes()).unwrap();
    assert!(read_to_close(&mut stream).starts_with(b"HTTP/1.1 200 "));
}

/// A stream that the system cannot watch keeps its thread meanwhile.
#[test]
fn over_a_stream_in_memory_too() {
    let (tell, responders) = channel();
    let server = Server::builder()
        .http(hook(tell))
        .without_listener()
        .unwrap();
    let connect = || {
        let (ours, mut theirs) = duplex();
        server.attach(ours);
        theirs.write_all(get("/poll").as_bytes()).unwrap();
        (theirs, responders.recv_timeout(PATIENCE).unwrap())
    };
    let read = |mut stream: testing::Duplex| {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let (stream, responder) = connect();
    wait_until("it waits", || server.stats().waiting_requests == 1);
    responder.send(Response::text("later")).unwrap();
    let answer = read(stream);
    assert!(
        answer.ends_with("later") && answer.contains("Connection: close"),
        "{answer}"
    );
    let (stream, responder) = connect();
    drop(responder);
    assert!(read(stream).starts_with("HTTP/1.1 500 "));
    let (stream, responder) = connect();
    drop(stream);
    wait_until("its end is noticed", || responder.is_gone());
    assert!(responder.send(Response::ok()).is_err());
    let (stream, responder) = connect();
    wait_until("it waits", || server.stats().waiting_requests == 1);
    thread::scope(|scope| {
        let ending = scope.spawn(|| server.shutdown());
        assert!(read(stream).starts_with("HTTP/1.1 503 "));
        assert!(responder.is_gone());
        assert_eq!(ending.join().unwrap().threads_left, 0);
    });
}

/// What a shutdown says to requests that wait, it says to one that begins to wait behind it.
#[test]
fn over_a_stream_in_memory_a_request_that_waits_behind_a_shutdown_has_its_503() {
    let (tell, handles) = channel::<wshub::ServerHandle>();
    let handles = Mutex::new(handles);
    let server = Server::builder()
        .http(move |_| {
            let (response, responder) = Response::later();
            std::mem::forget(responder);
            handles.lock().unwrap().recv().unwrap().shutdown();
            response
        })
        .without_listener()
        .unwrap();
    tell.send(server.handle()).unwrap();
    let (ours, mut theirs) = duplex();
    server.attach(ours);
    theirs.write_all(get("/poll").as_bytes()).unwrap();
    let mut answer = String::new();
    theirs.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
}

/// A stream with an address that the system cannot watch.
struct FarAway(testing::Duplex);

impl Transport for FarAway {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        Transport::read(&self.0, buffer, deadline)
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

    fn shutdown(&self, how: How) {
        self.0.shutdown(how);
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        Some(([192, 0, 2, 1], 4711).into())
    }
}

/// Whether it holds a thread or not.
#[test]
fn a_client_that_polls_sends_too_though_its_address_has_one_request_at_a_time() {
    let polls = polls(Limits {
        max_per_address: Some(1),
        ..Limits::default()
    });
    // While the hook returns, it is a request of its address yet.
    let only_waits = || {
        wait_until("it only waits", || {
            let stats = polls.app.handle.stats();
            (stats.waiting_requests, stats.answering) == (1, 0)
        });
    };
    let (mut watched, responder) = polls.ask("/poll");
    only_waits();
    assert!(exchange(polls.app.addr, last("/now")).ends_with("now"));
    responder.send(Response::text("later")).unwrap();
    assert_eq!(read_body(&mut watched, 5), "later");

    let ask = |path: &str| {
        let (ours, mut theirs) = duplex();
        polls.app.handle.attach(FarAway(ours));
        theirs.write_all(last(path).as_bytes()).unwrap();
        theirs
    };
    let mut held = ask("/poll");
    let responder = polls.next();
    only_waits();
    let answer = |stream: &mut testing::Duplex| String::from_utf8(read_to_close(stream)).unwrap();
    assert!(answer(&mut ask("/now")).ends_with("now"));
    responder.send(Response::text("later")).unwrap();
    assert!(answer(&mut held).ends_with("later"));
}

/// The callback is the application's: it may panic, and take its time.
#[test]
fn b12_a_callback_that_panics_or_blocks_costs_nobody_else() {
    let polls = polls(Limits::default());
    let (stream, responder) = polls.ask("/poll");
    let (release, held) = channel::<()>();
    let held = Arc::new(Mutex::new(held));
    responder.on_gone(move || _ = held.lock().unwrap().recv());
    drop(stream);
    let (stream, panicking) = polls.ask("/poll");
    panicking.on_gone(|| throw());
    drop(stream);
    wait_until("it is counted", || {
        polls.app.handle.stats().handler_failures == 1
    });
    let (mut stream, other) = polls.ask("/poll");
    other.send(Response::text("later")).unwrap();
    assert_eq!(read_body(&mut stream, 5), "later");
    release.send(()).unwrap();
}

/// What the callback has kept is the application's, and so is its destructor.
#[test]
fn b12_a_callback_whose_destructor_panics_keeps_no_answer_back() {
    let polls = polls(Limits::default());
    let (mut stream, responder) = polls.ask("/poll");
    let kept = Thorny;
    responder.on_gone(move || drop(kept));
    thread::spawn(move || responder.send(Response::text("later")).unwrap());
    assert_eq!(read_body(&mut stream, 5), "later");
    wait_until("its place is free", || polls.waiting() == 0);
    assert_eq!(polls.app.handle.stats().handler_failures, 0);
}

/// They leave at once, and each callback takes its time.
#[test]
fn many_that_hang_up_take_few_threads_and_each_is_told_of() {
    const MANY: usize = 40;
    let polls = polls(Limits {
        // Those that took the requests are not counted.
        idle_thread_timeout: Duration::ZERO,
        ..Limits::default()
    });
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let (tell, told) = channel();
    let asked: Vec<_> = (0..MANY).map(|_| polls.ask("/poll")).collect();
    for (_, responder) in &asked {
        let (gate, tell) = (gate.clone(), tell.clone());
        responder.on_gone(move || {
            let open = gate.0.lock().unwrap();
            let wait = gate.1.wait_timeout_while(open, 3 * PATIENCE, |open| !*open);
            drop(wait);
            tell.send(()).unwrap();
        });
    }
    wait_until("they wait", || polls.waiting() == MANY);
    let (streams, responders): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
    drop(streams);
    wait_until("they have hung up", || {
        responders.iter().all(Responder::is_gone)
    });
    wait_until("few are left", || {
        polls.app.handle.stats().threads < MANY / 2
    });
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    for _ in 0..MANY {
        told.recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn one_that_finds_no_place_to_wait_is_told_of() {
    let (tell, told) = channel();
    let promised = Mutex::new((tell, Vec::new()));
    let limits = Limits {
        max_waiting_requests: 1,
        ..Limits::default()
    };
    let app = App::echo(Server::builder().limits(limits).http(move |_| {
        let (response, responder) = Response::later();
        let mut promised = promised.lock().unwrap();
        let (number, tell) = (promised.1.len(), promised.0.clone());
        responder.on_gone(move || tell.send(number).unwrap());
        promised.1.push(responder);
        response
    }));
    let mut waits = dial(app.addr);
    waits.write_all(get("/poll").as_bytes()).unwrap();
    wait_until("it waits", || app.handle.stats().waiting_requests == 1);
    assert!(exchange(app.addr, get("/poll")).starts_with("HTTP/1.1 503 "));
    assert_eq!(told.recv_timeout(PATIENCE), Ok(1));
    assert!(told.try_recv().is_err());
}

/// It was never idle.
#[test]
fn whose_next_request_is_there_closes_no_idle_connection() {
    let polls = polls(Limits {
        max_idle_connections: 1,
        ..Limits::default()
    });
    let mut idle = dial(polls.app.addr);
    idle.write_all(get("/now").as_bytes()).unwrap();
    assert_eq!(read_body(&mut idle, 3), "now");
    let stats = || polls.app.handle.stats();
    wait_until("it is idle", || stats().idle_connections == 1);
    let (mut stream, responder) = polls.ask("/poll");
    wait_until("it waits", || polls.waiting() == 1);
    stream.write_all(last("/now").as_bytes()).unwrap();
    responder.send(Response::text("later")).unwrap();
    assert_eq!(read_body(&mut stream, 5), "later");
    assert_eq!(read_body(&mut stream, 3), "now");
    idle.write_all(get("/now").as_bytes()).unwrap();
    assert_eq!(read_body(&mut idle, 3), "now");
}

/// A server whose requests wait, and which takes its time to hear that they do no more.
struct SlowToHear {
    app: App,
    /// Held to write while nothing is heard.
    gate: Arc<RwLock<()>>,
    promised: Arc<AtomicUsize>,
    hears: Arc<AtomicUsize>,
}

fn slow_to_hear(limits: Limits) -> SlowToHear {
    let (gate, promised, hears) =
        <(Arc<RwLock<()>>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let (gates, promises, hearing) = (gate.clone(), promised.clone(), hears.clone());
    let responders = Mutex::new(Vec::new());
    let server = Server::builder().limits(limits).http(move |request| {
        let (response, responder) = Response::later();
        promises.fetch_add(1, SeqCst);
        let (gate, hears) = (gates.clone(), hearing.clone());
        if request.path() != "/quiet" {
            responder.on_gone(move || {
                hears.fetch_add(1, SeqCst);
                drop(gate.read());
            });
        }
        responders.lock().unwrap().push(responder);
        response
    });
    SlowToHear {
        app: App::echo(server),
        gate,
        promised,
        hears,
    }
}

#[test]
fn m10_what_the_application_is_to_hear_of_refused_requests_does_not_pile_up() {
    const ASKED: usize = 20;
    let slow = slow_to_hear(Limits {
        max_waiting_requests: 0,
        max_http_requests: 4,
        ..Limits::default()
    });
    let shut = slow.gate.write().unwrap();
    let asked = (0..ASKED).map(|_| {
        let mut stream = dial(slow.app.addr);
        stream.write_all(last("/poll").as_bytes()).unwrap();
        stream
    });
    let mut asked: Vec<TcpStream> = asked.collect();
    wait_until("each is refused, or under way", || {
        let refused: u64 = slow.app.handle.stats().refused.values().sum();
        refused as usize + slow.hears.load(SeqCst) >= ASKED
    });
    assert!(
        slow.promised.load(SeqCst) <= 4,
        "others wait to be heard of"
    );
    drop(shut);
    for stream in &mut asked {
        assert_eq!(status_at_the_end(stream), "503");
    }
}

#[test]
fn m10_a_request_that_ended_has_its_place_until_the_application_has_heard_of_it() {
    let slow = slow_to_hear(Limits {
        max_waiting_requests: 2,
        answer_timeout: Duration::from_millis(300),
        ..Limits::default()
    });
    let shut = slow.gate.write().unwrap();
    for _ in 0..2 {
        let ended = exchange(slow.app.addr, last("/poll"));
        assert!(ended.starts_with("HTTP/1.1 504 "), "{ended}");
    }
    let refused = exchange(slow.app.addr, last("/quiet"));
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    drop(shut);
    wait_until("their places are free", || {
        slow.app.handle.stats().waiting_requests == 0
    });
    let served = exchange(slow.app.addr, last("/quiet"));
    assert!(served.starts_with("HTTP/1.1 504 "), "{served}");
}
