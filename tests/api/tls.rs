//! `wss://`: the same rules over TLS, certificates, client certificates, and hostile TLS peers.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::tls::{Authority, Stream, connect, secure, secure_over, session};
use crate::support::{
    self, Client, PATIENCE, dial, duplex, read_head, read_to_close, serving, upgrade, wait_until,
};
use rustls::{HandshakeKind, ProtocolVersion};
use wshub::testing::Duplex;
use wshub::{
    Accept, Event, HandshakeError, Limits, Refusal, Reject, Response, Server, ServerBuilder, Tls,
    TlsStream, TlsVersion, WebSocket,
};

fn echo(authority: &Authority) -> App {
    App::echo(Server::builder().tls(&authority.tls()))
}

fn refused(app: &App, reason: &str) -> u64 {
    let stats = app.handle.stats();
    stats.refused.get(reason).copied().unwrap_or(0)
}

fn hurried(timeout: Duration) -> ServerBuilder {
    Server::builder().limits(Limits {
        handshake_timeout: timeout,
        ..Limits::default()
    })
}

#[test]
fn messages_of_every_size_come_back_over_both_versions() {
    let authority = Authority::new();
    let app = echo(&authority);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = authority.client_config_of(&[version], None);
        let stream = secure(app.addr, config, "localhost").unwrap();
        assert_eq!(stream.conn.protocol_version(), Some(version.version));
        let mut client = Client::open(stream, &upgrade("localhost", "/", ""));
        for len in [0, 1, 125, 126, 16_000, 16_384, 16_385, 70_000, 1 << 20] {
            let bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
            client.send_binary(&bytes);
            assert!(client.read_message().payload == bytes, "{len} bytes");
        }
        client.send_text("grüß dich");
        assert_eq!(client.read_message().text(), "grüß dich");
    }
}

#[test]
fn frames_right_behind_the_handshake_are_not_lost() {
    let authority = Authority::new();
    let app = echo(&authority);
    let mut stream = secure(app.addr, authority.client_config(None), "localhost").unwrap();
    let mut bytes = upgrade("localhost", "/", "").into_bytes();
    bytes.extend(support::frame(true, 1, b"early"));
    stream.write_all(&bytes).unwrap();
    let answer = read_head(&mut stream).unwrap();
    let mut client = Client { stream, answer };
    assert_eq!(client.read_message().text(), "early");
}

#[test]
fn a_broadcast_reaches_everyone_and_so_do_a_hundred_in_order() {
    let authority = Authority::new();
    let server = Server::builder()
        .tls(&authority.tls())
        .bind("127.0.0.1:0")
        .unwrap();
    let addr = server.local_addr().unwrap();
    let mut events = server.events();
    let mut clients: Vec<_> = (0..5).map(|_| connect(addr, &authority)).collect();
    for _ in &clients {
        assert!(matches!(events.recv_timeout(PATIENCE), Ok(Event::Open(_))));
    }
    for n in 0..100 {
        assert_eq!(server.broadcast(format!("message {n}")).sent, 5);
    }
    for client in &mut clients {
        for n in 0..100 {
            assert_eq!(client.read_message().text(), format!("message {n}"));
        }
    }
}

#[test]
fn the_close_handshake_is_clean_and_ends_with_close_notify() {
    let authority = Authority::new();
    let app = echo(&authority);
    let mut client = connect(app.addr, &authority);
    client.send_close(1000, "done");
    assert_eq!(client.read().close(), (1000, ""));
    // Without close_notify rustls would report UnexpectedEof.
    assert!(client.at_end());
    app.expect(&["open", "close 1000 done clean"]);
}

#[test]
fn t04_an_end_without_close_notify_or_without_close_frame_is_abnormal() {
    let authority = Authority::new();
    let app = echo(&authority);
    let client = connect(app.addr, &authority);
    client.stream.sock.shutdown(Shutdown::Write).unwrap();
    app.expect(&["open", "close 1006  unclean"]);

    let mut client = connect(app.addr, &authority);
    client.stream.conn.send_close_notify();
    client.stream.flush().unwrap();
    app.expect(&["open", "close 1006  unclean"]);

    // The Close frame decides: what TLS does after it is nobody's business.
    let mut client = connect(app.addr, &authority);
    client.send_close(1001, "");
    client.stream.sock.shutdown(Shutdown::Write).unwrap();
    app.expect(&["open", "close 1001  clean"]);
}

#[test]
fn a_page_is_served_over_https_and_told_apart_from_others() {
    let authority = Authority::new();
    let builder = Server::builder().tls(&authority.tls());
    let app = App::echo(builder.http(|_| Response::html("<!doctype html><title>hi</title>")));
    let mut stream = secure(app.addr, authority.client_config(None), "localhost").unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let page = String::from_utf8(read_to_close(&mut stream)).unwrap();
    assert!(
        page.starts_with("HTTP/1.1 200 ") && page.ends_with("<title>hi</title>"),
        "{page}"
    );

    let origin = |origin: &str| {
        let mut stream = secure(app.addr, authority.client_config(None), "localhost").unwrap();
        let host = format!("localhost:{}", app.addr.port());
        let request = upgrade(&host, "/", &format!("Origin: {origin}\r\n"));
        stream.write_all(request.as_bytes()).unwrap();
        read_head(&mut stream).unwrap()
    };
    let own = format!("https://localhost:{}", app.addr.port());
    assert!(origin(&own).starts_with("HTTP/1.1 101 "));
    assert!(origin("https://evil.example").starts_with("HTTP/1.1 403 "));
}

#[test]
fn plain_http_on_a_tls_port_is_told_so_in_clear() {
    let authority = Authority::new();
    let app = echo(&authority);
    for request in [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &upgrade("localhost", "/", ""),
    ] {
        let answer = support::exchange(app.addr, request);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("use wss:// in place of ws://"), "{answer}");
        assert!(answer.contains("Connection: close"), "{answer}");
    }
    // RFC 9110 9.3.2: without a body.
    let answer = support::exchange(app.addr, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    assert_eq!(refused(&app, "plain"), 4);
}

// ---- certificates

#[test]
fn a_client_gets_the_certificate_for_the_name_it_asks_for() {
    let authority = Authority::new();
    let (first, second) = (
        authority.issued("one.example"),
        authority.issued("two.example"),
    );
    let tls = Tls::builder()
        .pem(first.certificate.as_str(), first.key.as_str())
        .pem(second.certificate.as_str(), second.key.as_str())
        .build()
        .unwrap();
    let app = App::echo(Server::builder().tls(&tls));
    for (name, certificate) in [("one.example", &first), ("two.example", &second)] {
        let stream = secure(app.addr, authority.client_config(None), name).unwrap();
        assert_eq!(shown(&stream), certificate.der());
    }
    // For any other name the first one is shown, and the client refuses it.
    let error = secure(app.addr, authority.client_config(None), "three.example").unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
    wait_until("the alert is counted", || {
        refused(&app, "tls_handshake") == 1
    });
}

fn shown<S: Read + Write>(stream: &Stream<S>) -> Vec<u8> {
    stream.conn.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn new_certificates_are_for_new_connections_and_drop_no_old_one() {
    let authority = Authority::new();
    let (old, new) = (authority.issued("localhost"), authority.issued("renewed"));
    let tls = Tls::from_pem(old.certificate.as_str(), old.key.as_str()).unwrap();
    let app = App::echo(Server::builder().tls(&tls));
    let config = authority.client_config(None);
    let stream = secure(app.addr, config.clone(), "localhost").unwrap();
    assert_eq!(shown(&stream), old.der());
    let mut client = Client::open(stream, &upgrade("localhost", "/", ""));
    // Halfway through its handshake, too.
    let (mut half, sock) = (session(config.clone(), "localhost"), dial(app.addr));
    half.write_tls(&mut &sock).unwrap();
    assert_eq!(sock.peek(&mut [0]).unwrap(), 1, "it is answered");

    tls.replace(&Tls::from_pem(new.certificate.as_str(), new.key.as_str()).unwrap());
    client.send_text("still here");
    assert_eq!(client.read_message().text(), "still here");
    half.complete_io(&mut &sock).unwrap();
    assert!(!half.is_handshaking());
    // The same client, which would resume a session.
    assert_eq!(
        shown(&secure(app.addr, config, "localhost").unwrap()),
        new.der()
    );
}

#[test]
fn no_session_is_resumed_and_nothing_follows_the_handshake() {
    let authority = Authority::new();
    let app = echo(&authority);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = authority.client_config_of(&[version], None);
        for _ in 0..2 {
            let stream = secure(app.addr, config.clone(), "localhost").unwrap();
            assert_eq!(stream.conn.handshake_kind(), Some(HandshakeKind::Full));
            let mut client = Client::open(stream, &upgrade("localhost", "/", ""));
            client.send_text("hello");
            assert_eq!(client.read_message().text(), "hello");
            assert_eq!(client.stream.conn.tls13_tickets_received(), 0);
        }
    }
}

#[test]
fn the_minimum_version_is_kept_and_the_refusal_counted() {
    let authority = Authority::new();
    let tls = authority
        .builder()
        .min_version(TlsVersion::V1_3)
        .build()
        .unwrap();
    let app = App::echo(Server::builder().tls(&tls));
    let old = authority.client_config_of(&[&rustls::version::TLS12], None);
    let error = secure(app.addr, old, "localhost").unwrap_err();
    assert!(error.to_string().contains("ProtocolVersion"), "{error}");
    wait_until("the refusal is counted", || {
        refused(&app, "tls_handshake") == 1
    });
    let new = secure(app.addr, authority.client_config(None), "localhost").unwrap();
    assert_eq!(new.conn.protocol_version(), Some(ProtocolVersion::TLSv1_3));
}

#[test]
fn http_1_1_is_the_protocol_that_alpn_settles_on() {
    let authority = Authority::new();
    let app = echo(&authority);
    let offering = |offers: &[&str]| {
        let mut config = authority.client_config(None);
        config.alpn_protocols = offers
            .iter()
            .map(|offer| offer.as_bytes().to_vec())
            .collect();
        secure(app.addr, config, "localhost")
    };
    let stream = offering(&["h2", "http/1.1"]).unwrap();
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(offering(&[]).unwrap().conn.alpn_protocol(), None);
    let error = offering(&["h2"]).unwrap_err();
    assert!(
        error.to_string().contains("NoApplicationProtocol"),
        "{error}"
    );
}

// ---- small devices

/// Notes how much data each record has that comes from the server.
struct Records {
    stream: TcpStream,
    came: Vec<u8>,
}

impl Read for Records {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(room)?;
        self.came.extend_from_slice(&room[..read]);
        Ok(read)
    }
}

impl Write for Records {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Records {
    /// The longest of them, without its header.
    fn longest(&self) -> usize {
        let (mut rest, mut longest) = (&self.came[..], 0);
        while let [_, _, _, high, low, behind @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            longest = longest.max(length);
            rest = behind.get(length..).unwrap_or_default();
        }
        longest
    }
}

#[test]
fn records_are_no_longer_than_a_small_device_can_take() {
    /// The cipher's, and the byte that TLS 1.3 says the kind with.
    const AROUND: usize = 32;
    let authority = Authority::new();
    for (size, version) in [64, 512, 4096, 16_384].into_iter().flat_map(|size| {
        [&rustls::version::TLS12, &rustls::version::TLS13].map(|version| (size, version))
    }) {
        let tls = authority.builder().max_fragment_size(size).build().unwrap();
        let app = App::echo(Server::builder().tls(&tls));
        let stream = Records {
            stream: dial(app.addr),
            came: Vec::new(),
        };
        let config = authority.client_config_of(&[version], None);
        let stream = secure_over(stream, config, "localhost").unwrap();
        let mut client = Client::open(stream, &upgrade("localhost", "/", ""));
        let bytes: Vec<u8> = (0..100_000).map(|at| at as u8).collect();
        client.send_binary(&bytes);
        assert!(client.read_message().payload == bytes);
        let longest = client.stream.sock.longest();
        assert!(longest <= size + AROUND, "{longest} with {size}");
        assert!(longest > size / 2, "{longest} with {size}");
    }
}

#[test]
fn a_size_of_records_that_cannot_be_is_said() {
    for size in [0, 63, 16_385, usize::MAX] {
        let built = Authority::new().builder().max_fragment_size(size).build();
        let error = built.unwrap_err().to_string();
        assert!(error.contains("give 64 to 16384"), "{error}");
    }
}

// ---- client certificates

#[test]
fn a_verified_client_certificate_is_seen_by_the_accept_hook() {
    let (authority, devices) = (Authority::new(), Authority::devices());
    let (known, unknown) = (devices.issued("device-17"), devices.issued("device-18"));
    let tls = authority
        .builder()
        .client_ca(devices.pem())
        .build()
        .unwrap();
    let (listed, seen) = (known.der(), Arc::new(Mutex::new(Vec::new())));
    let hook_saw = seen.clone();
    let app = App::echo(Server::builder().tls(&tls).accept(move |request| {
        let chain = request.client_certificates();
        hook_saw.lock().unwrap().push(chain.len());
        match chain {
            [device, ..] if *device == listed => Ok(Accept::new()),
            _ => Err(Reject::forbidden()),
        }
    }));
    let ask = |certificate| {
        let config = authority.client_config(Some(certificate));
        let mut stream = secure(app.addr, config, "localhost").unwrap();
        stream
            .write_all(upgrade("localhost", "/", "").as_bytes())
            .unwrap();
        read_head(&mut stream).unwrap()
    };
    assert!(ask(&known).starts_with("HTTP/1.1 101 "));
    assert!(ask(&unknown).starts_with("HTTP/1.1 403 "));
    assert_eq!(*seen.lock().unwrap(), [1, 1]);
}

#[test]
fn where_a_certificate_is_optional_the_hook_sees_whether_and_which() {
    let (authority, devices, others) =
        (Authority::new(), Authority::devices(), Authority::others());
    let builder = authority.builder().client_ca(devices.pem());
    let tls = builder.optional_client_certificate().build().unwrap();
    let known = devices.issued("device-17");
    let listed = known.der();
    let app = App::echo(Server::builder().tls(&tls).http(move |request| {
        Response::text(match request.client_certificates() {
            [] => "nobody",
            [device, ..] if *device == listed => "device 17",
            _ => "another",
        })
    }));
    let ask = |certificate: Option<&_>| {
        let config = authority.client_config(certificate);
        let mut stream = secure(app.addr, config, "localhost")?;
        // Who is refused may be so before.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, io::Error>(answer)
    };
    assert!(ask(None).unwrap().ends_with("nobody"));
    assert!(ask(Some(&known)).unwrap().ends_with("device 17"));
    let other = ask(Some(&devices.issued("device-18"))).unwrap();
    assert!(other.ends_with("another"), "{other}");
    // One that nobody vouches for is not the same as none.
    let error = ask(Some(&others.issued("device-17"))).unwrap_err();
    assert!(error.to_string().contains("UnknownCA"), "{error}");
}

#[test]
fn an_optional_certificate_needs_an_authority() {
    let error = Authority::new()
        .builder()
        .optional_client_certificate()
        .build();
    let error = error.unwrap_err().to_string();
    assert!(error.contains("add client_ca_file"), "{error}");
}

#[test]
fn without_a_certificate_of_the_client_ca_nobody_gets_in() {
    let (authority, devices, others) =
        (Authority::new(), Authority::devices(), Authority::others());
    let tls = authority
        .builder()
        .client_ca(devices.pem())
        .build()
        .unwrap();
    let app = App::echo(
        Server::builder()
            .tls(&tls)
            .http(|_| Response::text("secret")),
    );
    let stranger = others.issued("device-17");
    // A server's certificate is none for clients, though the same CA signed it.
    let server = devices.issued("server");
    let cases = [
        (None, "CertificateRequired"),
        (Some(&stranger), "UnknownCA"),
        (Some(&server), "UnsupportedCertificate"),
    ];
    for (n, (certificate, alert)) in cases.into_iter().enumerate() {
        let config = authority.client_config(certificate);
        // In TLS 1.3 the client learns it after its own handshake is done, when it reads.
        let answer = secure(app.addr, config, "localhost").and_then(|mut stream| {
            let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(request);
            stream.read_to_end(&mut Vec::new())
        });
        let error = answer.unwrap_err().to_string();
        assert!(error.contains(alert), "{error}, not {alert}");
        wait_until("the refusal is counted", || {
            refused(&app, "tls_handshake") == n as u64 + 1
        });
    }
    assert_eq!(app.handle.stats().http_requests, 0);
}

// ---- hostile and slow peers

/// The bytes of a ClientHello record.
fn client_hello(authority: &Authority) -> Vec<u8> {
    let mut hello = Vec::new();
    session(authority.client_config(None), "localhost")
        .write_tls(&mut hello)
        .unwrap();
    hello
}

#[test]
fn t01_silence_half_a_client_hello_and_a_whole_one_all_end_at_the_deadline() {
    let authority = Authority::new();
    let app = App::echo(hurried(Duration::from_millis(300)).tls(&authority.tls()));
    let hello = client_hello(&authority);
    let stalled = [
        &hello[..0],
        &hello[..1],
        &hello[..3],
        &hello[..hello.len() / 2],
        &hello,
    ];
    let mut streams: Vec<_> = stalled
        .iter()
        .map(|bytes| {
            let mut stream = dial(app.addr);
            stream.write_all(bytes).unwrap();
            stream
        })
        .collect();
    for stream in &mut streams {
        read_to_close(stream);
    }
    wait_until("all are counted", || refused(&app, "timeout") == 5);
    wait_until("none is left", || app.handle.stats().handshakes == 0);
}

#[test]
fn t01_a_byte_now_and_then_does_not_move_the_deadline() {
    let authority = Authority::new();
    let app = App::echo(hurried(Duration::from_millis(500)).tls(&authority.tls()));
    let (start, hello) = (Instant::now(), client_hello(&authority));
    let mut stream = dial(app.addr);
    for byte in hello.iter().cycle() {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
        assert!(
            start.elapsed() < PATIENCE,
            "a byte every 20 ms keeps it open"
        );
    }
    wait_until("it is counted", || refused(&app, "timeout") == 1);
}

/// Cuts the first record that is written into records of `size` bytes.
struct Fragmenting {
    stream: TcpStream,
    size: Option<usize>,
}

impl Read for Fragmenting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Fragmenting {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let Some(size) = self.size.take() else {
            return self.stream.write(record);
        };
        let mut cut = Vec::new();
        for part in record[5..].chunks(size) {
            cut.extend([record[0], record[1], record[2], 0, part.len() as u8]);
            cut.extend(part);
        }
        self.stream.write_all(&cut)?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[test]
fn t01_a_client_hello_in_many_records_is_one_client_hello() {
    let authority = Authority::new();
    let app = echo(&authority);
    for size in [1, 2, 5, 100] {
        let stream = Fragmenting {
            stream: dial(app.addr),
            size: Some(size),
        };
        let stream = secure_over(stream, authority.client_config(None), "localhost").unwrap();
        let mut client = Client::open(stream, &upgrade("localhost", "/", ""));
        client.send_text("whole");
        assert_eq!(client.read_message().text(), "whole");
    }
}

#[test]
fn t01_a_client_hello_without_end_is_refused_before_it_fills_memory() {
    let authority = Authority::new();
    // No deadline ends it.
    let app = App::echo(hurried(Duration::from_secs(3600)).tls(&authority.tls()));
    let mut stream = dial(app.addr);
    // A ClientHello of 16 MiB, as its header says, in records of 16 KiB.
    let mut record = vec![0x16, 3, 1, 0x40, 0];
    record.extend([1, 0xff, 0xff, 0xff]);
    record.resize(5 + (16 << 10), 0);
    while stream.write_all(&record).is_ok() {}
    wait_until("it is refused", || refused(&app, "tls_handshake") == 1);
}

#[test]
fn t01_fifty_stalled_handshakes_beside_fifty_healthy_peers() {
    let authority = Authority::new();
    // The stalled ones are not sent away meanwhile.
    let app = App::echo(hurried(3 * PATIENCE).tls(&authority.tls()));
    let hello = client_hello(&authority);
    let stalled: Vec<TcpStream> = (0..50)
        .map(|n| {
            let mut stream = dial(app.addr);
            stream.write_all(&hello[..n * hello.len() / 50]).unwrap();
            stream
        })
        .collect();
    wait_until("fifty wait", || app.handle.stats().handshakes == 50);
    let mut healthy: Vec<_> = (0..50).map(|_| connect(app.addr, &authority)).collect();
    for _ in 0..20 {
        for client in &mut healthy {
            client.send_text("hello");
        }
        for client in &mut healthy {
            assert_eq!(client.read_message().text(), "hello");
        }
    }
    wait_until("they wait alone", || app.handle.stats().handshakes == 50);
    drop(stalled);
}

/// As many handshakes as connections: all clients may come again at once, and what stalls gives way to them.
#[test]
fn t01_stalled_handshakes_give_way_where_limits_are_small() {
    const CLIENTS: usize = 32;
    let authority = Authority::new();
    let limits = Limits {
        max_connections: CLIENTS,
        handshake_timeout: 3 * PATIENCE,
        ..Limits::small()
    };
    let app = App::echo(Server::builder().limits(limits).tls(&authority.tls()));
    let hello = client_hello(&authority);
    let stalled: Vec<TcpStream> = (0..CLIENTS)
        .map(|_| {
            let mut stream = dial(app.addr);
            stream.write_all(&hello).unwrap();
            // Its handshake is waited for, as it has an answer: it can give way.
            assert_eq!(stream.peek(&mut [0]).unwrap(), 1);
            stream
        })
        .collect();
    let addr = app.addr;
    let mut healthy: Vec<_> = thread::scope(|scope| {
        let come = |_| scope.spawn(|| connect(addr, &authority));
        let coming: Vec<_> = (0..CLIENTS).map(come).collect();
        coming.into_iter().map(|it| it.join().unwrap()).collect()
    });
    for client in &mut healthy {
        client.send_text("hello");
        assert_eq!(client.read_message().text(), "hello");
    }
    assert!(refused(&app, "evicted") > 0);
    drop(stalled);
}

#[test]
fn t02_close_notify_in_the_handshake_neither_loops_nor_hangs() {
    const CLOSE_NOTIFY: [u8; 7] = [0x15, 3, 3, 0, 2, 1, 0];
    let authority = Authority::new();
    let hello = client_hello(&authority);
    let close = |app: &App, before: &[u8], times: usize| {
        let mut stream = dial(app.addr);
        stream.write_all(before).unwrap();
        stream.write_all(&CLOSE_NOTIFY.repeat(times)).unwrap();
        stream
    };
    // With the end of the stream, or as a flood, or where it is an error, it ends at once.
    let app = App::echo(hurried(Duration::from_secs(3600)).tls(&authority.tls()));
    for (before, times) in [(&[][..], 1), (&[], 100), (&hello, 1)] {
        let mut stream = close(&app, before, times);
        stream.shutdown(Shutdown::Write).unwrap();
        read_to_close(&mut stream);
    }
    wait_until("all are gone", || app.handle.stats().handshakes == 0);
    // Alone it means nothing: nobody has vouched for it. The deadline holds.
    let app = App::echo(hurried(Duration::from_millis(300)).tls(&authority.tls()));
    read_to_close(&mut close(&app, &[], 1));
    wait_until("it is counted", || refused(&app, "timeout") == 1);
}

#[test]
fn t03_one_byte_records_and_some_key_updates_carry_a_message() {
    let authority = Authority::new();
    let app = echo(&authority);
    let mut client = connect(app.addr, &authority);
    for byte in support::frame(true, 1, b"byte by byte") {
        client.stream.write_all(&[byte]).unwrap();
        client.stream.flush().unwrap();
    }
    assert_eq!(client.read_message().text(), "byte by byte");
    for n in 0..100 {
        client.stream.conn.refresh_traffic_keys().unwrap();
        client.send_text(&format!("under key {n}"));
        assert_eq!(client.read_message().text(), format!("under key {n}"));
    }
}

#[test]
fn t03_a_flood_of_key_updates_ends_its_connection_only() {
    let authority = Authority::new();
    let app = echo(&authority);
    let mut healthy = connect(app.addr, &authority);
    let mut hostile = connect(app.addr, &authority);
    app.expect(&["open", "open"]);
    for _ in 0..200 {
        hostile.stream.conn.refresh_traffic_keys().unwrap();
    }
    let _ = hostile.stream.flush();
    app.expect(&["close 1006  unclean"]);
    healthy.send_text("and I");
    assert_eq!(healthy.read_message().text(), "and I");
}

#[test]
fn garbage_in_an_open_connection_ends_it_after_what_came_before() {
    let authority = Authority::new();
    let app = echo(&authority);
    let mut client = connect(app.addr, &authority);
    client.send_text("before");
    client.stream.sock.write_all(&[0x17, 3, 3, 0, 17]).unwrap();
    client.stream.sock.write_all(&[7; 17]).unwrap();
    app.expect(&["open", "text before", "close 1006  unclean"]);
}

#[test]
fn b01_one_that_never_reads_is_dropped_while_others_get_everything() {
    const MESSAGES: usize = 200;
    let authority = Authority::new();
    let builder = Server::builder().tls(&authority.tls()).limits(Limits {
        outbound_per_connection: Some(256 << 10),
        ..Limits::default()
    });
    let server = builder.bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let mut events = server.events();
    let deaf = connect(addr, &authority);
    let mut reader = connect(addr, &authority);
    for _ in 0..2 {
        assert!(matches!(events.recv_timeout(PATIENCE), Ok(Event::Open(_))));
    }
    let (has_read, read) = std::sync::mpsc::channel();
    let reading = thread::spawn(move || {
        for n in 0..MESSAGES {
            let payload = reader.read_message().payload;
            assert_eq!((payload.len(), payload[0]), (64 << 10, n as u8));
            has_read.send(()).unwrap();
        }
        reader
    });
    for n in 0..MESSAGES {
        server.broadcast(vec![n as u8; 64 << 10]);
        // At the pace of the one that reads, also when the other is gone.
        if n >= 2 {
            read.recv_timeout(PATIENCE).unwrap();
        }
    }
    let _reader = reading.join().unwrap();
    let lost = loop {
        match events.recv_timeout(PATIENCE).expect("an Error") {
            Event::Error(_, error) => break error.to_string(),
            Event::Message(..) | Event::Open(_) => panic!("nobody sent anything"),
            _ => {}
        }
    };
    assert!(lost.contains("too slowly"), "{lost}");
    drop(deaf);
}

#[test]
fn the_last_message_arrives_though_the_peer_read_late_and_nothing_follows() {
    let authority = Authority::new();
    let server = Server::builder()
        .tls(&authority.tls())
        .bind("127.0.0.1:0")
        .unwrap();
    let mut client = connect(server.local_addr().unwrap(), &authority);
    let mut events = server.events();
    let Ok(Event::Open(connection)) = events.recv_timeout(PATIENCE) else {
        panic!("no Open");
    };
    let mut sent = 0;
    while connection.buffered_amount() == 0 {
        connection.send(vec![sent as u8; 50_000]).unwrap();
        sent += 1;
        assert!(sent < 2_000, "the socket takes everything");
    }
    for n in 0..sent {
        let payload = client.read_message().payload;
        assert!(payload == vec![n as u8; 50_000], "message {n}");
    }
    wait_until("nothing waits", || connection.buffered_amount() == 0);
}

#[test]
fn b22_a_shutdown_waits_for_no_tls_handshake() {
    let authority = Authority::new();
    let builder = hurried(Duration::from_secs(3600)).tls(&authority.tls());
    let server = builder.bind("127.0.0.1:0").unwrap();
    let hello = client_hello(&authority);
    let peers: Vec<_> = [&[][..], &hello[..40], &hello]
        .into_iter()
        .map(|bytes| {
            let mut stream = dial(server.local_addr().unwrap());
            stream.write_all(bytes).unwrap();
            stream
        })
        .collect();
    wait_until("three are under way", || server.stats().handshakes == 3);
    let start = Instant::now();
    assert_eq!(server.shutdown(), wshub::ShutdownReport::default());
    assert!(start.elapsed() < Duration::from_secs(8));
    assert_eq!(server.stats().refused.get("shutting_down"), Some(&3));
    drop(peers);
}

#[test]
fn the_oldest_tls_handshake_gives_way() {
    let authority = Authority::new();
    let limits = Limits {
        max_handshakes: 2,
        ..Limits::default()
    };
    let app = App::echo(Server::builder().limits(limits).tls(&authority.tls()));
    // The answer shows that the client is waited for: before that it does not count as one that may give way.
    let half = || {
        let mut stream = dial(app.addr);
        stream.write_all(&client_hello(&authority)).unwrap();
        stream.read_exact(&mut [0]).unwrap();
        stream
    };
    let (mut oldest, _second) = (half(), half());
    let mut client = connect(app.addr, &authority);
    read_to_close(&mut oldest);
    wait_until("it is counted", || refused(&app, "evicted") == 1);
    client.send_text("in");
    assert_eq!(client.read_message().text(), "in");
}

// ---- in memory

#[test]
fn an_attached_stream_speaks_tls_too() {
    let authority = Authority::new();
    let server = Server::builder()
        .tls(&authority.tls())
        .without_listener()
        .unwrap();
    let (ours, theirs) = duplex();
    server.attach(ours);
    let client = thread::spawn(move || {
        let stream: Stream<Duplex> =
            secure_over(theirs, authority.client_config(None), "localhost").unwrap();
        let mut client = Client::open(stream, &upgrade("localhost", "/", ""));
        client.send_text("in memory");
        client.read_message()
    });
    let mut events = server.events();
    assert!(matches!(events.recv_timeout(PATIENCE), Ok(Event::Open(_))));
    let Ok(Event::Message(connection, message)) = events.recv_timeout(PATIENCE) else {
        panic!("no message");
    };
    connection.send(message).unwrap();
    assert_eq!(client.join().unwrap().text(), "in memory");
}

#[test]
fn a_closure_per_connection_speaks_tls_too() {
    let authority = Authority::new();
    let builder = Server::builder().tls(&authority.tls());
    let serving = builder.serve("127.0.0.1:0", serving::echo);
    let handle = serving.unwrap();
    let addr: SocketAddr = handle.local_addr().unwrap();
    let mut client = connect(addr, &authority);
    for n in 0..50 {
        client.send_text(&format!("{n}"));
    }
    for n in 0..50 {
        assert_eq!(client.read_message().text(), format!("{n}"));
    }
    handle.shutdown();
    assert_eq!(client.read_message().close().0, 1001);
    client.send_close(1001, "");
    handle.wait();
}

// ---- over a stream of one's own

/// One connection of a listener of one's own.
fn accept_one(tls: Tls, timeout: Duration) -> (SocketAddr, JoinHandle<Accepted>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let accepting = thread::spawn(move || tls.accept(listener.accept().unwrap().0, timeout));
    (addr, accepting)
}

type Accepted = Result<TlsStream, HandshakeError>;

#[test]
fn a_websocket_over_a_stream_of_ones_own() {
    let authority = Authority::new();
    let (addr, accepting) = accept_one(authority.tls(), PATIENCE);
    let serving = thread::spawn(move || {
        let mut stream = accepting.join().unwrap().unwrap();
        assert!(stream.client_certificates().is_empty());
        stream.set_timeout(Some(PATIENCE));
        let mut ws = WebSocket::accept(stream).unwrap();
        while let Some(message) = ws.read().unwrap() {
            ws.send(message).unwrap();
        }
        assert!(ws.close_event().unwrap().was_clean);
    });
    let mut client = connect(addr, &authority);
    for len in [0, 16_384, 1 << 20] {
        client.send_binary(&vec![7; len]);
        assert_eq!(client.read_message().payload.len(), len);
    }
    client.send_close(1000, "");
    assert_eq!(client.read().close().0, 1000);
    // With close_notify: rustls would report UnexpectedEof.
    assert!(client.at_end());
    serving.join().unwrap();
}

#[test]
fn a_stream_of_ones_own_keeps_its_timeout_and_loses_nothing_by_it() {
    let authority = Authority::new();
    let (addr, accepting) = accept_one(authority.tls(), PATIENCE);
    let mut client = secure(addr, authority.client_config(None), "localhost").unwrap();
    let mut stream = accepting.join().unwrap().unwrap();
    stream.set_timeout(Some(Duration::from_millis(20)));
    let late = stream.read(&mut [0; 8]).unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    client.write_all(b"late").unwrap();
    stream.set_timeout(Some(PATIENCE));
    let mut got = [0; 4];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"late");
    // Nobody reads.
    stream.set_timeout(Some(Duration::from_millis(100)));
    let full = (0..)
        .find_map(|_| stream.write(&[7; 100_000]).err())
        .unwrap();
    assert_eq!(full.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn who_is_refused_over_a_stream_of_ones_own_is_told_why() {
    let authority = Authority::new();
    let refusal = |accepting: JoinHandle<Accepted>| match accepting.join().unwrap() {
        Err(HandshakeError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    let (addr, accepting) = accept_one(authority.tls(), PATIENCE);
    let answer = support::exchange(addr, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(answer.contains("use wss:// in place of ws://"), "{answer}");
    assert!(matches!(refusal(accepting), Refusal::PlainOnTlsPort));

    let (addr, accepting) = accept_one(authority.tls(), PATIENCE);
    let stranger = Authority::others().client_config(None);
    assert!(secure(addr, stranger, "localhost").is_err());
    let told = refusal(accepting).to_string();
    assert!(told.contains("give the client your CA"), "{told}");

    let (addr, accepting) = accept_one(authority.tls(), Duration::from_millis(100));
    let silent = dial(addr);
    assert!(matches!(refusal(accepting), Refusal::Timeout));
    drop(silent);

    let (addr, accepting) = accept_one(authority.tls(), PATIENCE);
    dial(addr)
        .write_all(&client_hello(&authority)[..40])
        .unwrap();
    assert!(matches!(refusal(accepting), Refusal::PeerLeft));
}

#[test]
fn a_builder_with_tls_says_who_speaks_it_over_a_stream_of_ones_own() {
    let authority = Authority::new();
    let (ours, _theirs) = duplex();
    let error = Server::builder().tls(&authority.tls()).websocket(ours);
    let Err(HandshakeError::Io(error)) = error else {
        panic!("it does not speak TLS");
    };
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("Tls::accept"), "{error}");
}
