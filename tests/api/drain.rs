//! The end before a restart: who is open closes one after the other, who asks is answered, and nobody new comes.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::{
    Client, PATIENCE, ask_on, dial, exchange, read_answer, read_to_close, serving, upgrade,
    wait_until,
};
use wshub::{Limits, Response, Server, ServerBuilder, ShutdownReport};

/// A drain whose end no test waits for, nor half of it, when the only connection would be told.
const LONG: Duration = PATIENCE.saturating_mul(3);

fn server() -> ServerBuilder {
    Server::builder()
        .health("/healthz")
        .http(|_| Response::text("page"))
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Nobody listens there. A client that tried to connect would be one more to accept, while the loop ends.
fn is_free(app: &App) -> bool {
    TcpListener::bind(app.addr).is_ok()
}

#[test]
fn connections_get_1012_one_after_the_other() {
    const COUNT: usize = 10;
    let app = App::echo(server());
    let clients: Vec<_> = (0..COUNT)
        .map(|_| {
            let client = Client::connect(app.addr);
            assert_eq!(app.next().1, "open");
            client
        })
        .collect();
    let begun = Instant::now();
    app.handle.drain(Duration::from_secs(4));
    // No other call changes it.
    app.handle.drain(Duration::ZERO);
    assert!(app.handle.is_draining());
    let (tell, told) = channel();
    for (number, mut client) in clients.into_iter().enumerate() {
        let tell = tell.clone();
        thread::spawn(move || {
            let code = client.read_message().close().0;
            tell.send((number, code, begun.elapsed())).unwrap();
            client.send_close(code, "");
            assert!(client.at_end());
        });
    }
    let told: Vec<_> = (0..COUNT)
        .map(|_| told.recv_timeout(PATIENCE).unwrap())
        .collect();
    assert!(told.iter().all(|(_, code, _)| *code == 1012), "{told:?}");
    // The oldest first. They are 400 ms apart; a machine that stood still for long makes up for that.
    let order: Vec<_> = told.iter().map(|(number, ..)| *number).collect();
    assert!(order[0] < order[COUNT - 1], "{order:?}");
    let spread = told[COUNT - 1].2.saturating_sub(told[0].2);
    assert!(spread > Duration::from_millis(500), "{told:?}");
    // After the last of them there is nothing to wait for.
    assert_eq!(app.handle.wait(), ShutdownReport::default());
}

#[test]
fn nobody_new_comes_and_who_has_begun_is_served() {
    let app = App::echo(server());
    let handshakes = || app.handle.stats().handshakes;
    let stay = Client::connect(app.addr);
    wait_until("its handshake is over", || handshakes() == 0);
    let mut early = dial(app.addr);
    early.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    wait_until("the other's has begun", || handshakes() == 1);
    app.handle.drain(Duration::from_secs(4));
    wait_until("the listener is gone", || is_free(&app));
    let rest = upgrade("localhost", "/", "");
    let rest = rest.split_once("\r\n").unwrap().1;
    let mut late = Client::open(early, rest);
    late.send_text("still served");
    let mut frames = std::iter::from_fn(|| Some(late.read()));
    let echoed = frames.next().unwrap();
    assert_eq!(echoed.text(), "still served");
    assert_eq!(frames.next().unwrap().close().0, 1012);
    drop((late, stay));
    app.handle.wait();
}

#[test]
fn health_says_so_and_kept_connections_end_behind_an_answer() {
    let app = App::echo(server());
    let mut kept: Vec<_> = (0..3).map(|_| dial(app.addr)).collect();
    for stream in &mut kept {
        // Under a name that no hook would be asked for.
        let (head, body) = ask_on(
            stream,
            &get("/healthz").replace("localhost", "balancer.example"),
        );
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("\r\nConnection: keep-alive\r\n"), "{head}");
        assert!(head.contains("\r\nCache-Control: no-store\r\n"), "{head}");
        assert_eq!(body, "ok\n");
    }
    let head_only = exchange(
        app.addr,
        "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    assert!(head_only.starts_with("HTTP/1.1 200 "), "{head_only}");
    assert!(head_only.ends_with("\r\n\r\n"), "{head_only}");

    let begun = Instant::now();
    app.handle.drain(LONG);
    wait_until("the listener is gone", || is_free(&app));
    let (head, body) = ask_on(&mut kept[0], &get("/healthz"));
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
    assert_eq!(body, "draining\n");
    assert_eq!(read_to_close(&mut kept[0]), b"");
    let (head, body) = ask_on(&mut kept[1], &get("/"));
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
    assert_eq!(body, "page");
    // As the last of them leaves, the drain is over.
    drop(kept);
    app.handle.wait();
    assert!(begun.elapsed() < LONG);
}

#[test]
fn health_is_answered_where_nothing_else_is_plain() {
    let app = App::echo(Server::builder().health("/healthz"));
    let mut stream = dial(app.addr);
    for _ in 0..2 {
        assert_eq!(ask_on(&mut stream, &get("/healthz")).1, "ok\n");
    }
    for request in [
        get("/"),
        get("/healthz/more"),
        get("/healthz").replace("GET", "DELETE"),
    ] {
        let (head, _) = ask_on(&mut dial(app.addr), &request);
        assert!(!head.starts_with("HTTP/1.1 2"), "{head}");
    }
}

#[test]
fn health_takes_no_place_of_other_requests() {
    let (entered, has_entered) = channel();
    let (release, released) = channel::<()>();
    let gate = Mutex::new((entered, released));
    let limits = Limits {
        max_http_requests: 1,
        ..Limits::default()
    };
    let app = App::echo(server().limits(limits).http(move |_| {
        let gate = gate.lock().unwrap();
        gate.0.send(()).unwrap();
        let _ = gate.1.recv();
        Response::text("page")
    }));
    let mut busy = dial(app.addr);
    busy.write_all(get("/").as_bytes()).unwrap();
    has_entered.recv_timeout(PATIENCE).unwrap();
    let (full, _) = ask_on(&mut dial(app.addr), &get("/"));
    assert!(full.starts_with("HTTP/1.1 503 "), "{full}");
    assert_eq!(ask_on(&mut dial(app.addr), &get("/healthz")).1, "ok\n");
    drop(release);
    assert_eq!(read_answer(&mut busy).1, "page");
}

#[test]
fn answers_that_come_later_still_come() {
    let (tell, responders) = channel();
    let tell = Mutex::new(tell);
    let app = App::echo(server().http(move |_| {
        let (response, responder) = Response::later();
        tell.lock().unwrap().send(responder).unwrap();
        response
    }));
    let mut polls: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = dial(app.addr);
            stream.write_all(get("/").as_bytes()).unwrap();
            let responder = responders.recv_timeout(PATIENCE).unwrap();
            (stream, responder)
        })
        .collect();
    wait_until("they wait", || app.handle.stats().waiting_requests == 2);
    let time = Duration::from_secs(3);
    let begun = Instant::now();
    app.handle.drain(time);
    let (mut forgotten, responder) = polls.remove(0);
    let (mut answered, in_time) = polls.remove(0);
    in_time.send(Response::text("in time")).unwrap();
    let (head, body) = read_answer(&mut answered);
    assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
    assert_eq!(body, "in time");
    // The other waits to the end.
    let (head, _) = read_answer(&mut forgotten);
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(begun.elapsed() >= time);
    assert!(responder.is_gone());
    drop((forgotten, answered));
    app.handle.wait();
}

#[test]
fn a_shutdown_ends_it_early() {
    let app = App::echo(server());
    let mut client = Client::connect(app.addr);
    assert_eq!(app.next().1, "open");
    app.handle.drain(Duration::MAX);
    app.handle.shutdown();
    assert_eq!(client.read().close().0, 1012);
    client.send_close(1012, "");
    assert_eq!(app.handle.wait(), ShutdownReport::default());
}

#[test]
fn with_nobody_there_it_is_over_at_once() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let handle = server.handle();
    let begun = Instant::now();
    handle.drain(LONG);
    assert_eq!(server.events().count(), 0);
    assert!(begun.elapsed() < LONG);
    assert_eq!(handle.wait(), ShutdownReport::default());
    // After the end it does nothing.
    handle.drain(LONG);
}

#[test]
fn no_time_is_all_at_once_and_a_closure_hears_of_it() {
    let handle = server().serve("127.0.0.1:0", serving::echo).unwrap();
    let addr = handle.local_addr().unwrap();
    let mut clients: Vec<_> = (0..3).map(|_| Client::connect(addr)).collect();
    wait_until("all are open", || handle.stats().connections == 3);
    handle.drain(Duration::ZERO);
    for client in &mut clients {
        assert_eq!(client.read_message().close().0, 1012);
        client.send_close(1012, "");
    }
    assert_eq!(handle.wait(), ShutdownReport::default());
}

#[test]
fn a_server_that_is_dropped_meanwhile_ends() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let mut client = Client::connect(server.local_addr().unwrap());
    wait_until("it is open", || server.stats().connections == 1);
    let handle = server.handle();
    handle.drain(LONG);
    let reading = thread::spawn(move || {
        let code = client.read_message().close().0;
        client.send_close(code, "");
        code
    });
    drop(server);
    assert_eq!(reading.join().unwrap(), 1012);
    assert_eq!(handle.stats().threads, 0);
}

#[cfg(feature = "socketio")]
#[test]
fn a_session_of_socketio_that_polls_is_told_to_go() {
    use wshub::socketio::SocketIo;

    const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
    let mut io = SocketIo::new(());
    let (tell, left) = channel();
    io.on_disconnect("/", move |_, _, reason| {
        tell.send(reason.to_string()).unwrap();
    });
    let server = server().socketio(&io, "/socket.io/");
    let server = server.bind("127.0.0.1:0").unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.handle());
    let running = thread::spawn(move || server.run(&mut io).unwrap());
    let mut polling = dial(addr);
    let (_, opened) = ask_on(&mut polling, &get(POLLING));
    let sid = opened.split('"').nth(3).unwrap();
    let session = format!("{POLLING}&sid={sid}");
    let join = get(&session).replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\n40");
    let (_, taken) = ask_on(&mut polling, &join.replace("GET", "POST"));
    assert_eq!(taken, "ok");
    let (_, joined) = ask_on(&mut polling, &get(&session));
    assert!(joined.starts_with("40{"), "{joined}");
    let mut another = dial(addr);
    assert_eq!(ask_on(&mut another, &get("/healthz")).1, "ok\n");

    let begun = Instant::now();
    handle.drain(LONG);
    let (head, end) = ask_on(&mut polling, &get(&session));
    assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
    assert_eq!(end, "1");
    assert_eq!(left.recv_timeout(PATIENCE).unwrap(), "server shutting down");
    // None begins any more.
    let (head, _) = ask_on(&mut another, &get(POLLING));
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    drop((polling, another));
    running.join().unwrap();
    assert!(begun.elapsed() < LONG);
}
