//! One server on several addresses: who comes in by which, and what goes for them.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use crate::support::refusal::{assert_refused, status};
use crate::support::{Client, PATIENCE, dial, exchange, own_loopback, serving, upgrade};
use wshub::{Event, Response, Server};

const ANY_PORT: &str = "127.0.0.1:0";

/// A request for a page, that names this host.
fn page(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

#[test]
fn all_listeners_lead_to_one_server() {
    let server = Server::builder()
        .listen(own_loopback())
        .unwrap()
        .listen_on(TcpListener::bind(own_loopback()).unwrap())
        .unwrap()
        .bind(own_loopback())
        .unwrap();
    let addrs = server.local_addrs();
    assert_eq!(addrs.len(), 3);
    assert_eq!(server.handle().local_addrs(), addrs);
    assert_eq!(server.local_addr().unwrap(), addrs[0]);

    let mut events = server.events();
    let mut clients: Vec<_> = addrs.iter().map(|&addr| Client::connect(addr)).collect();
    let mut peers = BTreeSet::new();
    for _ in &clients {
        match events.recv_timeout(PATIENCE) {
            Ok(Event::Open(connection)) => peers.extend(connection.peer_addr()),
            other => panic!("{other:?}"),
        }
    }
    let expected = clients.iter().map(|it| it.stream.local_addr().unwrap());
    assert_eq!(peers, expected.collect());
    server.broadcast("to all of them");
    for client in &mut clients {
        assert_eq!(client.read().text(), "to all of them");
    }

    drop((clients, events));
    server.handle().terminate();
    drop(server);
    for addr in addrs {
        TcpListener::bind(addr).unwrap();
    }
}

#[test]
fn a_closure_serves_all_of_them() {
    let builder = Server::builder().listen(ANY_PORT).unwrap();
    let serving = builder
        .listen(ANY_PORT)
        .unwrap()
        .start_serving(serving::echo);
    let handle = serving.unwrap();
    for addr in handle.local_addrs() {
        let mut client = Client::connect(addr);
        client.send_text("echo");
        assert_eq!(client.read().text(), "echo");
    }
    handle.terminate();
}

#[test]
fn localhost_is_both_loopbacks_on_one_port() {
    let server = Server::bind("localhost:0").unwrap();
    let addrs = server.local_addrs();
    let ports: BTreeSet<u16> = addrs.iter().map(SocketAddr::port).collect();
    assert_eq!(ports.len(), 1, "{addrs:?}");
    assert!(
        addrs.iter().all(|addr| addr.ip().is_loopback()),
        "{addrs:?}"
    );
    assert!(addrs.contains(&SocketAddr::new(
        Ipv4Addr::LOCALHOST.into(),
        addrs[0].port()
    )));
    // A page that came from the one may connect to the other.
    for &addr in &addrs {
        for &other in &addrs {
            let origin = format!("Origin: http://{other}\r\n");
            assert_eq!(status(addr, upgrade(&addr.to_string(), "/", &origin)), 101);
        }
    }
}

/// As two listeners, wherever the resolver gives `localhost` one address only.
#[test]
fn the_loopbacks_are_one_host_as_far_as_the_server_is_on_both() {
    let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = v4.local_addr().unwrap().port();
    let Ok(v6) = TcpListener::bind((Ipv6Addr::LOCALHOST, port)) else {
        return eprintln!("no IPv6 here, or its port {port} is taken: nothing tested");
    };
    let elsewhere = TcpListener::bind(ANY_PORT).unwrap();
    let mut builder = Server::builder();
    for listener in [v4, v6, elsewhere] {
        builder = builder.listen_on(listener).unwrap();
    }
    let server = builder.start().unwrap();
    let addrs = server.local_addrs();
    let from = |origin: SocketAddr, to: SocketAddr| {
        let origin = format!("Origin: http://{origin}\r\n");
        status(to, upgrade(&to.to_string(), "/", &origin))
    };
    assert_eq!(from(addrs[0], addrs[1]), 101);
    assert_eq!(from(addrs[1], addrs[0]), 101);
    // Another port is another site.
    assert_eq!(from(addrs[2], addrs[0]), 403);
}

#[test]
fn each_listener_has_the_names_of_its_own_address() {
    let server = Server::builder()
        .http(|_| Response::text("let in"))
        .listen(ANY_PORT)
        .unwrap()
        .bind("0.0.0.0:0")
        .unwrap();
    let [local, everywhere] = server.local_addrs()[..] else {
        panic!()
    };
    let everywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), everywhere.port());
    assert_refused(local, page("device"), 403, &[]);
    assert!(exchange(everywhere, page("device")).ends_with("let in"));
    assert!(exchange(local, page("localhost")).ends_with("let in"));
}

#[test]
fn a_server_that_listens_nowhere_does_not_start() {
    let error = Server::builder().start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("call listen(addr)"), "{error}");

    let server = Server::builder().without_listener().unwrap();
    assert!(server.local_addrs().is_empty());
}

#[test]
fn connections_wait_for_the_start() {
    let builder = Server::builder().listen(ANY_PORT).unwrap();
    let listener = TcpListener::bind(ANY_PORT).unwrap();
    let addr = listener.local_addr().unwrap();
    let builder = builder.listen_on(listener).unwrap();
    let early = dial(addr);
    let server = builder.start().unwrap();
    Client::open(early, &upgrade(&addr.to_string(), "/", ""));
    assert!(matches!(
        server.events().recv_timeout(PATIENCE),
        Ok(Event::Open(_))
    ));
}

#[cfg(feature = "tls")]
#[test]
fn each_listener_has_its_own_tls() {
    use crate::support::tls::{Authority, connect};

    let authority = Authority::new();
    let server = Server::builder()
        .http(|_| Response::text("let in"))
        .listen(ANY_PORT)
        .unwrap()
        .listen_tls(ANY_PORT, &authority.tls())
        .unwrap()
        .start()
        .unwrap();
    let [plain, sealed] = server.local_addrs()[..] else {
        panic!()
    };
    assert!(exchange(plain, page("localhost")).ends_with("let in"));
    connect(sealed, &authority).send_text("sealed");
    let mut events = server.events();
    loop {
        match events.recv_timeout(PATIENCE) {
            Ok(Event::Message(_, message)) => break assert_eq!(message, "sealed".into()),
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
    // In clear it is told so.
    let answer = exchange(sealed, page("localhost"));
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}
