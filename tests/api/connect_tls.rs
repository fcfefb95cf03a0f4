//! A client of `wss://`: whom it trusts, what it shows, and what it says of servers that it does not trust.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::support::PATIENCE;
use crate::support::app::App;
use crate::support::child::{Child, in_child, tell};
use crate::support::hostile::{self, Peer, header, proxy};
use crate::support::tls::{Authority, Certified};
use wshub::{
    ClientError, ClientRequest, ClientTls, Error, Proxy, Reconnecting, Server, Tls, TlsError,
    TlsHandshakeError, connect,
};

fn url(addr: SocketAddr) -> String {
    format!("wss://localhost:{}/", addr.port())
}

fn trusting(ca: &str) -> ClientTls {
    ClientTls::builder().ca(ca).build().unwrap()
}

fn request(addr: SocketAddr, tls: &ClientTls) -> ClientRequest {
    ClientRequest::new(&url(addr)).unwrap().with_tls(tls)
}

fn refused(request: ClientRequest) -> TlsHandshakeError {
    match connect(request) {
        Err(ClientError::Tls(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_and_the_server_over_tls() {
    let authority = Authority::new();
    let app = App::echo(Server::builder().tls(&authority.tls()));
    let request = request(app.addr, &trusting(&authority.pem()));
    let mut client = connect(request.clone()).unwrap();
    for len in [0, 1, 16_384, 16_385, 1 << 20] {
        let bytes = vec![7u8; len];
        client.send(bytes.clone()).unwrap();
        assert_eq!(client.read_timeout(PATIENCE).unwrap(), Some(bytes.into()));
    }
    match client.read_timeout(Duration::from_millis(20)) {
        Err(Error::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::TimedOut),
        other => panic!("{other:?}"),
    }
    client.close(1000, "bye").unwrap();
    assert_eq!(client.read().unwrap(), None);
    assert!(client.close_event().unwrap().was_clean);

    let (mut reader, mut writer) = connect(request.clone()).unwrap().split();
    let sending = std::thread::spawn(move || {
        for i in 0..100 {
            writer.send(format!("{i}")).unwrap();
        }
        writer
    });
    for i in 0..100 {
        assert_eq!(
            reader.read_timeout(PATIENCE).unwrap(),
            Some(format!("{i}").into())
        );
    }
    sending.join().unwrap();

    let mut again = Reconnecting::new(request).unwrap();
    let event = again.next().unwrap();
    assert!(
        matches!(event, wshub::ClientEvent::Connected { .. }),
        "{event:?}"
    );
}

/// Four threads over one connection, none of which waits for another.
#[test]
fn both_ends_split_and_send_16_mib_at_the_same_time() {
    const MESSAGES: usize = 256;
    let bytes = |n: usize| vec![n as u8; 64 << 10];
    let authority = Authority::new();
    for client_closes in [true, false] {
        let tls = authority.tls();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let accepting = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let stream = tls.accept(stream, PATIENCE).unwrap();
            Server::builder().websocket(stream).unwrap().split()
        });
        let client = connect(request(addr, &trusting(&authority.pem()))).unwrap();
        let ends = [client.split(), accepting.join().unwrap()];
        let running = ends.map(|(mut reader, mut writer)| {
            let sending = thread::spawn(move || {
                (0..MESSAGES).for_each(|n| writer.send(bytes(n)).unwrap());
                writer
            });
            let reading = thread::spawn(move || {
                for n in 0..MESSAGES {
                    assert!(
                        reader.read_timeout(PATIENCE).unwrap() == Some(bytes(n).into()),
                        "{n}"
                    );
                }
                reader
            });
            (reading, sending)
        });
        let [client, server] =
            running.map(|(reading, sending)| (reading.join().unwrap(), sending.join().unwrap()));
        let (mut closing, mut other) = match client_closes {
            true => (client, server),
            false => (server, client),
        };
        closing.1.close(4000, "done").unwrap();
        let answering = thread::spawn(move || {
            assert_eq!(other.0.read().unwrap(), None);
            other.0
        });
        assert_eq!(closing.0.read().unwrap(), None);
        for reader in [&closing.0, &answering.join().unwrap()] {
            let event = reader.close_event().unwrap();
            assert!(event.was_clean && event.code == 4000, "{event:?}");
        }
    }
}

/// TLS goes on to the server: the proxy sees neither request nor certificate, and its name counts for nothing.
#[test]
fn through_a_proxy() {
    let authority = Authority::new();
    let app = App::echo(Server::builder().tls(&authority.tls()));
    let tls = trusting(&authority.pem());
    let through = |url: &str| {
        let proxy = proxy("HTTP/1.1 200 Connection established\r\n\r\n");
        let way = Proxy::new("127.0.0.1", proxy.addr.port());
        let request = ClientRequest::new(url).unwrap().with_tls(&tls);
        (connect(request.with_proxy(way)), proxy)
    };
    let (client, peer) = through(&url(app.addr));
    let mut client = client.unwrap();
    assert_eq!(client.peer_addr(), Some(peer.addr));
    let long = vec![7; 1 << 20];
    client.send(long.clone()).unwrap();
    assert_eq!(client.read_timeout(PATIENCE).unwrap(), Some(long.into()));
    client.close(1000, "").unwrap();
    assert_eq!(client.read().unwrap(), None);
    assert!(client.close_event().unwrap().was_clean);
    drop(client);
    let target = format!("localhost:{}", app.addr.port());
    let head = peer.end();
    assert!(
        head.starts_with(&format!("CONNECT {target} HTTP/1.1\r\n")),
        "{head}"
    );
    assert_eq!(header(&head, "Host"), Some(&*target));

    let (client, _) = through(&format!("wss://127.0.0.1:{}/", app.addr.port()));
    let error = client.unwrap_err();
    assert!(
        matches!(
            &error,
            ClientError::Tls(TlsHandshakeError::WrongHost { .. })
        ),
        "{error:?}"
    );
}

/// RFC 6874 4: the zone is for this machine, the certificate for the address.
#[test]
fn a_certificate_is_for_the_address_without_its_zone() {
    let authority = Authority::new();
    let own = authority.issued("loopback");
    let tls = Tls::builder()
        .pem(own.certificate, own.key)
        .build()
        .unwrap();
    let Ok(server) = Server::builder().tls(&tls).serve("[::1]:0", |_| Ok(())) else {
        return; // a system without IPv6
    };
    let url = format!("wss://[::1%251]:{}/", server.local_addr().unwrap().port());
    let request = ClientRequest::new(&url).unwrap();
    let mut client = connect(request.with_tls(&trusting(&authority.pem()))).unwrap();
    assert_eq!(client.read().unwrap(), None);
    server.shutdown();
}

#[test]
fn a_client_certificate_is_shown() {
    let (authority, devices) = (Authority::new(), Authority::devices());
    let tls = authority
        .builder()
        .client_ca(devices.pem())
        .build()
        .unwrap();
    let app = App::echo(Server::builder().tls(&tls));
    let own = devices.issued("device-17");
    let known = ClientTls::builder()
        .ca(authority.pem())
        .pem(own.certificate, own.key);
    assert!(connect(request(app.addr, &known.build().unwrap())).is_ok());

    // With TLS 1.3 the server's refusal comes after the handshake.
    match connect(request(app.addr, &trusting(&authority.pem()))) {
        Err(ClientError::Tls(error @ TlsHandshakeError::Failed(_))) => {
            assert!(error.to_string().contains("client certificate"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

/// A certificate for `localhost` that signed itself.
fn alone(name: &str) -> (Tls, String) {
    let Certified { certificate, key } = Certified::alone(name);
    let tls = Tls::from_pem(certificate.clone(), key).unwrap();
    (tls, certificate)
}

#[test]
fn certificates_that_are_not_to_be_trusted_say_what_to_do() {
    let authority = Authority::new();
    let ca = authority.pem();
    let other = authority.issued("one.example");
    let other = Tls::from_pem(other.certificate, other.key).unwrap();
    let nameless = authority.issued("nameless");
    let nameless = Tls::from_pem(nameless.certificate, nameless.key).unwrap();
    let (expired, expired_ca) = alone("expired");
    let (early, early_ca) = alone("early");
    let (authoritative, authoritative_ca) = alone("authority");
    type Expected = fn(&TlsHandshakeError) -> bool;
    let table: [(Tls, &str, Expected, &str); 7] = [
        (
            other,
            &ca,
            |error| {
                matches!(error, TlsHandshakeError::WrongHost { host, names }
                    if host == "localhost" && names.concat().contains("one.example"))
            },
            "not for \"localhost\" but for: ",
        ),
        (
            nameless,
            &ca,
            |error| matches!(error, TlsHandshakeError::WrongHost { names, .. } if names.is_empty()),
            "subjectAltName=DNS:localhost",
        ),
        (
            expired,
            &expired_ca,
            |error| matches!(error, TlsHandshakeError::Expired),
            "renew it",
        ),
        (
            early,
            &early_ca,
            |error| matches!(error, TlsHandshakeError::NotValidYet),
            "clock",
        ),
        (
            alone("localhost").0,
            &ca,
            |error| matches!(error, TlsHandshakeError::UnknownIssuer),
            "ca_file",
        ),
        (
            Authority::others().tls(),
            &ca,
            |error| matches!(error, TlsHandshakeError::UnknownIssuer),
            "intermediate",
        ),
        (
            authoritative,
            &authoritative_ca,
            |error| matches!(error, TlsHandshakeError::Authority),
            "CA:FALSE",
        ),
    ];
    for (tls, ca, is_expected, says) in table {
        let app = App::echo(Server::builder().tls(&tls));
        let error = refused(request(app.addr, &trusting(ca)));
        assert!(is_expected(&error), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn a_server_that_signed_itself_is_trusted_where_its_certificate_is_given() {
    let (tls, certificate) = alone("localhost");
    let app = App::echo(Server::builder().tls(&tls));
    connect(request(app.addr, &trusting(&certificate))).unwrap();
    // It is for `localhost`, not for the address.
    let by_address = ClientRequest::new(&format!("wss://{}/", app.addr)).unwrap();
    let error = refused(by_address.with_tls(&trusting(&certificate)));
    assert!(
        matches!(error, TlsHandshakeError::WrongHost { .. }),
        "{error:?}"
    );
}

/// What a server does, the error that comes of it, and a part of its text.
type Case = (fn(TcpStream), fn(&TlsHandshakeError) -> bool, &'static str);

const HOSTILE: &[Case] = &[
    (
        |mut stream| {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            hostile::silence(stream);
        },
        |error| matches!(error, TlsHandshakeError::PlainText),
        "ws://",
    ),
    (
        hostile::silence,
        |error| matches!(error, TlsHandshakeError::Timeout),
        "in time",
    ),
    (
        |stream| {
            hostile::drip(
                stream,
                "\u{16}\u{3}\u{3}\u{1}",
                "\u{1}",
                Duration::from_millis(10),
            )
        },
        |error| {
            matches!(
                error,
                TlsHandshakeError::Timeout | TlsHandshakeError::Failed(_)
            )
        },
        "TLS handshake",
    ),
    (
        |stream| drop(stream.shutdown(std::net::Shutdown::Both)),
        |error| matches!(error, TlsHandshakeError::Left | TlsHandshakeError::Io(_)),
        "TLS handshake",
    ),
    (
        |mut stream| {
            // An alert: handshake_failure.
            let _ = stream.write_all(b"\x15\x03\x03\x00\x02\x02\x28");
            hostile::silence(stream);
        },
        |error| matches!(error, TlsHandshakeError::Failed(_)),
        "client certificate",
    ),
    (
        |mut stream| {
            let _ = stream.write_all(&[0x80; 64]);
            hostile::silence(stream);
        },
        |error| matches!(error, TlsHandshakeError::Failed(_)),
        "TLS handshake failed",
    ),
];

#[test]
fn servers_that_speak_no_tls_or_a_bad_one() {
    let tls = trusting(&Authority::new().pem());
    for (behave, is_expected, says) in HOSTILE {
        let peer = Peer::new(behave);
        // A busy machine answers late, so that only what is to take too long has little time.
        let timeout = match is_expected(&TlsHandshakeError::Timeout) {
            true => Duration::from_millis(200),
            false => PATIENCE,
        };
        let error = refused(request(peer.addr, &tls).with_tls_timeout(timeout));
        assert!(is_expected(&error), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
        peer.end();
    }
}

#[test]
fn ws_and_wss_mixed_up() {
    let authority = Authority::new();
    let app = App::echo(Server::builder().tls(&authority.tls()));
    let error = connect(format!("ws://{}/", app.addr)).unwrap_err();
    assert!(error.to_string().contains("use wss://"), "{error}");

    let app = App::echo(Server::builder());
    let error = refused(request(app.addr, &trusting(&authority.pem())));
    assert!(error.to_string().contains("TLS"), "{error}");
}

/// The environment is the process's, so that this runs in one of its own.
#[test]
#[cfg_attr(windows, ignore = "a shell sets its environment")]
fn without_more_the_authorities_of_the_system_are_trusted() {
    const NAME: &str = "connect_tls::without_more_the_authorities_of_the_system_are_trusted";
    if in_child() {
        let address = std::env::var("ADDRESS").unwrap();
        let outcome = connect(url(address.parse().unwrap()));
        tell(match outcome {
            Ok(_) => "open".to_owned(),
            Err(ClientError::TlsSetup(error @ TlsError::NoRoots { .. })) => {
                format!("none: {error}")
            }
            Err(error) => format!("{error:?}"),
        });
        return;
    }
    let authority = Authority::new();
    let app = App::echo(Server::builder().tls(&authority.tls()));
    let roots = std::env::temp_dir().join(format!("wshub-roots-{}.pem", std::process::id()));
    let told = |pem: &str| {
        std::fs::write(&roots, pem).unwrap();
        let setup = format!(
            "unset SSL_CERT_DIR; export SSL_CERT_FILE={} ADDRESS={}",
            roots.display(),
            app.addr
        );
        let mut child = Child::start(NAME, &setup);
        let told = child.told();
        assert!(child.end().success());
        told
    };
    assert_eq!(told(&authority.pem()), "open");
    assert_eq!(told(&Authority::others().pem()), "Tls(UnknownIssuer)");
    let none = told("");
    assert!(
        none.starts_with("none: ") && none.contains("ca-certificates"),
        "{none}"
    );
    std::fs::remove_file(&roots).unwrap();
}

#[test]
fn what_a_client_is_given_is_checked() {
    let authority = Authority::new();
    let error = |builder: wshub::ClientTlsBuilder| builder.build().unwrap_err().to_string();
    let said = error(ClientTls::builder().ca("no PEM"));
    assert!(
        said.starts_with("the CA given as bytes: no certificate"),
        "{said}"
    );
    let said = error(ClientTls::builder().ca_file("/nonexistent/ca.pem"));
    assert!(said.starts_with("/nonexistent/ca.pem: "), "{said}");
    let (one, two) = (
        authority.issued("client-one"),
        authority.issued("client-two"),
    );
    let mixed = ClientTls::builder()
        .ca(authority.pem())
        .pem(one.certificate, two.key);
    let printed = format!("{mixed:?}");
    assert_eq!(
        printed,
        "ClientTlsBuilder { cas: 1, certificate: true, .. }"
    );
    assert!(error(mixed).contains("made together"));
}
