//! permessage-deflate from end to end: every form of the server and both roles, peers that differ, bombs.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::support::app::App;
use crate::support::{Client, Frame, PATIENCE, frame, serving, wait_until};
use flate2::{Compress, Decompress, FlushCompress, FlushDecompress};
use wshub::{Compression, Limits, Message, Overflow, Prepared, Server, ServerBuilder};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
/// The reserved bit of a compressed message, in front of the opcode.
const COMPRESSED: u8 = 0x40;

fn everything() -> Compression {
    Compression {
        threshold: 0,
        ..Compression::default()
    }
}

fn takeover() -> Compression {
    Compression {
        server_context_takeover: true,
        client_context_takeover: true,
        ..everything()
    }
}

fn compressing(compression: Compression) -> ServerBuilder {
    Server::builder().compression(compression)
}

/// A client that compresses, with a library that wshub's own code does not stand in front of.
struct Peer {
    client: Client,
    deflate: Compress,
    inflate: Decompress,
    remembers: (bool, bool),
}

impl Peer {
    fn connect(addr: SocketAddr, offer: &str) -> Peer {
        let client = Client::connect_with(addr, "/", offer);
        let remembers = |side| {
            let forgets = format!("{side}_no_context_takeover");
            !client.answer.contains(&forgets)
        };
        let remembers = (remembers("server"), remembers("client"));
        Peer {
            client,
            deflate: Compress::new(flate2::Compression::default(), false),
            inflate: Decompress::new(false),
            remembers,
        }
    }

    fn compress(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() + 100);
        self.deflate
            .compress_vec(payload, &mut out, FlushCompress::Sync)
            .unwrap();
        if !self.remembers.1 {
            self.deflate.reset();
        }
        out.truncate(out.len() - 4);
        out
    }

    fn send(&mut self, text: &str) {
        let payload = self.compress(text.as_bytes());
        self.client.send(true, COMPRESSED | 1, &payload);
    }

    /// The next message, and how many bytes it had on the wire.
    fn read(&mut self) -> (Message, usize) {
        let Frame {
            opcode, payload, ..
        } = self.client.read_message();
        let len = payload.len();
        let bytes = match opcode & COMPRESSED {
            0 => payload,
            _ => self.inflate(&payload),
        };
        let message = match opcode & !COMPRESSED {
            1 => Message::Text(String::from_utf8(bytes).unwrap()),
            2 => Message::Binary(bytes),
            other => panic!("opcode {other}"),
        };
        (message, len)
    }

    fn inflate(&mut self, payload: &[u8]) -> Vec<u8> {
        let whole = [payload, &[0, 0, 0xff, 0xff]].concat();
        let mut out = Vec::with_capacity(1 << 20);
        self.inflate
            .decompress_vec(&whole, &mut out, FlushDecompress::Sync)
            .unwrap();
        if !self.remembers.0 {
            self.inflate.reset(false);
        }
        out
    }

    /// Sends this, and reads it back; returns how many bytes the answer had.
    #[track_caller]
    fn echoes(&mut self, text: &str) -> usize {
        self.send(text);
        let (message, len) = self.read();
        assert!(message.as_text() == Some(text), "not what was sent");
        len
    }
}

fn readings(count: usize) -> String {
    (0..count)
        .map(|n| {
            format!(
                "{{\"sensor\":{},\"value\":{}.{}}},",
                n % 7,
                n * 31 % 97,
                n % 10
            )
        })
        .collect()
}

/// Bytes that do not shrink.
fn noise(len: usize) -> Vec<u8> {
    let mut seed = 1u64;
    let next = |_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    (0..len).map(next).collect()
}

/// What every form of the server has to do without context takeover.
fn assert_compresses(addr: SocketAddr) {
    let mut peer = Peer::connect(addr, OFFER);
    assert_eq!(peer.remembers, (false, false));
    for count in [0, 1, 30, 300, 20_000] {
        let text = readings(count);
        let len = peer.echoes(&text);
        assert!(
            count < 30 || len < text.len() / 3,
            "{len} of {}",
            text.len()
        );
        assert_eq!(peer.echoes(&text), len, "no message refers to another");
    }
    let noise = noise(10_000);
    peer.client.send_binary(&noise);
    assert_eq!(peer.read(), (Message::Binary(noise), 10_000));
    // In fragments, with a ping between them.
    let text = readings(100);
    let payload = peer.compress(text.as_bytes());
    peer.client.send(false, COMPRESSED | 1, &payload[..20]);
    peer.client.send(true, 9, b"between");
    peer.client.send(false, 0, &payload[20..21]);
    peer.client.send(true, 0, &payload[21..]);
    assert_eq!(peer.client.read().opcode, 10);
    assert_eq!(peer.read().0, Message::Text(text));
    peer.client.send_close(1000, "bye");
    assert_eq!(peer.client.read().close(), (1000, ""));
    // Who does not offer it gets none of it.
    let mut plain = Client::connect(addr);
    assert!(!plain.answer.contains("Extensions"), "{}", plain.answer);
    let text = readings(300);
    plain.send_text(&text);
    assert_eq!(plain.read_message().text(), text);
    plain.send_close(1000, "");
    plain.read();
}

#[test]
fn the_application_thread_compresses() {
    let app = App::echo(compressing(everything()));
    assert_compresses(app.addr);
    wait_until("both have left", || app.handle.stats().connections == 0);
}

#[test]
fn a_handler_compresses() {
    let builder = compressing(everything());
    let handle = builder.serve("127.0.0.1:0", serving::echo).unwrap();
    assert_compresses(handle.local_addr().unwrap());
    handle.shutdown();
    handle.wait();
}

/// Serves as many streams, one after the other.
fn serve_streams(compression: Compression, split: bool, count: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        let options = compressing(compression);
        for stream in listener.incoming().take(count) {
            let mut ws = options.websocket(stream.unwrap()).unwrap();
            if split {
                let (mut reader, mut writer) = ws.split();
                while let Ok(Some(message)) = reader.read() {
                    writer.send(message).unwrap();
                }
            } else {
                while let Ok(Some(message)) = ws.read() {
                    ws.send(message).unwrap();
                }
            }
        }
    });
    addr
}

#[test]
fn a_stream_of_ones_own_compresses() {
    for split in [false, true] {
        assert_compresses(serve_streams(everything(), split, 2));
        assert_remembers(serve_streams(takeover(), split, 1));
    }
}

/// With context takeover both ways.
fn assert_remembers(addr: SocketAddr) {
    let mut peer = Peer::connect(addr, OFFER);
    assert_eq!(peer.remembers, (true, true));
    let text = readings(40);
    let first = peer.echoes(&text);
    for _ in 0..5 {
        let again = peer.echoes(&text);
        assert!(again < first / 2, "{again} bytes behind {first}");
    }
    // What goes uncompressed is nothing that a later message refers to.
    let noise = noise(5_000);
    peer.client.send_binary(&noise);
    assert_eq!(peer.read(), (Message::Binary(noise), 5_000));
    for count in [40, 2_000, 1, 40, 20_000, 40] {
        peer.echoes(&readings(count));
    }
}

#[test]
fn contexts_are_taken_over_where_that_is_set() {
    let app = App::echo(compressing(takeover()));
    assert_remembers(app.addr);
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
                 client_no_context_takeover\r\n";
    let mut peer = Peer::connect(app.addr, offer);
    assert_eq!(peer.remembers, (false, false));
    assert_eq!(peer.echoes(&readings(40)), peer.echoes(&readings(40)));
}

#[test]
fn extensions_tells_what_was_agreed() {
    let app = App::start(compressing(everything()), |connection, _| {
        let _ = connection.send_uncompressed(connection.extensions());
    });
    let mut peer = Peer::connect(app.addr, OFFER);
    peer.send("which?");
    let agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(peer.client.read().text(), agreed);
    assert!(
        peer.client
            .answer
            .contains(&format!("Extensions: {agreed}\r\n"))
    );
    let mut plain = Client::connect(app.addr);
    plain.send_text("which?");
    assert_eq!(plain.read().text(), "");
}

#[test]
fn short_messages_go_as_they_are() {
    let threshold = Compression::default().threshold;
    let app = App::echo(compressing(Compression::default()));
    let mut peer = Peer::connect(app.addr, OFFER);
    for (len, compressed) in [(threshold - 1, 0), (threshold, COMPRESSED)] {
        peer.send(&"x".repeat(len));
        assert_eq!(peer.client.read().opcode, 1 | compressed, "{len} bytes");
    }
}

#[test]
fn every_window_is_kept_to() {
    let app = App::echo(compressing(everything()));
    let text = readings(3_000);
    for bits in 9..=15 {
        let offer = format!(
            "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits={bits}\r\n"
        );
        let mut peer = Peer::connect(app.addr, &offer);
        // Refuses what reaches back farther.
        peer.inflate = Decompress::new_with_window_bits(false, bits);
        peer.send(&text);
        let payload = peer.client.read().payload;
        let whole = [&payload[..], &[0, 0, 0xff, 0xff]].concat();
        let mut out = Vec::with_capacity(1 << 20);
        peer.inflate
            .decompress_vec(&whole, &mut out, FlushDecompress::Sync)
            .unwrap();
        assert!(out == text.as_bytes(), "{bits}");
    }
}

/// Peers with and without compression, with other windows, with and without a memory: each gets every message of a
/// storm, in order, whatever was compressed for whom.
#[test]
fn broadcasts_reach_peers_of_every_kind() {
    let offers = [
        "",
        OFFER,
        OFFER,
        "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n",
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n",
    ];
    for compression in [everything(), takeover()] {
        let limits = Limits {
            // Each reads its storm when the others have read theirs, however long that takes.
            outbound_per_connection: Some(512 << 20),
            write_timeout: Duration::from_secs(600),
            ping_interval: None,
            ..Limits::default()
        };
        let builder = compressing(compression).limits(limits);
        let server = Arc::new(builder.bind("127.0.0.1:0").unwrap());
        let addr = server.local_addr().unwrap();
        let sending = server.clone();
        // A message of one client makes a storm of every length, queued and at once.
        let (open, opened) = std::sync::mpsc::channel();
        let application = thread::spawn(move || {
            for event in sending.events() {
                if let wshub::Event::Open(_) = event {
                    open.send(()).unwrap();
                } else if let wshub::Event::Message(connection, _) = event {
                    for n in 0..60 {
                        sending.broadcast(storm(n));
                        let _ = connection.send(storm(n));
                        let _ = connection.send_prepared(&Prepared::new(storm(n)));
                        let _ = connection.send_prepared(&Prepared::uncompressed(storm(n)));
                        let _ = connection.send_uncompressed(storm(n));
                    }
                }
            }
        });
        let mut peers: Vec<Peer> = offers
            .iter()
            .map(|offer| Peer::connect(addr, offer))
            .collect();
        // A client has its 101 before broadcasts reach it.
        for _ in &offers {
            opened.recv_timeout(PATIENCE).unwrap();
        }
        for asking in 0..peers.len() {
            peers[asking].client.send_text("storm");
            peers[asking]
                .client
                .send_text("and again, so that one waits");
            for (who, peer) in peers.iter_mut().enumerate() {
                for n in (0..60).chain(0..60) {
                    let copies = if who == asking { 5 } else { 1 };
                    for copy in 0..copies {
                        let (message, len) = peer.read();
                        assert!(message.as_text() == Some(&storm(n)), "{n} for {who}");
                        let plain = who == 0 || (who == asking && copy >= 3);
                        let shrinks = len < storm(n).len();
                        assert!(shrinks != plain || n % 20 < 2, "{n} for {who}");
                    }
                }
            }
        }
        server.handle().shutdown();
        application.join().unwrap();
    }
}

fn storm(n: usize) -> String {
    format!("{n} {}", readings(n % 20 * 10))
}

/// After what was dropped, everything can be read: nothing refers to it.
#[test]
fn what_is_dropped_for_a_slow_peer_is_not_referred_to() {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let limits = Limits {
            outbound_per_connection: Some(64 << 10),
            ..Limits::default()
        };
        let builder = compressing(takeover()).limits(limits).overflow(overflow);
        let app = App::start(builder, |connection, message| match message.as_text() {
            Some("last") => drop(connection.send("last")),
            _ => (0..2_000).for_each(|n| drop(connection.send(letters(n)))),
        });
        let mut peer = Peer::connect(app.addr, OFFER);
        assert_eq!(peer.remembers, (false, true));
        peer.send("go");
        wait_until("some were dropped", || app.handle.stats().dropped > 10);
        wait_until("all were offered", || {
            let stats = app.handle.stats();
            stats.messages_out + stats.dropped >= 2_000
        });
        let (mut at, mut seen) = (0, 0);
        while seen < 50 {
            let (message, _) = peer.read();
            let text = message.as_text().unwrap();
            let n: usize = text.split(' ').next().unwrap().parse().unwrap();
            assert!(
                text == letters(n) && (seen == 0 || n > at),
                "{n} behind {at}"
            );
            (at, seen) = (n, seen + 1);
        }
    }
}

/// Text that shrinks to about a half.
fn letters(n: usize) -> String {
    let letters = noise(8_000 + n).split_off(n);
    let letters = letters.iter().map(|byte| char::from(b'a' + byte % 16));
    format!("{n} {}", letters.collect::<String>())
}

#[test]
fn x02_messages_with_secrets_go_uncompressed() {
    let app = App::start(compressing(everything()), |connection, message| {
        let _ = connection.send_uncompressed(message.clone());
        let _ = connection.send_prepared(&Prepared::uncompressed(message.clone()));
        let _ = connection.send(message);
    });
    let mut peer = Peer::connect(app.addr, OFFER);
    let text = readings(50);
    peer.send(&text);
    assert_eq!(peer.client.read().text(), text);
    assert_eq!(peer.client.read().text(), text);
    assert_eq!(peer.client.read().opcode, COMPRESSED | 1);
    // By default no message can give another one away.
    assert_eq!(peer.remembers, (false, false));
}

#[test]
fn x02_handlers_and_streams_send_secrets_uncompressed() {
    let handle = compressing(everything())
        .serve("127.0.0.1:0", |mut ws| {
            while let Some(message) = ws.read()? {
                ws.send_uncompressed(message)?;
            }
            Ok(())
        })
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        let mut ws = compressing(everything()).websocket(stream).unwrap();
        let message = ws.read().unwrap().unwrap();
        ws.send_uncompressed(message.clone()).unwrap();
        let (_reader, mut writer) = ws.split();
        writer.send_uncompressed(message).unwrap();
    });
    let text = readings(50);
    let mut peer = Peer::connect(handle.local_addr().unwrap(), OFFER);
    peer.send(&text);
    assert_eq!(peer.client.read().text(), text);
    let mut peer = Peer::connect(addr, OFFER);
    peer.send(&text);
    assert_eq!(peer.client.read().text(), text);
    assert_eq!(peer.client.read().text(), text);
    handle.shutdown();
    handle.wait();
}

/// Sends this to an echo server with `max_message` of 100,000; what its Close says, and that others notice nothing.
#[track_caller]
fn assert_ends(app: &App, bytes: &[u8], code: u16, reason: &str) {
    let mut bystander = Peer::connect(app.addr, OFFER);
    let mut peer = Peer::connect(app.addr, OFFER);
    // The server may have closed before it has taken all.
    let _ = peer.client.stream.write_all(bytes);
    let close = peer.client.read_message();
    assert_eq!(close.close(), (code, reason));
    assert!(peer.client.at_end());
    bystander.echoes("still here");
}

fn bounded() -> App {
    let limits = Limits {
        max_message: 100_000,
        ..Limits::default()
    };
    App::echo(compressing(everything()).limits(limits))
}

const TOO_LONG: &str = "a message was longer than 100000 bytes";

fn deflated(len: usize) -> Vec<u8> {
    let mut compress = Compress::new(flate2::Compression::best(), false);
    let mut out = Vec::with_capacity(len / 500 + 100);
    let block = vec![0; len];
    compress
        .compress_vec(&block, &mut out, FlushCompress::Sync)
        .unwrap();
    assert_eq!(compress.total_in(), len as u64);
    out.truncate(out.len() - 4);
    out
}

/// NATS (CVE-2026-27571), undici (CVE-2026-1526), websocket-driver (CVE-2026-54464) and others measured what came in.
#[test]
fn x01_cve_2018_1000518_a_bomb_gets_1009() {
    let app = bounded();
    let bomb = deflated(8 << 20);
    assert!(bomb.len() < 10_000);
    assert_ends(&app, &frame(true, COMPRESSED | 2, &bomb), 1009, TOO_LONG);
    // Over fragments, each of them harmless.
    let mut fragments = frame(false, COMPRESSED | 2, &bomb[..100]);
    for part in bomb[100..].chunks(100) {
        fragments.extend(frame(false, 0, part));
    }
    assert_ends(&app, &fragments, 1009, TOO_LONG);
    // A message of exactly the limit passes, one byte more does not.
    assert_ends(
        &app,
        &frame(true, COMPRESSED | 2, &deflated(100_001)),
        1009,
        TOO_LONG,
    );
    let mut peer = Peer::connect(app.addr, OFFER);
    peer.client.send(true, COMPRESSED | 2, &deflated(100_000));
    assert_eq!(peer.read().0, Message::Binary(vec![0; 100_000]));
}

/// undici went on inflating, and delivering, after the limit was hit.
#[test]
fn x01_cve_2026_85024_nothing_counts_behind_a_bomb() {
    let app = bounded();
    let bomb = frame(true, COMPRESSED | 2, &deflated(1 << 20));
    let behind = [
        &bomb[..],
        &bomb,
        &frame(true, 1, b"more"),
        &frame(true, 1 | COMPRESSED, b"\xff"),
    ]
    .concat();
    assert_ends(&app, &behind, 1009, TOO_LONG);
    assert_eq!(app.handle.stats().messages_in, 1, "the bystander's");
}

#[test]
fn x01_malformed_data_gets_1007() {
    let app = bounded();
    let reason = "a compressed message was not valid DEFLATE data";
    assert_ends(
        &app,
        &frame(true, COMPRESSED | 1, b"\xff\xff"),
        1007,
        reason,
    );
    // After enough to hit the limit, it is the limit that counts.
    let late = [&deflated(200_000)[..], b"\xff\xff"].concat();
    assert_ends(&app, &frame(true, COMPRESSED | 2, &late), 1009, TOO_LONG);
    let mut text = Peer::connect(app.addr, OFFER);
    let payload = text.compress(b"abc\xff");
    let reason = "text was not valid UTF-8";
    assert_ends(&app, &frame(true, COMPRESSED | 1, &payload), 1007, reason);
}

/// eventlet (CVE-2021-21419): huge frames, compressed or not.
#[test]
fn x01_huge_compressed_frames_are_refused_by_their_length() {
    let app = bounded();
    let mut head = frame(true, COMPRESSED | 2, &[0; 70_000])[..14].to_vec();
    head[2..10].copy_from_slice(&(1u64 << 40).to_be_bytes());
    assert_ends(&app, &head, 1009, TOO_LONG);
}

#[test]
fn x03_reserved_bits_get_1002_where_they_mean_nothing() {
    let app = bounded();
    let reason = "a reserved bit was set without an extension that uses it";
    for opcode in [0x40, 0x48, 0x49, 0x4A, 0x21, 0x11, 0x61, 0x71] {
        assert_ends(&app, &frame(true, opcode, b""), 1002, reason);
    }
    let mut peer = Peer::connect(app.addr, OFFER);
    let payload = peer.compress(b"a message in two frames");
    let (first, second) = payload.split_at(5);
    let fragments = [frame(false, 0x41, first), frame(true, 0x40, second)].concat();
    assert_ends(&app, &fragments, 1002, reason);
    // Without negotiation it never means anything.
    let mut plain = Client::connect(app.addr);
    plain.send(true, 0x41, &payload);
    assert_eq!(plain.read().close(), (1002, reason));
}

/// CVE-2026-87022 (Tomcat), uWebSockets (whose tail overwrote the next frame): what follows a compressed message in the
/// same segment is untouched by it.
#[test]
fn x03_cve_2026_87022_messages_stay_apart() {
    for compression in [everything(), takeover()] {
        let app = App::echo(compressing(compression));
        let mut peer = Peer::connect(app.addr, OFFER);
        let mut bytes = Vec::new();
        for n in 0..50 {
            let payload = peer.compress(readings(n).as_bytes());
            bytes.extend(frame(true, COMPRESSED | 1, &payload));
            bytes.extend(frame(true, 1, readings(n + 1).as_bytes()));
            bytes.extend(frame(true, 9, b"ping"));
        }
        for piece in [1_000, 17, bytes.len()] {
            for piece in bytes.chunks(piece) {
                peer.client.stream.write_all(piece).unwrap();
            }
            for n in 0..50 {
                for n in [n, n + 1] {
                    let (message, _) = peer.read();
                    assert!(message.as_text() == Some(&readings(n)), "{n}");
                }
            }
            if peer.remembers.1 {
                break;
            }
        }
    }
}

/// The feature alone changes nothing.
#[test]
fn x04_nothing_is_compressed_by_default() {
    let app = App::echo(Server::builder());
    let mut client = Client::connect_with(app.addr, "/", OFFER);
    assert!(!client.answer.contains("Extensions"), "{}", client.answer);
    let text = readings(300);
    client.send_text(&text);
    assert_eq!(client.read().text(), text);
    client.send(true, COMPRESSED | 1, b"\x00");
    assert_eq!(client.read().close().0, 1002);
}

/// The heartbeat and the end of a connection are as without compression.
#[test]
fn control_frames_are_never_compressed() {
    let limits = Limits {
        ping_interval: Some(Duration::from_millis(100)),
        ..Limits::default()
    };
    let app = App::start(compressing(everything()).limits(limits), |connection, _| {
        let _ = connection.close(4000, &"x".repeat(123));
    });
    let mut peer = Peer::connect(app.addr, OFFER);
    assert_eq!(peer.client.read().opcode, 9);
    peer.client.send(true, 10, b"");
    peer.client.send(true, 9, &[b'x'; 125]);
    let pong = std::iter::repeat_with(|| peer.client.read()).find(|frame| frame.opcode != 9);
    assert_eq!(pong.unwrap().payload, [b'x'; 125]);
    peer.send("close");
    assert_eq!(
        peer.client.read_message().close(),
        (4000, &*"x".repeat(123))
    );
}

#[cfg(feature = "client")]
mod client {
    use std::net::TcpStream;

    use super::*;
    use wshub::{ClientRequest, WebSocket};

    fn request(addr: SocketAddr, compression: Option<Compression>) -> ClientRequest {
        let request = ClientRequest::new(&format!("ws://{addr}/")).unwrap();
        match compression {
            Some(compression) => request.with_compression(compression),
            None => request,
        }
    }

    /// Both roles against each other, whatever each of them wants.
    #[test]
    fn both_roles_understand_each_other() {
        let small = |compression: Compression| Compression {
            server_max_window_bits: 9,
            client_max_window_bits: 10,
            level: 9,
            ..compression
        };
        let kinds = [
            None,
            Some(everything()),
            Some(takeover()),
            Some(small(takeover())),
        ];
        for ours in &kinds {
            let builder = match ours {
                Some(ours) => compressing(ours.clone()),
                None => Server::builder(),
            };
            let app = App::echo(builder);
            for theirs in &kinds {
                let stream = TcpStream::connect(app.addr).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut ws = WebSocket::client(stream, request(app.addr, theirs.clone())).unwrap();
                let both = ours.is_some() && theirs.is_some();
                assert_eq!(ws.extensions().starts_with("permessage-deflate"), both);
                for round in [0, 1, 30, 2_000, 30, 1] {
                    let text = readings(round);
                    ws.send(text.as_str()).unwrap();
                    ws.send_uncompressed(text.as_str()).unwrap();
                    for _ in 0..2 {
                        let message = ws.read().unwrap().unwrap();
                        assert!(
                            message.as_text() == Some(&text),
                            "{ours:?} {theirs:?} {round}"
                        );
                    }
                }
                let (mut reader, mut writer) = ws.split();
                for round in [30, 2_000, 1] {
                    writer.send(readings(round)).unwrap();
                    let message = reader.read_timeout(PATIENCE).unwrap().unwrap();
                    assert!(message.as_text() == Some(&readings(round)), "{round}");
                }
                assert_eq!(reader.extensions().is_empty(), !both);
            }
        }
    }
}
