//! A process that stood still for a while, by Ctrl-Z or because its machine was paused: when it goes
//! on, every deadline has passed, and yet nobody is dropped for it.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_recv_buffer_size;
use support::child::{Child, asked, in_child, serve_echo, tell};
use support::{Client, PATIENCE, dial, frame, upgrade, wait_until};
use wshub::{CloseCode, Event, Limits, Message, Server};

/// Longer than every deadline below. Time itself has to pass.
const STANDSTILL: Duration = Duration::from_millis(4_500);

fn limits() -> Limits {
    Limits {
        ping_interval: Some(Duration::from_millis(300)),
        pong_timeout: Duration::from_secs(3),
        assembly_timeout: Duration::from_secs(3),
        ..Limits::default()
    }
}

/// Reads the next message and answers the pings before it.
fn read_message(client: &mut Client) -> support::Frame {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let frame = client.read();
        match frame.opcode {
            9 => client.send(true, 10, &frame.payload),
            _ => return frame,
        }
    }
    panic!("nothing but pings");
}

fn wait_for_ping(client: &mut Client) -> Vec<u8> {
    let ping = client.read();
    assert_eq!(ping.opcode, 9, "{ping:?}");
    ping.payload
}

#[test]
fn b20_who_answered_meanwhile_is_not_dropped() {
    if in_child() {
        return serve_echo(limits());
    }
    let (server, addr) = Child::server("b20_who_answered_meanwhile_is_not_dropped", ":");
    let mut client = Client::connect(addr);
    let ping = wait_for_ping(&mut client);
    server.stop();
    client.send(true, 10, &ping);
    sleep(STANDSTILL);
    server.resume();
    client.send_text("still here");
    assert_eq!(read_message(&mut client).text(), "still here");
    drop(client);
    assert!(server.end().success());
}

#[test]
fn b20_who_had_not_answered_gets_one_more_round() {
    if in_child() {
        return serve_echo(limits());
    }
    let (server, addr) = Child::server("b20_who_had_not_answered_gets_one_more_round", ":");
    let mut silent = Client::connect(addr);
    let mut client = Client::connect(addr);
    wait_for_ping(&mut silent);
    let ping = wait_for_ping(&mut client);
    server.stop();
    sleep(STANDSTILL);
    server.resume();
    // It stood still, too, and goes on a little later.
    sleep(Duration::from_millis(100));
    client.send(true, 10, &ping);
    client.send_text("still here");
    assert_eq!(read_message(&mut client).text(), "still here");
    // Who never answers is dropped all the same.
    support::read_to_close(&mut silent.stream);
    drop(client);
    assert!(server.end().success());
}

#[test]
fn b20_a_message_under_way_may_be_completed() {
    if in_child() {
        return serve_echo(limits());
    }
    let (server, addr) = Child::server("b20_a_message_under_way_may_be_completed", ":");
    let mut client = Client::connect(addr);
    let message = frame(true, 1, b"in two parts");
    let (head, tail) = message.split_at(9);
    client.stream.write_all(head).unwrap();
    // The head has been read: what comes next answers it.
    wait_for_ping(&mut client);
    server.stop();
    sleep(STANDSTILL);
    server.resume();
    sleep(Duration::from_millis(100));
    client.stream.write_all(tail).unwrap();
    assert_eq!(read_message(&mut client).text(), "in two parts");
    drop(client);
    assert!(server.end().success());
}

/// In the child: sends a long message, or closes, when a client tells it to, and tells the test when
/// that is done, and how each connection ends.
fn serve_orders(limits: Limits) {
    let server = Server::builder()
        .limits(limits)
        .bind("127.0.0.1:0")
        .unwrap();
    tell(server.local_addr().unwrap());
    let handle = server.handle();
    thread::spawn(move || {
        asked().for_each(drop);
        handle.shutdown();
    });
    for event in server.events() {
        match event {
            Event::Message(connection, Message::Text(order)) => {
                match &*order {
                    "send" => connection.send(vec![7; LONG]).unwrap(),
                    _ => connection.close(CloseCode::NORMAL, "").unwrap(),
                }
                assert_eq!(order == "send", connection.buffered_amount() > 0);
                tell("done");
            }
            Event::Close(_, close) => tell(close.was_clean),
            _ => {}
        }
    }
}

/// More than the system takes for a [`narrow_client`] that does not read.
const LONG: usize = 16 << 20;

/// A client that the system keeps little for. Left to itself it would, for one that has just read a long message, keep
/// the next one whole, and nobody would be given up.
fn narrow_client(addr: SocketAddr) -> Client {
    let client = Client::connect(addr);
    set_socket_recv_buffer_size(&client.stream, 64 << 10).unwrap();
    client
}

/// The standstill is longer than each of these.
fn short_of_time() -> Limits {
    let short = Duration::from_secs(3);
    Limits {
        ping_interval: None,
        handshake_timeout: short,
        write_timeout: short,
        close_timeout: short,
        max_message: LONG,
        ..Limits::default()
    }
}

/// The client stands still, too, and goes on a little later.
fn stand_still(server: &Child) {
    server.stop();
    sleep(STANDSTILL);
    server.resume();
    sleep(Duration::from_millis(100));
}

#[test]
fn b20_who_had_not_read_everything_may_do_so() {
    if in_child() {
        return serve_orders(short_of_time());
    }
    let (mut server, addr) = Child::server("b20_who_had_not_read_everything_may_do_so", ":");
    let mut client = narrow_client(addr);
    client.send_text("send");
    assert_eq!(server.told(), "done");
    stand_still(&server);
    assert_eq!(client.read().payload.len(), LONG);
    // Who reads nothing is given up all the same.
    client.send_text("send");
    assert_eq!(server.told(), "done");
    assert_eq!(server.told(), "false");
    assert!(server.end().success());
}

#[test]
fn b20_who_had_not_read_what_a_handler_sends_may_do_so() {
    if in_child() {
        return serve_echo(short_of_time());
    }
    let test = "b20_who_had_not_read_what_a_handler_sends_may_do_so";
    let (mut server, addr) = Child::server(test, ":");
    let mut client = narrow_client(addr);
    client.send_binary(&vec![7; LONG]);
    wait_until("the handler waits", || server.ask("stalled") == "1");
    stand_still(&server);
    assert_eq!(client.read().payload.len(), LONG);
    drop(client);
    assert!(server.end().success());
}

#[test]
fn b20_who_had_not_answered_a_close_may_do_so() {
    if in_child() {
        return serve_orders(short_of_time());
    }
    let (mut server, addr) = Child::server("b20_who_had_not_answered_a_close_may_do_so", ":");
    let mut client = Client::connect(addr);
    client.send_text("close");
    assert_eq!(server.told(), "done");
    stand_still(&server);
    assert_eq!(client.read().close().0, 1000);
    client.send_close(1000, "");
    assert_eq!(server.told(), "true");
    assert!(server.end().success());
}

#[test]
fn b20_who_had_not_sent_all_of_its_request_may_do_so() {
    if in_child() {
        return serve_echo(short_of_time());
    }
    let test = "b20_who_had_not_sent_all_of_its_request_may_do_so";
    let (server, addr) = Child::server(test, ":");
    let request = upgrade("localhost", "/", "");
    let (head, rest) = request.split_at(20);
    let [mut meanwhile, mut later] = [dial(addr), dial(addr)];
    meanwhile.write_all(head.as_bytes()).unwrap();
    later.write_all(head.as_bytes()).unwrap();
    // Who is served has been accepted after them.
    drop(Client::connect(addr));
    server.stop();
    meanwhile.write_all(rest.as_bytes()).unwrap();
    sleep(STANDSTILL);
    server.resume();
    sleep(Duration::from_millis(100));
    later.write_all(rest.as_bytes()).unwrap();
    for stream in [meanwhile, later] {
        let mut client = Client::adopt(stream);
        client.send_text("in");
        assert_eq!(client.read().text(), "in");
    }
    assert!(server.end().success());
}

/// std alone would listen with a backlog of 128.
#[test]
fn b10_a_burst_of_clients_waits_in_the_backlog() {
    if in_child() {
        return serve_echo(Limits {
            max_handshakes: 1_000,
            ..Limits::default()
        });
    }
    let most: usize = std::fs::read_to_string("/proc/sys/net/core/somaxconn")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let (server, addr) = Child::server("b10_a_burst_of_clients_waits_in_the_backlog", ":");
    server.stop();
    let burst: Vec<TcpStream> = (0..most.min(400)).map(|_| connect_at_once(addr)).collect();
    server.resume();
    for mut stream in burst {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Client::open(&mut stream, &upgrade("localhost", "/", ""));
        client.send_text("in");
        assert_eq!(client.read().text(), "in");
    }
    assert!(server.end().success());
}

fn connect_at_once(addr: SocketAddr) -> TcpStream {
    // A full backlog would answer never.
    TcpStream::connect_timeout(&addr, PATIENCE / 4).expect("room in the backlog")
}
