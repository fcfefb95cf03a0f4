//! A port that is taken is an error, and one that was just given up can be taken again.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::thread;

use crate::support::{Client, events_in_time, own_loopback};
use wshub::{Event, Server};

#[test]
fn b18_a_server_takes_its_port_again_at_once() {
    let first = Server::bind(own_loopback()).unwrap();
    let addr = first.local_addr().unwrap();
    let taken = Server::bind(addr).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);

    // A connection that this side closes first stays in TIME_WAIT on the port.
    let client = thread::spawn(move || {
        let mut client = Client::connect(addr);
        client.send_text("close me");
        assert_eq!(client.read().close().0, 1000);
        client.send_close(1000, "");
        assert!(client.at_end());
    });
    for event in events_in_time(first.events()) {
        match event {
            Event::Message(connection, _) => connection.close(1000, "").unwrap(),
            Event::Close(..) => break,
            _ => {}
        }
    }
    client.join().unwrap();
    drop(first);
    assert!(TcpStream::connect(addr).is_err(), "the port is free");

    let second = Server::bind(addr).unwrap();
    assert_eq!(second.local_addr().unwrap(), addr);
    let mut client = Client::connect(addr);
    // The listener is free as soon as the shutdown has begun and been seen, whoever is still there.
    second.handle().shutdown();
    assert_eq!(client.read().close().0, 1001);
    drop(second);
    let _third = Server::bind(addr).unwrap();
}
