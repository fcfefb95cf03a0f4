//! Handlers, listeners and groups: the browser's way to take events, rooms, and what a panic does.

use std::thread;

use crate::support::{AtEnd, Client, PATIENCE, duplex, events_in_time};
use wshub::{
    Connection, Event, Group, Handler, Listeners, Message, Prepared, RunError, Server, testing,
};

#[test]
fn listeners_are_called_in_the_order_they_were_added() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.handle());
    let client = thread::spawn(move || {
        let _over = AtEnd(|| handle.shutdown());
        let mut client = Client::connect(addr);
        client.send_text("hi");
        assert_eq!(client.read().text(), "hi");
        client.send_close(1000, "bye");
        assert_eq!(client.read().close().0, 1000);
    });
    let mut listeners = Listeners::new(Vec::new())
        .on_open(|seen: &mut Vec<String>, _| seen.push("open".into()))
        .on_message(|seen, _, message| seen.push(format!("first {}", message.len())))
        .on_message(|seen, connection, message| {
            seen.push("second".into());
            connection.send(message.clone()).unwrap();
        })
        .on_error(|seen, _, error| seen.push(error.to_string()))
        .on_close(|seen, _, close| seen.push(format!("{} {}", close.code, close.reason)));
    server.run(&mut listeners).unwrap();
    client.join().unwrap();
    let seen = listeners.into_state();
    assert_eq!(seen, ["open", "first 2", "second", "1000 bye"]);
}

#[test]
fn b12_a_panic_of_the_handler_shuts_the_server_down() {
    struct Broken;
    impl Handler for Broken {
        fn on_message(&mut self, _: &Connection, _: Message) {
            // Without the panic hook's output.
            std::panic::resume_unwind(Box::new("broken"));
        }
    }
    let server = Server::bind("127.0.0.1:0").unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.handle());
    let client = thread::spawn(move || {
        let _over = AtEnd(|| handle.shutdown());
        let mut client = Client::connect(addr);
        client.send_text("hi");
        assert_eq!(client.read().close().0, 1001);
        client.send_close(1001, "");
        assert!(client.at_end());
    });
    let ended = server.run(&mut Broken);
    assert_eq!(ended, Err(RunError::Panicked("broken".into())));
    client.join().unwrap();
}

#[test]
fn a_second_taker_of_events_is_told() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let _events = server.events();
    let mut listeners = Listeners::new(());
    assert_eq!(server.run(&mut listeners), Err(RunError::InUse));
    assert!(server.events().next().is_none());
}

#[test]
fn a_group_reaches_its_members_and_forgets_those_that_left() {
    let request = || wshub::Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let (connection, sent) = testing::connection(request());
    let mut group = Group::new();
    assert!(group.join(&connection) && !group.join(&connection));
    assert_eq!(group.broadcast("tick").sent, 1);
    assert_eq!(group.broadcast_except(&connection, "not you").sent, 0);
    assert_eq!(sent.take_messages(), [Message::from("tick")]);
    let prepared = Prepared::new("tock");
    assert_eq!(group.broadcast_prepared(&prepared).sent, 1);
    let done = group.broadcast_prepared_except(&connection, &prepared);
    assert_eq!(done.sent, 0);
    assert_eq!(sent.take_messages(), [Message::from("tock")]);
    connection.ping().unwrap();
    connection.close(4000, "done").unwrap();
    assert_eq!(group.broadcast("too late").sent, 0);
    assert_eq!(sent.pings(), 1);
    assert_eq!(sent.close(), Some((4000.into(), "done".into())));
    assert!(group.leave(&connection) && !group.leave(&connection));
    assert!(group.is_empty());
}

#[test]
fn a_connection_that_ended_falls_out_of_its_group() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.handle());
    let client = thread::spawn(move || {
        let mut client = Client::connect(addr);
        assert_eq!(client.read().text(), "welcome");
        client.send_close(1000, "");
        client.read();
    });
    let mut group = Group::new();
    for event in events_in_time(server.events()) {
        match event {
            wshub::Event::Open(connection) => {
                group.join(&connection);
                assert_eq!(group.broadcast("welcome").sent, 1);
            }
            wshub::Event::Close(..) => {
                assert_eq!((group.len(), group.broadcast("anybody?").sent), (0, 0));
                handle.shutdown();
            }
            other => panic!("{other:?}"),
        }
    }
    client.join().unwrap();
}

#[test]
fn a_group_holds_connections_of_several_servers() {
    let servers = [(); 2].map(|()| Server::builder().without_listener().unwrap());
    let mut group = Group::new();
    let mut clients = Vec::new();
    for server in &servers {
        let (stream, peer) = duplex();
        server.attach(stream);
        clients.push(testing::Client::open(peer, "/").unwrap());
        match server.events().recv_timeout(PATIENCE) {
            Ok(Event::Open(connection)) => assert!(group.join(&connection)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((group.len(), group.broadcast("to all").sent), (2, 2));
    for client in &mut clients {
        assert_eq!(client.read_message().unwrap(), Some("to all".into()));
    }
}

/// Nobody broadcasts, so that joining is what has to forget.
#[test]
fn a_group_that_only_grows_forgets_those_that_left() {
    let server = Server::builder().without_listener().unwrap();
    let mut events = server.events();
    let mut group = Group::new();
    for _ in 0..100 {
        let (stream, peer) = duplex();
        server.attach(stream);
        let mut client = testing::Client::open(peer, "/").unwrap();
        client.close(1000, "").unwrap();
        while let Ok(event) = events.recv_timeout(PATIENCE) {
            match event {
                Event::Open(connection) => assert!(group.join(&connection)),
                Event::Close(..) => break,
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(group.is_empty());
    let held = format!("{group:?}").matches("Connection {").count();
    assert!(held <= 16, "{held}");
}
