//! Unix sockets: a server on a socket file or an abstract name, what becomes of the file, and streams of one's own.

use std::fs;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::support::directory::Directory;
use crate::support::{
    Client, PATIENCE, frame, read_head, read_to_close, serving, upgrade, wait_until,
};
use wshub::{Connection, Event, Events, Limits, Peer, Response, Server, ServerBuilder, UnixSocket};

const UPGRADE: &str = "localhost";

fn dial(path: impl AsRef<Path>) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn connect(path: impl AsRef<Path>) -> Client<UnixStream> {
    Client::open(dial(path), &upgrade(UPGRADE, "/", ""))
}

fn exchange(path: impl AsRef<Path>, request: &str) -> String {
    let mut stream = dial(path);
    stream.write_all(request.as_bytes()).unwrap();
    String::from_utf8(read_to_close(&mut stream)).unwrap()
}

fn page(host: &str, headers: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n")
}

fn opened(events: &mut Events<'_>) -> Connection {
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Open(connection)) => connection,
        other => panic!("{other:?}"),
    }
}

fn bind_error(builder: ServerBuilder, socket: impl Into<UnixSocket>) -> io::Error {
    builder.listen_unix(socket).map(drop).unwrap_err()
}

/// Says who asked.
fn telling() -> ServerBuilder {
    Server::builder().http(|request| Response::text(request.peer().to_string()))
}

#[test]
fn a_page_and_a_websocket_come_by_a_socket_file() {
    let directory = Directory::create();
    let path = directory.file("hub.sock");
    let server = telling().listen_unix(&path).unwrap().start().unwrap();
    assert!(server.local_addrs().is_empty());
    let none = server.local_addr().unwrap_err().to_string();
    assert!(none.contains("internet protocols"), "{none}");
    assert!(exchange(&path, &page("localhost", "")).ends_with("\r\n\r\nunix"));

    let mut events = server.events();
    let mut client = connect(&path);
    let connection = opened(&mut events);
    assert_eq!(connection.request().peer(), Peer::Unix);
    assert_eq!(connection.peer_addr(), None);
    client.send_text("question");
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Message(from, message)) => from.send(message).unwrap(),
        other => panic!("{other:?}"),
    }
    assert_eq!(client.read().text(), "question");
    server.handle().shutdown();
    assert_eq!(client.read().close().0, 1001);
}

/// Names that no browser can be led to from outside, as tools write them; others need `.hosts()`, as anywhere.
#[test]
fn names_that_are_local_by_their_form_are_its_own() {
    let directory = Directory::create();
    let path = directory.file("hub.sock");
    let _server = telling().listen_unix(&path).unwrap().start().unwrap();
    for host in ["localhost", "hub", "127.0.0.1", "hub.local"] {
        let answer = exchange(&path, &page(host, ""));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{host}: {answer}");
    }
    let answer = exchange(&path, &page("evil.example", ""));
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let from = "Origin: https://evil.example\r\n";
    let answer = exchange(&path, &upgrade("localhost", "/", from));
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[test]
fn a_closure_serves_a_unix_socket() {
    let directory = Directory::create();
    let path = directory.file("hub.sock");
    let handle = Server::builder()
        .listen_unix(&path)
        .unwrap()
        .start_serving(serving::echo)
        .unwrap();
    let mut client = connect(&path);
    for _ in 0..3 {
        client.send_text("echo");
        assert_eq!(client.read().text(), "echo");
    }
    client.send_close(1000, "");
    assert_eq!(client.read().close().0, 1000);
    assert!(client.at_end());
    handle.shutdown();
    assert_eq!(handle.wait().threads_left, 0);
}

#[test]
fn connections_that_are_open_hold_no_thread() {
    let directory = Directory::create();
    let path = directory.file("hub.sock");
    let server = Server::builder().listen_unix(&path).unwrap();
    let server = server.start().unwrap();
    let mut events = server.events();
    let mut clients: Vec<_> = (0..30).map(|_| connect(&path)).collect();
    let connections: Vec<_> = clients.iter().map(|_| opened(&mut events)).collect();
    wait_until("the threads of handshakes are few", || {
        server.stats().threads <= 6
    });
    for client in &mut clients {
        client.send_text("still there");
        match events.recv_timeout(PATIENCE) {
            Ok(Event::Message(_, message)) => assert_eq!(message, "still there".into()),
            other => panic!("{other:?}"),
        }
    }
    assert!(server.stats().threads <= 6, "{:?}", server.stats());
    drop(connections);
}

/// What a peer does not take at once is kept, and leaves when it reads.
#[test]
fn a_slow_reader_has_all_of_it() {
    let directory = Directory::create();
    let path = directory.file("hub.sock");
    let limits = Limits {
        outbound_per_connection: Some(16 << 20),
        ..Limits::default()
    };
    let server = Server::builder().limits(limits).listen_unix(&path).unwrap();
    let server = server.start().unwrap();
    let mut events = server.events();
    let mut client = connect(&path);
    let connection = opened(&mut events);
    let message = vec![7; 64 << 10];
    for _ in 0..100 {
        connection.send(message.clone()).unwrap();
    }
    assert!(connection.buffered_amount() > 0);
    let reading = std::thread::spawn(move || {
        for _ in 0..100 {
            assert_eq!(client.read().payload, message);
        }
        client.send_close(1000, "");
        client.read()
    });
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Close(_, close)) => assert_eq!(close.code, 1000),
        other => panic!("{other:?}"),
    }
    assert_eq!(reading.join().unwrap().close().0, 1000);
}

#[test]
fn the_mode_counts_whatever_the_umask_says() {
    let directory = Directory::create();
    let mode = |name: &str, socket: fn(&Path) -> UnixSocket| {
        let path = directory.file(name);
        let server = Server::builder().listen_unix(socket(&path)).unwrap();
        let found = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        drop(server);
        found
    };
    assert_eq!(mode("own", |path| path.into()), 0o600);
    let shared = |path: &Path| UnixSocket::new(path).with_mode(0o666);
    assert_eq!(mode("shared", shared), 0o666);
}

#[test]
fn the_file_goes_with_its_listener() {
    let directory = Directory::create();
    let path = directory.file("hub.sock");
    let builder = Server::builder().listen_unix(&path).unwrap();
    assert_eq!(directory.names(), ["hub.sock"]);
    drop(builder);
    assert!(directory.names().is_empty());

    let server = Server::builder().listen_unix(&path).unwrap();
    let server = server.start().unwrap();
    drop(connect(&path));
    server.shutdown();
    assert!(directory.names().is_empty());
}

#[test]
fn a_file_that_another_program_has_put_there_meanwhile_stays() {
    let directory = Directory::create();
    let path = directory.file("hub.sock");
    let server = Server::builder().listen_unix(&path).unwrap();
    let server = server.start().unwrap();
    fs::remove_file(&path).unwrap();
    let another = UnixListener::bind(&path).unwrap();
    drop(server);
    assert_eq!(directory.names(), ["hub.sock"]);
    drop(another);
}

#[test]
fn a_socket_file_that_is_left_over_is_replaced() {
    let directory = Directory::create();
    let path = directory.file("hub.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert_eq!(directory.names(), ["hub.sock"]);
    let _server = telling().listen_unix(&path).unwrap().start().unwrap();
    assert!(exchange(&path, &page("localhost", "")).starts_with("HTTP/1.1 200 "));
}

#[test]
fn u01_a_socket_where_somebody_listens_is_never_taken() {
    let directory = Directory::create();
    let path = directory.file("hub.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let error = bind_error(Server::builder(), &path);
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let text = error.to_string();
    assert!(
        text.contains("hub.sock") && text.contains("another program listens there"),
        "{text}"
    );

    // Nor where its queue is full, so that nobody can connect now.
    listener.set_nonblocking(true).unwrap();
    while listener.accept().is_ok() {}
    rustix::net::listen(&listener, 0).unwrap();
    let waiting = UnixStream::connect(&path).unwrap();
    let error = bind_error(Server::builder(), &path);
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
    drop(waiting);
    while listener.accept().is_ok() {}
    drop(UnixStream::connect(&path).unwrap());

    // A socket of another type is somebody's, too.
    let other = directory.file("datagrams");
    let _datagrams = UnixDatagram::bind(&other).unwrap();
    let error = bind_error(Server::builder(), &other);
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
}

#[test]
fn u01_what_is_no_socket_is_left_alone() {
    let directory = Directory::create();
    let (file, link) = (directory.file("precious"), directory.file("link"));
    fs::write(&file, "precious").unwrap();
    drop(UnixListener::bind(directory.file("stale")).unwrap());
    symlink(directory.file("stale"), &link).unwrap();
    for path in [&file, &link] {
        let error = bind_error(Server::builder(), path);
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("is no socket"), "{error}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert!(link.is_symlink());
}

/// Of two that start at once, one listens, and the other is told so.
#[test]
fn u01_servers_that_start_at_once_take_nothing_from_each_other() {
    let directory = Directory::create();
    let path = directory.file("hub.sock");
    for _ in 0..20 {
        drop(UnixListener::bind(&path).unwrap());
        let start = || {
            let bound = Server::builder().listen_unix(&path);
            let is_ours = bound.is_ok();
            (bound.ok(), is_ours)
        };
        let bound: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_eq!(bound.iter().filter(|(_, ours)| *ours).count(), 1);
        drop(UnixStream::connect(&path).unwrap());
        drop(bound);
    }
}

#[test]
fn errors_say_what_to_do() {
    let directory = Directory::create();
    let text = |path: &Path| bind_error(Server::builder(), path).to_string();
    let missing = text(&directory.file("nowhere/hub.sock"));
    assert!(missing.contains("RuntimeDirectory="), "{missing}");
    let long = text(&directory.file(&"long".repeat(40)));
    assert!(long.contains("about 100 bytes"), "{long}");
    assert!(directory.names().is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_name_needs_no_file() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    let name = format!("wshub-{}", std::process::id());
    let socket = UnixSocket::new(format!("@{name}"));
    let server = Server::builder().listen_unix(socket.clone()).unwrap();
    let server = server.start().unwrap();
    let taken = bind_error(Server::builder(), socket.clone());
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    assert!(taken.to_string().contains(&format!("@{name}")), "{taken}");
    let addr = SocketAddr::from_abstract_name(&name).unwrap();
    let stream = UnixStream::connect_addr(&addr).unwrap();
    let mut client = Client::open(stream, &upgrade("localhost", "/", ""));
    let connection = opened(&mut server.events());
    connection.send("by name").unwrap();
    assert_eq!(client.read().text(), "by name");
    drop(server);
    drop(Server::builder().listen_unix(socket).unwrap());
}

#[test]
fn no_limit_for_an_address_counts_peers_that_have_none() {
    let directory = Directory::create();
    let path = directory.file("hub.sock");
    let limits = Limits {
        max_per_address: Some(2),
        ..Limits::default()
    };
    let server = Server::builder().limits(limits).listen_unix(&path).unwrap();
    let _server = server.start().unwrap();
    let clients: Vec<_> = (0..4).map(|_| connect(&path)).collect();
    drop(clients);
}

#[test]
fn a_proxy_that_comes_by_it_is_believed_as_unix() {
    let directory = Directory::create();
    let forwarded = page("localhost", "Forwarded: for=\"192.0.2.7:4711\"\r\n");
    for (name, proxies, wanted) in [
        ("not", None, "unix"),
        ("so", Some("unix"), "192.0.2.7:4711"),
    ] {
        let path = directory.file(name);
        let builder = telling().trusted_proxies(proxies);
        let _server = builder.listen_unix(&path).unwrap().start().unwrap();
        let answer = exchange(&path, &forwarded);
        assert_eq!(answer.split_once("\r\n\r\n").unwrap().1, wanted);
    }
}

/// Bytes, and a descriptor with the first of them.
fn send_with_descriptor(stream: &UnixStream, bytes: &[u8], descriptor: impl AsFd) {
    let descriptors = [descriptor.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let buffers = [IoSlice::new(bytes)];
    let sent = sendmsg(stream, &buffers, &mut ancillary, SendFlags::empty()).unwrap();
    assert_eq!(sent, bytes.len());
}

#[test]
fn u02_descriptors_that_a_peer_sends_along_are_closed_and_hide_nothing() {
    let directory = Directory::create();
    let path = directory.file("hub.sock");
    let server = Server::builder().listen_unix(&path).unwrap();
    let server = server.start().unwrap();
    let mut events = server.events();
    let (mut pipe, end) = UnixStream::pair().unwrap();
    pipe.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = dial(&path);
    let request = upgrade("localhost", "/", "");
    let (first, rest) = request.split_at(10);
    send_with_descriptor(&stream, first.as_bytes(), &end);
    send_with_descriptor(&stream, rest.as_bytes(), &end);
    let head = read_head(&mut stream).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    opened(&mut events);
    // The system ends a read at each descriptor, with more after it.
    for _ in 0..50 {
        send_with_descriptor(&stream, &frame(true, 1, b"one"), &end);
        stream.write_all(&frame(true, 1, b"two")).unwrap();
    }
    drop(end);
    for _ in 0..50 {
        for wanted in ["one", "two"] {
            match events.recv_timeout(PATIENCE) {
                Ok(Event::Message(_, message)) => assert_eq!(message, wanted.into()),
                other => panic!("{other:?}"),
            }
        }
    }
    // Nobody holds its other end any more.
    assert_eq!(pipe.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_stream_of_ones_own_is_a_transport() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_read_timeout(Some(PATIENCE)).unwrap();
    let server = Server::builder().without_listener().unwrap();
    server.attach(ours);
    let mut client = Client::open(theirs, &upgrade("localhost", "/", ""));
    let connection = opened(&mut server.events());
    assert_eq!(connection.request().peer(), Peer::Unix);
    connection.send("over a pair").unwrap();
    assert_eq!(client.read().text(), "over a pair");
    drop(server);
    assert_eq!(client.read().close().0, 1001);
}

#[test]
fn reads_keep_their_deadlines() {
    use wshub::{How, Transport};

    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let soon = || Some(std::time::Instant::now() + Duration::from_millis(20));
    let nothing = Transport::read(&ours, &mut [0; 8], soon()).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::TimedOut);
    let nothing = ours.try_read(&mut [0; 8]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    theirs.write_all(b"there").unwrap();
    assert_eq!(Transport::read(&ours, &mut [0; 8], None).unwrap(), 5);
    while ours.try_write(&[IoSlice::new(&[0; 4096])]).is_ok() {}
    let full = ours.wait_writable(soon().unwrap()).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::TimedOut);
    // Whoever waits in a read is woken by the end.
    let waiting = ours.try_clone().unwrap();
    let reader = std::thread::spawn(move || Transport::read(&waiting, &mut [0; 8], None));
    Transport::shutdown(&ours, How::Reset);
    assert_eq!(reader.join().unwrap().unwrap(), 0);
}

/// What the client asked, as the server got it.
#[cfg(feature = "client")]
fn asked(server: &Server) -> String {
    let connection = loop {
        match server.events().recv_timeout(PATIENCE) {
            Ok(Event::Open(connection)) => break connection,
            // The one before has left.
            Ok(Event::Close(..)) => {}
            other => panic!("{other:?}"),
        }
    };
    let request = connection.request();
    format!("{} {} {}", request.host(), request.target(), request.peer())
}

#[cfg(feature = "client")]
#[test]
fn a_client_comes_by_its_url() {
    let directory = Directory::create();
    let path = directory.file("a hub: 100%.sock");
    let server = Server::builder().listen_unix(&path).unwrap();
    let server = server.start().unwrap();
    let written = path.to_str().unwrap().replace('%', "%25");
    let written = written.replace(' ', "%20").replace(':', "%3A");
    for (url, wanted) in [
        (format!("ws+unix:{written}:/chat?room=7"), "/chat?room=7"),
        (format!("WS+UNIX://{written}:/a:b"), "/a:b"),
        (format!("ws+unix:{written}"), "/"),
        (format!("ws+unix:{written}:?q"), "/?q"),
    ] {
        let mut client = wshub::connect(&url).unwrap();
        assert_eq!(client.peer_addr(), None);
        assert_eq!(asked(&server), format!("localhost {wanted} unix"));
        server.broadcast("hello");
        assert_eq!(client.read().unwrap(), Some("hello".into()));
    }
}

#[cfg(all(feature = "client", target_os = "linux"))]
#[test]
fn a_client_comes_by_an_abstract_name() {
    let name = format!("@wshub-client-{}", std::process::id());
    let server = Server::builder().listen_unix(&*name).unwrap();
    let server = server.start().unwrap();
    let _client = wshub::connect(format!("ws+unix:{name}:/")).unwrap();
    assert_eq!(asked(&server), "localhost / unix");
}

#[cfg(feature = "client")]
#[test]
fn urls_that_name_no_socket_are_refused() {
    use wshub::{ClientRequest, InvalidUrl};

    for (url, wanted) in [
        ("ws+unix:", InvalidUrl::UnixSocket),
        ("ws+unix::/path", InvalidUrl::UnixSocket),
        ("ws+unix:@:/path", InvalidUrl::UnixSocket),
        ("ws+unix:/a b.sock:/", InvalidUrl::UnixSocket),
        ("ws+unix:/a.sock?query", InvalidUrl::UnixSocket),
        ("ws+unix:/a%0g.sock:/", InvalidUrl::UnixSocket),
        ("ws+unix:/a%00.sock:/", InvalidUrl::UnixSocket),
        ("ws+unix:/a%ff.sock:/", InvalidUrl::UnixSocket),
        ("ws+unix:/a.sock:path", InvalidUrl::Path),
        ("ws+unix:/a.sock:/b c", InvalidUrl::Path),
        ("ws+unix:/a.sock:/b#c", InvalidUrl::Fragment),
        ("wss+unix:/a.sock:/", InvalidUrl::Scheme),
    ] {
        assert_eq!(ClientRequest::new(url).unwrap_err(), wanted, "{url}");
    }
}

#[cfg(feature = "client")]
#[test]
fn a_client_that_cannot_connect_is_told_why() {
    use wshub::{ClientError, ClientRequest};

    let directory = Directory::create();
    let path = directory.file("hub.sock");
    let url = format!("ws+unix:{}:/", path.display());
    let connect = |time| {
        let request = ClientRequest::new(&url).unwrap();
        match wshub::connect(request.with_connect_timeout(time)) {
            Err(ClientError::UnixSocket { socket, error, .. }) => {
                assert_eq!(socket, path.to_str().unwrap());
                error.kind()
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(connect(PATIENCE), ErrorKind::NotFound);
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _waiting = UnixStream::connect(&path).unwrap();
    // Its queue is full.
    assert_eq!(connect(Duration::from_millis(50)), ErrorKind::TimedOut);
    drop(listener);
    assert_eq!(connect(PATIENCE), ErrorKind::ConnectionRefused);
    let text = wshub::connect(&url).unwrap_err().to_string();
    assert!(text.contains("may write to the file"), "{text}");
}

#[cfg(feature = "client")]
#[test]
fn a_client_connects_again_where_the_next_server_listens() {
    use wshub::{ClientEvent, Reconnecting};

    let directory = Directory::create();
    let path = directory.file("hub.sock");
    let start = || {
        Server::builder()
            .listen_unix(&path)
            .unwrap()
            .start()
            .unwrap()
    };
    let first = start();
    let again = Reconnecting::new(format!("ws+unix:{}:/", path.display())).unwrap();
    let again = again.with_backoff(Duration::from_millis(10), Duration::from_millis(50));
    let mut events = again.into_iter();
    let connected = |event| matches!(event, Some(ClientEvent::Connected { .. }));
    assert!(connected(events.next()));
    opened(&mut first.events());
    drop(first);
    let second = start();
    let deadline = std::time::Instant::now() + PATIENCE;
    while !connected(events.next()) {
        assert!(std::time::Instant::now() < deadline);
    }
    opened(&mut second.events());
}
