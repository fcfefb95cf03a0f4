//! Every field of `Limits` at zero, one and its maximum: it works, or is refused by name.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{self, AtEnd, Client, dial, exchange, upgrade};
use wshub::{Event, HandshakeError, InvalidLimit, Limits, Server};

/// Zero, one and the maximum of a field's type; what is optional is none, too.
trait Extremes: Sized {
    fn extremes() -> Vec<Self>;
}

impl Extremes for usize {
    fn extremes() -> Vec<Self> {
        vec![0, 1, usize::MAX]
    }
}

impl Extremes for u32 {
    fn extremes() -> Vec<Self> {
        vec![0, 1, u32::MAX]
    }
}

impl Extremes for Duration {
    fn extremes() -> Vec<Self> {
        vec![Duration::ZERO, Duration::from_nanos(1), Duration::MAX]
    }
}

impl Extremes for bool {
    fn extremes() -> Vec<Self> {
        vec![false, true]
    }
}

impl<T: Extremes> Extremes for Option<T> {
    fn extremes() -> Vec<Self> {
        let some = T::extremes().into_iter().map(Some);
        some.chain([None]).collect()
    }
}

fn with<T: Extremes>(field: fn(&mut Limits) -> &mut T) -> impl Iterator<Item = Limits> {
    T::extremes().into_iter().map(move |value| {
        let mut limits = Limits::default();
        *field(&mut limits) = value;
        limits
    })
}

/// Limits with one field at an extreme, and that field's name. Does not compile while a field is missing.
macro_rules! extremes_of {
    ($($field:ident),* $(,)?) => {{
        let Limits { $($field: _),* } = Limits::default();
        let mut all = Vec::new();
        $(all.extend(with(|limits| &mut limits.$field).map(|limits| (stringify!($field), limits)));)*
        all
    }};
}

fn extremes() -> Vec<(&'static str, Limits)> {
    extremes_of!(
        max_connections,
        max_handshakes,
        max_http_requests,
        max_per_address,
        max_head,
        max_target,
        max_headers,
        handshake_timeout,
        max_body,
        body_timeout,
        keep_alive,
        max_requests_per_connection,
        max_idle_connections,
        max_waiting_requests,
        answer_timeout,
        max_message,
        max_fragments,
        assembly_timeout,
        accept_non_minimal_lengths,
        inbound_total,
        inbound_per_connection,
        outbound_per_connection,
        write_timeout,
        min_rate,
        ping_interval,
        pong_timeout,
        close_timeout,
        stack_size,
        idle_thread_timeout,
    )
}

fn assert_names(error: &std::io::Error, field: &str) {
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{field}: {error}");
    let cause = error.get_ref().unwrap();
    let cause = cause.downcast_ref::<InvalidLimit>().unwrap();
    assert_eq!(cause.field(), field);
    let named = format!("Limits::{field} is ");
    assert!(error.to_string().starts_with(&named), "{error}");
}

#[test]
fn m06_a_server_works_with_the_extremes_of_each_limit_or_refuses_them_by_name() {
    for (field, limits) in extremes() {
        println!("{limits:?}");
        match Server::builder().limits(limits).bind("127.0.0.1:0") {
            Err(error) => assert_names(&error, field),
            Ok(server) => assert_works(&server),
        }
    }
}

/// Somebody opens, is answered, is silent without being dropped or flooded, and closes.
fn assert_works(server: &Server) {
    let addr = server.local_addr().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for event in server.events() {
                if let Event::Message(connection, message) = event {
                    connection.send(message).unwrap();
                }
            }
        });
        scope.spawn(|| {
            let _over = AtEnd(|| server.handle().shutdown());
            speak(addr);
        });
    });
    assert_eq!(server.shutdown().threads_left, 0);
}

fn speak(addr: SocketAddr) {
    let mut client = Client::connect(addr);
    // With a bound of no bytes only the empty message is left.
    client.send_text("");
    assert_eq!(client.read_message().text(), "");
    let silence = Duration::from_millis(50);
    client.stream.set_read_timeout(Some(silence)).unwrap();
    let begun = Instant::now();
    let mut pings = 0;
    while let Ok(frame) = client.try_read() {
        assert_eq!(frame.opcode, 9, "{frame:?}");
        client.send(true, 10, &frame.payload);
        pings += 1;
        // One a millisecond is what the shortest interval gives.
        let most = 2 + begun.elapsed().as_millis();
        assert!(pings <= most, "{pings} pings in {:?}", begun.elapsed());
    }
    client
        .stream
        .set_read_timeout(Some(support::PATIENCE))
        .unwrap();
    client.send_close(1000, "");
    assert_eq!(client.read_message().close(), (1000, ""));
}

#[test]
fn m06_a_stream_of_ones_own_works_with_them_or_refuses_them_by_name() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    for (field, limits) in extremes() {
        println!("{limits:?}");
        let mut stream = dial(addr);
        let client = thread::spawn(move || {
            let request = upgrade("localhost", "/", "");
            stream.write_all(request.as_bytes()).unwrap();
            // Where the limits are refused, the stream ends without an answer.
            support::read_head(&mut stream.try_clone().unwrap()).map(|answer| {
                let mut client = Client { stream, answer };
                client.send_text("");
                assert_eq!(client.read_message().text(), "");
                client.send_close(1000, "");
                assert_eq!(client.read_message().close(), (1000, ""));
            })
        });
        let (stream, _) = listener.accept().unwrap();
        match Server::builder().limits(limits).websocket(stream) {
            Err(HandshakeError::Io(error)) => assert_names(&error, field),
            Err(error) => panic!("{error}"),
            Ok(ws) => {
                let (mut reader, mut writer) = ws.split();
                while let Some(message) = reader.read().unwrap() {
                    writer.send(message).unwrap();
                }
                client.join().unwrap().unwrap();
            }
        }
    }
}

#[cfg(feature = "client")]
#[test]
fn m06_a_client_works_with_them_or_refuses_them_by_name() {
    use crate::support::app::App;
    use wshub::{ClientError, ClientEvent, ClientRequest, DisconnectCause, Reconnecting, connect};

    let server = App::echo(Server::builder());
    let url = format!("ws://{}/", server.addr);
    for (field, limits) in extremes() {
        println!("{limits:?}");
        let request = ClientRequest::new(&url).unwrap().with_limits(limits);
        match connect(request.clone()) {
            Err(ClientError::Limits(error)) => {
                assert_eq!(error.field(), field);
                // No patience heals it.
                let mut again = Reconnecting::new(request.clone()).unwrap();
                let told = again.next();
                let Some(ClientEvent::Disconnected {
                    cause: DisconnectCause::Connect(ClientError::Limits(_)),
                    retry_in: None,
                    ..
                }) = told
                else {
                    panic!("{told:?}");
                };
                let stream = dial(server.addr);
                let outcome = wshub::WebSocket::client(stream, request);
                assert!(
                    matches!(outcome, Err(ClientError::Limits(_))),
                    "{outcome:?}"
                );
            }
            Err(error) => panic!("{error}"),
            Ok(mut client) => {
                client.send("").unwrap();
                assert_eq!(client.read().unwrap(), Some("".into()));
                client.close(1000, "").unwrap();
                assert_eq!(client.read().unwrap(), None);
            }
        }
    }
}

/// The least that is taken is enough for a handshake, and says so where it is not.
#[test]
fn m06_the_least_head_lets_a_client_in() {
    let least = Limits {
        max_head: 256,
        max_headers: 5,
        max_target: 1,
        ..Limits::default()
    };
    let server = Server::builder().limits(least).bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    Client::connect(addr);
    let answer = exchange(addr, upgrade(&addr.to_string(), "/", "X: 1\r\n"));
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}
