//! What runs on threads of the server and is the user's may take a megabyte of stack, as on any thread.
//!
//! A test binary of its own, and each part in a process of its own: where a stack overflows the process ends.

#[path = "../support/mod.rs"]
mod support;

use std::hint::black_box;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use log::{LevelFilter, Log, Metadata, Record};
use support::child::{Child, in_child, tell};
use support::{Client, PATIENCE, exchange, upgrade};
use wshub::testing::duplex;
use wshub::{Accept, Event, How, Response, Server, Source, Transport, Waker};

/// Takes a megabyte of stack, and touches it.
fn deep() {
    let mut room = [0_u8; 1 << 20];
    room[0] = 1;
    black_box(&mut room);
}

/// Runs `part` in a process of its own, which it must survive.
fn survives(test: &str, part: fn()) {
    if in_child() {
        part();
        tell("done");
        return;
    }
    let mut child = Child::start(test, "true");
    assert_eq!(child.told(), "done");
    assert!(child.end().success());
}

fn echo(client: &mut Client<impl io::Read + io::Write>) {
    client.send_text("hello");
    assert_eq!(client.read().text(), "hello");
}

#[test]
fn m03_hooks_and_closures_have_a_usual_stack() {
    survives("m03_hooks_and_closures_have_a_usual_stack", || {
        let handle = Server::builder()
            .origin_rule(|_, _| {
                deep();
                true
            })
            .accept(|_| {
                deep();
                Ok(Accept::new())
            })
            .http(|_| {
                deep();
                Response::text("a page")
            })
            .serve("127.0.0.1:0", |mut ws| {
                while let Some(message) = ws.read()? {
                    deep();
                    ws.send(message)?;
                }
                Ok(())
            })
            .unwrap();
        let addr = handle.local_addr().unwrap();
        let answer = exchange(
            addr,
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        );
        assert!(answer.ends_with("a page"), "{answer}");
        let origin = "Origin: https://app.example\r\n";
        let mut client = Client::connect_with(addr, "/", origin);
        echo(&mut client);
        drop(client);
        handle.shutdown();
        assert_eq!(handle.wait().threads_left, 0);
    });
}

/// A stream that takes as much with every call.
struct Deep<S> {
    stream: S,
    watched: bool,
}

impl<S: Transport> Transport for Deep<S> {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        deep();
        self.stream.read(buffer, deadline)
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        deep();
        self.stream.try_read(buffer)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        deep();
        self.stream.try_write(buffers)
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        deep();
        self.stream.wait_writable(deadline)
    }

    fn wake_when_writable(&self, waker: &Waker) {
        deep();
        self.stream.wake_when_writable(waker);
    }

    fn source(&self) -> Option<Source<'_>> {
        deep();
        self.stream.source().filter(|_| self.watched)
    }

    fn shutdown(&self, how: How) {
        deep();
        self.stream.shutdown(how);
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        deep();
        self.stream.peer_addr()
    }
}

/// An application that answers, or leaves its connections to who stands in for it.
fn echo_events(server: &Server, messages: usize) {
    let mut left = messages;
    let mut events = server.events();
    while left > 0 {
        if let Event::Message(connection, message) = events.recv_timeout(PATIENCE).unwrap() {
            connection.send(message).unwrap();
            left -= 1;
        }
    }
}

fn attach_deep_streams() {
    let server = Server::builder().without_listener().unwrap();
    let (ours, mut theirs) = duplex();
    theirs.set_timeout(Some(PATIENCE));
    let unwatched = Deep {
        stream: ours,
        watched: false,
    };
    server.attach(unwatched);
    let request = upgrade("localhost", "/", "");
    let mut in_memory = Client::open(theirs, &request);
    in_memory.send_text("hello");
    echo_events(&server, 1);
    assert_eq!(in_memory.read().text(), "hello");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    theirs.set_read_timeout(Some(PATIENCE)).unwrap();
    let watched = Deep {
        stream: listener.accept().unwrap().0,
        watched: true,
    };
    server.attach(watched);
    let mut by_tcp = Client::open(theirs, &request);
    // Nobody takes events: who stands in reads them, and answers.
    by_tcp.send(true, 9, b"ping");
    assert_eq!(by_tcp.read().opcode, 10);
    by_tcp.send_text("hello");
    echo_events(&server, 1);
    assert_eq!(by_tcp.read().text(), "hello");
    drop((in_memory, by_tcp));
    assert_eq!(server.shutdown().threads_left, 0);
}

#[test]
fn m03_streams_of_the_users_have_a_usual_stack() {
    survives(
        "m03_streams_of_the_users_have_a_usual_stack",
        attach_deep_streams,
    );
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &Record<'_>) {
        deep();
    }

    fn flush(&self) {}
}

#[test]
fn m03_a_logger_has_a_usual_stack() {
    survives("m03_a_logger_has_a_usual_stack", || {
        log::set_logger(&Logger).unwrap();
        log::set_max_level(LevelFilter::Trace);
        let server = Server::bind("127.0.0.1:0").unwrap();
        let addr = server.local_addr().unwrap();
        exchange(addr, "GARBAGE\r\n\r\n");
        let mut client = Client::connect(addr);
        client.send_text("hello");
        echo_events(&server, 1);
        assert_eq!(client.read().text(), "hello");
        client.send_close(1000, "");
        assert_eq!(client.read().close().0, 1000);
        assert_eq!(server.shutdown().threads_left, 0);
    });
}
