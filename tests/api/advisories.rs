//! Public advisories about WebSocket and HTTP servers, each replayed by its own trigger against a running server.
//! `tests/threats.md` says which test stands for which advisory.

use std::io::Write;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::refusal::{KEY_LINE, assert_refused, but, refusal, status, status_of};
use crate::support::{
    Client, PATIENCE, ask, dial, exchange, frame, read_to_close, reset, upgrade, wait_until,
};
use wshub::{Accept, Limits, Reject, Response, Server, ServerBuilder};

/// No answer here takes as long, on however busy a machine; what is not linear takes longer.
const BOUND: Duration = Duration::from_secs(10);

fn with_limits(limits: Limits) -> ServerBuilder {
    Server::builder().limits(limits)
}

/// Room for header lines of 64 KiB, the most that a head can be.
fn long_lines() -> Limits {
    Limits {
        max_head: 65_535,
        ..Limits::default()
    }
}

fn assert_echoes(client: &mut Client) {
    client.send_text("still here");
    assert_eq!(client.read_message().text(), "still here");
}

/// The server goes on, with nothing left of whoever was there.
fn assert_serves(app: &App) {
    assert_echoes(&mut Client::connect(app.addr));
    wait_until("nothing is left", || {
        let stats = app.handle.stats();
        (stats.connections, stats.handshakes, stats.inbound_bytes) == (0, 0, 0)
    });
}

/// Sends bytes over an open connection; the Close code that comes back.
fn close_code(app: &App, bytes: impl AsRef<[u8]>) -> u16 {
    let mut client = Client::connect(app.addr);
    // The rest of a flood may meet the end of the connection.
    let _ = client.stream.write_all(bytes.as_ref());
    let code = client.read_message().close().0;
    read_to_close(&mut client.stream);
    code
}

/// A frame's first two bytes, a length of eight bytes and a mask of zeros; no payload.
fn announce(first: u8, len: u64) -> Vec<u8> {
    [&[first, 0xff][..], &len.to_be_bytes(), &[0; 4]].concat()
}

fn with_header(line: &str) -> String {
    upgrade("localhost", "/", &format!("{line}\r\n"))
}

// ---- Lengths ----

/// gorilla, also as CVE-2017-2921 (mongoose) and CVE-2020-13935 (Tomcat) have it: a length with its
/// sign bit set makes what was counted smaller. The bytes of conn_test.go, TestReadLimit.
#[test]
fn cve_2020_27813_a_negative_length() {
    let app = App::echo(with_limits(Limits {
        max_message: 5,
        ..Limits::default()
    }));
    let begin = b"\x02\x81\x00\x00\x00\x00A".to_vec();
    let negative = b"\x00\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00".to_vec();
    let last = b"\x80\xff\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00BCDEF".to_vec();
    assert_eq!(
        close_code(&app, [begin.clone(), negative, last].concat()),
        1002
    );
    // And with lengths that are right, one byte too many.
    let last = b"\x80\x85\x00\x00\x00\x00BCDEF".to_vec();
    assert_eq!(close_code(&app, [begin, last].concat()), 1009);
}

/// NATS (CVE-2026-27889), undici, libre (`4 + length` wraps), vibeio-http (`2 + length`), restbed, sipgo.
#[test]
fn cve_2026_1528_lengths_at_the_end_of_64_bits() {
    for max_message in [1 << 20, usize::MAX] {
        let app = App::echo(with_limits(Limits {
            max_message,
            ..Limits::default()
        }));
        for len in [
            1 << 63,
            (1 << 63) + 1,
            u64::MAX - 14,
            u64::MAX - 4,
            u64::MAX - 1,
            u64::MAX,
        ] {
            assert_eq!(close_code(&app, announce(0x82, len)), 1002, "{len:#x}");
        }
        for len in [(1 << 53) - 1, 1 << 53, (1 << 63) - 15, (1 << 63) - 1] {
            let part = [frame(false, 1, b"a"), announce(0x80, len)].concat();
            if max_message == usize::MAX {
                // Allowed: then the bytes that come are waited for, and no more memory is taken.
                let mut client = Client::connect(app.addr);
                let ping = frame(true, 9, b"before the length");
                client
                    .stream
                    .write_all(&[ping, announce(0x82, len)].concat())
                    .unwrap();
                assert_eq!(client.read().payload, b"before the length");
                client.stream.write_all(&[0; 10_000]).unwrap();
                continue;
            }
            assert_eq!(close_code(&app, announce(0x82, len)), 1009, "{len:#x}");
            assert_eq!(close_code(&app, part), 1009, "{len:#x}");
        }
        assert_serves(&app);
    }
}

/// Also CVE-2025-32049 (libsoup), CVE-2018-21035 (Qt): there is a limit, and it can be lowered.
#[test]
fn cve_2016_10542_messages_have_a_limit_by_default() {
    let app = App::echo(Server::builder());
    let mut client = Client::connect(app.addr);
    let largest = vec![7; 1 << 20];
    client.send_binary(&largest);
    assert!(client.read().payload == largest);
    assert_eq!(close_code(&app, announce(0x82, (1 << 20) + 1)), 1009);
    let small = App::echo(with_limits(Limits {
        max_message: 125,
        ..Limits::default()
    }));
    assert_eq!(close_code(&small, frame(true, 2, &[7; 126])), 1009);
}

/// A control frame says by its length that it is one of the long forms (CVE-2020-13935, Tomcat;
/// CVE-2026-15711, libsoup): refused before the payload, that never comes.
#[test]
fn cve_2026_15711_oversized_control_frames() {
    let app = App::echo(Server::builder());
    for first in [0x88, 0x89, 0x8a] {
        assert_eq!(close_code(&app, [first, 0xfe]), 1002);
        assert_eq!(close_code(&app, [first, 0xff]), 1002);
    }
    assert_serves(&app);
}

/// Jetty: an unknown opcode went around the check of the size.
#[test]
fn cve_2026_19204_an_unknown_opcode_with_a_huge_length() {
    let app = App::echo(Server::builder());
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        assert_eq!(
            close_code(&app, announce(0x80 | opcode, (1 << 63) - 1)),
            1002
        );
    }
    assert_serves(&app);
}

/// engine.io: reserved bits killed the process. py 16.1: RSV1 on a continuation.
#[test]
fn cve_2022_21676_reserved_bits() {
    let app = App::echo(Server::builder());
    let mut bystander = Client::connect(app.addr);
    for bits in 1..8_u8 {
        for opcode in [0, 1, 2, 8, 9, 0xa] {
            let first = 0x80 | bits << 4 | opcode;
            let bytes = [first, 0x80, 0, 0, 0, 0];
            assert_eq!(close_code(&app, bytes), 1002, "{first:#x}");
            let inside = [&frame(false, 1, b"a")[..], &bytes].concat();
            assert_eq!(close_code(&app, inside), 1002, "{first:#x}");
        }
    }
    assert_echoes(&mut bystander);
    drop(bystander);
    assert_serves(&app);
}

/// aiohttp: frames that never become complete count against nothing.
#[test]
fn cve_2026_54274_large_frames_that_stay_incomplete() {
    let app = App::echo(with_limits(Limits {
        max_message: 1_000,
        ..Limits::default()
    }));
    // Complete or not: it is its announced length that is too long.
    let mut bytes = announce(0x82, 65_536);
    bytes.extend([0; 500]);
    assert_eq!(close_code(&app, bytes), 1009);
    let part = [frame(false, 2, &[0; 900]), announce(0x00, 65_536)].concat();
    assert_eq!(close_code(&app, part), 1009);
}

/// LibVNCServer (heap overflow by frames that come in parts), uWebSockets (unmasking went on into the
/// next frame): every frame of a stream arrives as it was sent, however it is cut.
#[test]
fn cve_2017_18922_partial_and_pipelined_frames() {
    let app = App::echo(Server::builder());
    let payloads: Vec<Vec<u8>> = (0..140).map(|len| vec![len as u8; len]).collect();
    let stream: Vec<u8> = payloads
        .iter()
        .flat_map(|payload| frame(true, 2, payload))
        .collect();
    for cut in [1, 2, 3, 7, 64, 1_000, stream.len()] {
        let mut client = Client::connect(app.addr);
        client.stream.set_nodelay(true).unwrap();
        for part in stream.chunks(cut) {
            client.stream.write_all(part).unwrap();
        }
        for payload in &payloads {
            assert_eq!(client.read().payload, *payload, "cut into {cut}");
        }
    }
}

/// websocket-driver: a length of the old drafts is a run of bytes with their highest bit set.
#[test]
fn cve_2026_54466_frames_of_old_drafts_are_refused() {
    let app = App::echo(Server::builder());
    for bytes in [
        &b"\x00hixie\xff"[..],
        b"\x80\xff\xff\xff\xff\xff\xff\xff",
        b"\xff\x00",
    ] {
        assert_eq!(close_code(&app, bytes), 1002);
    }
    for version in ["Version: 0", "Version: 7", "Version: 8", "Version: 76"] {
        let request = but("Version: 13", version);
        assert_refused(app.addr, request, 426, &["Sec-WebSocket-Version: 13"]);
    }
    let hixie = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\r\n^n:ds[4U";
    assert_refused(app.addr, hixie, 426, &["Sec-WebSocket-Version: 13"]);
}

// ---- Fragments ----

/// ws (`ws.send(Buffer.alloc(1), { fin: false })` in a loop), undici (CVE-2026-12151).
#[test]
fn cve_2026_48779_one_byte_fragments_for_ever() {
    let app = App::echo(Server::builder());
    let flood = [frame(false, 2, b"x"), frame(false, 0, b"x").repeat(2_000)].concat();
    assert_eq!(close_code(&app, flood), 1008);
    assert_serves(&app);
}

/// ws 8.21.1; also h2 (RUSTSEC-2026-0258) with its empty DATA frames.
#[test]
fn cve_2026_62389_empty_fragments_count() {
    let app = App::echo(Server::builder());
    let flood = [frame(false, 1, b""), frame(false, 0, b"").repeat(2_000)].concat();
    assert_eq!(close_code(&app, flood), 1008);
    assert_serves(&app);
}

/// Bandit, undici (CVE-2026-9675), Netty (CVE-2014-0193), libevent (CVE-2026-63495): each fragment is
/// within the limit, their sum is not.
#[test]
fn cve_2026_42786_fragments_that_are_too_much_together() {
    let app = App::echo(with_limits(Limits {
        max_message: 64 << 10,
        ..Limits::default()
    }));
    let part = [b'x'; 32 << 10];
    let mut flood = [frame(false, 1, &part), frame(false, 0, &part)].concat();
    let mut client = Client::connect(app.addr);
    client.stream.write_all(&flood).unwrap();
    client.send(true, 0, b"");
    assert_eq!(client.read().payload.len(), 64 << 10);
    drop(client);
    flood.extend(frame(false, 0, b"x"));
    assert_eq!(close_code(&app, flood), 1009);
    assert_serves(&app);
}

/// mongoose: a last fragment without a first one (`ofs - 1`), and a first one twice.
#[test]
fn cve_2026_106024_fragments_out_of_order() {
    let app = App::echo(Server::builder());
    assert_eq!(close_code(&app, frame(true, 0, b"end")), 1002);
    assert_eq!(close_code(&app, frame(false, 0, b"middle")), 1002);
    let twice = [frame(false, 1, b"a"), frame(false, 2, b"b")].concat();
    assert_eq!(close_code(&app, twice), 1002);
    let after = [
        frame(false, 1, b"a"),
        frame(true, 0, b"b"),
        frame(true, 0, b"c"),
    ]
    .concat();
    let mut client = Client::connect(app.addr);
    client.stream.write_all(&after).unwrap();
    assert_eq!(client.read().text(), "ab");
    assert_eq!(client.read().close().0, 1002);
}

/// undici: what came after the limit was hit was still worked on.
#[test]
fn cve_2026_85024_after_a_fault_nothing_counts() {
    let app = App::echo(with_limits(Limits {
        max_message: 100,
        ..Limits::default()
    }));
    let bytes = [
        frame(true, 2, &[0; 101]),
        frame(true, 1, b"after"),
        frame(true, 9, b"ping"),
        b"\xff\xff\xff".to_vec(),
    ];
    let mut client = Client::connect(app.addr);
    client.stream.write_all(&bytes.concat()).unwrap();
    assert_eq!(client.read().close().0, 1009);
    assert_eq!(
        read_to_close(&mut client.stream),
        b"",
        "one Close, and nothing more"
    );
    app.expect(&[
        "open",
        "error a message was longer than 100 bytes",
        "close 1006  unclean",
    ]);
    assert_serves(&app);
}

// ---- Control frames and closing ----

/// ws: a pong or Close carried memory that nobody had written (CVE-2016-10518, ping(50); CVE-2026-45736,
/// close(code, typed array)).
#[test]
fn cve_2016_10518_answers_carry_what_was_sent_and_nothing_else() {
    let app = App::start(Server::builder(), |connection, _| {
        connection.close(4000, "50").unwrap();
    });
    let mut client = Client::connect(app.addr);
    for len in [0, 1, 50, 124, 125] {
        client.send(true, 9, &vec![len as u8; len]);
        assert_eq!(client.read().payload, vec![len as u8; len]);
    }
    client.send_text("close");
    assert_eq!(client.read().close(), (4000, "50"));
    client.send_close(4000, "");
    let source = include_str!("../../src/lib.rs");
    assert!(source.contains("#![forbid(unsafe_code)]"));
}

/// Tomcat (CVE-2022-25762): a message was sent after, or while, the connection was closed.
#[test]
fn cve_2022_25762_nothing_is_sent_behind_a_close() {
    let (told, refused) = channel();
    let app = App::start(Server::builder(), move |connection, _| {
        connection.close(1000, "").unwrap();
        let late = (connection.send("late").is_err(), connection.ping().is_err());
        told.send(late).unwrap();
    });
    let mut client = Client::connect(app.addr);
    client.send_text("close");
    assert_eq!(client.read().close().0, 1000);
    client.send(true, 9, b"no pong either");
    client.send_close(1000, "");
    assert_eq!(read_to_close(&mut client.stream), b"");
    assert_eq!(refused.recv_timeout(PATIENCE), Ok((true, true)));
}

/// Closing while the peer's data lies unread (py #1336: a deadlock).
#[test]
fn py_1336_closing_with_unread_data() {
    let handle = wshub::serve("127.0.0.1:0", |mut ws| {
        ws.read()?;
        Ok(())
    })
    .unwrap();
    let mut client = Client::connect(handle.local_addr().unwrap());
    client
        .stream
        .write_all(&frame(true, 2, &[0; 1_000]).repeat(100))
        .unwrap();
    assert_eq!(client.read().close().0, 1000);
    client.send_close(1000, "");
    read_to_close(&mut client.stream);
    wait_until("the connection is gone", || handle.stats().connections == 0);
    handle.shutdown();
    assert_eq!(handle.wait().threads_left, 0);
}

/// Mesop: a thread for each message.
#[test]
fn mesop_no_thread_for_a_message() {
    let app = App::echo(Server::builder());
    let mut client = Client::connect(app.addr);
    client
        .stream
        .write_all(&frame(true, 1, b"x").repeat(1_000))
        .unwrap();
    for _ in 0..1_000 {
        assert_eq!(client.read().text(), "x");
        // That of the handshake may have gone.
        assert!(app.handle.stats().threads <= 1);
    }
}

/// ws-rs: what a peer asks for and does not read piles up. Here it ends the connection.
#[test]
fn cve_2020_35896_echo_to_a_peer_that_never_reads_is_bounded() {
    let app = App::echo(with_limits(Limits {
        write_timeout: Duration::from_secs(1),
        close_timeout: Duration::from_secs(1),
        ..Limits::default()
    }));
    let mut client = Client::connect(app.addr);
    let flood = frame(true, 2, &[0; 60_000]);
    let begun = Instant::now();
    while client.stream.write_all(&flood).is_ok() {
        assert!(begun.elapsed() < PATIENCE);
    }
    while !app.next().1.starts_with("error the peer reads too slowly") {}
    assert!(app.next().1.starts_with("close 1006"));
    assert!(app.handle.stats().dropped > 0);
    assert_serves(&app);
}

/// daphne: a limit of 0 meant none. Here it means that nothing passes, or one at a time where something must; and where
/// nothing could work, it is refused: `limits.rs` has all of them.
#[test]
fn cve_2026_44545_zero_is_no_way_to_say_unlimited() {
    let zero = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        App::echo(with_limits(limits))
    };
    let app = zero(|limits| limits.max_message = 0);
    assert_eq!(close_code(&app, frame(true, 1, b"x")), 1009);
    let app = zero(|limits| {
        limits.inbound_total = 0;
        limits.inbound_per_connection = 0;
        limits.outbound_per_connection = Some(0);
    });
    for _ in 0..10 {
        assert_echoes(&mut Client::connect(app.addr));
    }
}

// ---- The opening handshake ----

/// tungstenite, QEMU (CVE-2015-1779), websocketd: a head byte by byte, up to its cap.
#[test]
fn cve_2023_43669_a_head_in_single_bytes() {
    let app = App::echo(with_limits(Limits {
        handshake_timeout: 3 * PATIENCE,
        ..Limits::default()
    }));
    let mut stream = dial(app.addr);
    stream.set_nodelay(true).unwrap();
    let lines =
        "X-Long: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(1_200);
    let endless = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{lines}");
    let sent = endless
        .bytes()
        .take_while(|byte| stream.write_all(&[*byte]).is_ok())
        .count();
    assert!(sent >= 6_000, "refused within the cap, after {sent} bytes");
    // Whether the answer outlives what crossed it is TCP's affair: ask again with a head of that size.
    assert_refused(app.addr, &endless[..16 << 10], 431, &[]);
    assert_eq!(app.handle.stats().refused["head_too_large"], 2);
    assert_serves(&app);
}

/// ws: headers beyond a count were left out, Upgrade among them, and its absence was a crash.
#[test]
fn cve_2024_37890_two_thousand_headers() {
    let app = App::echo(Server::builder());
    let lines: String = (0..2_000).map(|n| format!("{:x}:b\r\n", n % 256)).collect();
    let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
    assert_refused(app.addr, request, 431, &[]);
    assert_refused(app.addr, upgrade("localhost", "/", &lines), 431, &[]);
    assert_serves(&app);
}

/// ws: `b`, 32,000 spaces, `x`; esp-idf (CVE-2026-45541): nothing but separators.
#[test]
fn cve_2021_32640_subprotocols_of_spaces_and_commas() {
    let app = App::echo(with_limits(long_lines()).subprotocols(["x"]));
    let begun = Instant::now();
    for (offers, expected) in [
        (format!("b{}x", " ".repeat(32_000)), 400),
        (format!("b,{}x", " ".repeat(32_000)), 101),
        (",".repeat(60_000), 101),
        (" ,".repeat(30_000), 101),
        ("a,".repeat(10_000), 101),
        (",".to_owned(), 101),
        (" , ".to_owned(), 101),
        (String::new(), 101),
    ] {
        let request = with_header(&format!("Sec-WebSocket-Protocol: {offers}"));
        assert_eq!(status(app.addr, request), expected, "{:.20}", offers);
    }
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    // By default such a line is too long.
    let app = App::echo(Server::builder());
    let spaces = format!("Sec-WebSocket-Protocol: b{}x", " ".repeat(32_000));
    assert_refused(app.addr, with_header(&spaces), 431, &[]);
}

/// websocket-extensions in both languages, ws of 2017 (`constructor`), undici (CVE-2026-2229): by default
/// there is no extension, whatever is offered.
#[test]
fn cve_2020_7662_extensions_of_any_kind() {
    let app = App::echo(with_limits(long_lines()));
    let bits = |value: &str| format!("permessage-deflate; server_max_window_bits{value}");
    let begun = Instant::now();
    for offer in [
        format!("a; b=\"{}", "\\c".repeat(32_000)),
        "a;".repeat(32_000),
        "constructor".into(),
        "__proto__; toString=hasOwnProperty".into(),
        bits("=7"),
        bits("=16"),
        bits("=08"),
        bits("=999"),
        bits("="),
        bits("=8; server_max_window_bits=9"),
    ] {
        let headers = format!("Sec-WebSocket-Extensions: {offer}\r\n");
        let mut client = Client::connect_with(app.addr, "/", &headers);
        assert!(!client.answer.contains("Extensions"), "{}", client.answer);
        assert_echoes(&mut client);
    }
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
}

#[test]
fn ghsa_jc97_h3h9_7xh6_long_lists_in_connection_and_upgrade() {
    let app = App::echo(with_limits(long_lines()));
    let long = "a, ".repeat(9_000);
    let begun = Instant::now();
    let request = but("Connection: Upgrade", &format!("Connection: {long}Upgrade"))
        .replace("Upgrade: websocket", &format!("Upgrade: {long}websocket"));
    assert_eq!(status(app.addr, request), 101);
    let spaces = format!("Connection:{}Upgrade", " ".repeat(30_000));
    assert_eq!(status(app.addr, but("Connection: Upgrade", &spaces)), 101);
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
}

/// Zephyr: a key that is longer than its buffer.
#[test]
fn cve_2026_5067_a_key_that_is_too_long() {
    let app = App::echo(Server::builder());
    for len in [25, 64, 4 << 10, 8_000] {
        let line = format!("Sec-WebSocket-Key: {}\r\n", "A".repeat(len));
        assert_refused(app.addr, but(KEY_LINE, &line), 400, &[]);
    }
    assert_serves(&app);
}

/// faye: a Host that is none.
#[test]
fn cve_2026_61666_a_malformed_host() {
    let app = App::echo(Server::builder());
    for host in [
        "[",
        "]",
        "[::1",
        "a b",
        ":",
        "%",
        "h:99999999999999999999",
        "\u{0}",
        "@",
    ] {
        assert_refused(app.addr, upgrade(host, "/", ""), 400, &[]);
    }
    assert_serves(&app);
}

/// Netty: a key made an upgrade of a request without Upgrade header; lws NN-2025-0102: another value.
#[test]
fn cve_2026_59898_no_upgrade_without_its_header() {
    let app = App::echo(Server::builder());
    for by in [
        "",
        "Upgrade: foo\r\n",
        "Upgrade:\r\n",
        "Upgrade: websocke\r\n",
    ] {
        let request = but("Upgrade: websocket\r\n", by);
        assert_refused(app.addr, request, 426, &["Upgrade: websocket"]);
    }
    let both = but("Upgrade: websocket", "Upgrade: websocket, foo");
    assert_eq!(status(app.addr, both), 101);
}

/// tiny_http and hyper (RUSTSEC-2020-0031, -2021-0020, -2021-0078, -2020-0008), mongoose (CVE-2023-34188),
/// Vert.x: bodies and their lengths.
#[test]
fn cve_2018_12541_bodies_and_what_claims_one() {
    let app = App::echo(Server::builder());
    for lines in [
        "Content-Length: 1000000000",
        "Content-Length: -1",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 99999999999999999999",
        "Content-Length: 0x5",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: \tchunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: \u{b}chunked",
    ] {
        // What would be the body is another request, that nobody answers.
        let smuggled = with_header(lines) + &upgrade("localhost", "/smuggled", "");
        assert_refused(app.addr, smuggled, 400, &[]);
    }
    assert_eq!(app.handle.stats().opened, 0);
    assert_serves(&app);
}

/// A tunnel that stays open though the upgrade was refused: httpd's proxy_wstunnel, pingora
/// (CVE-2026-2833), Envoy (CVE-2025-64763); Netty (CVE-2026-100658) queues what is pipelined.
#[test]
fn cve_2019_17567_no_tunnel_behind_a_refusal() {
    let app = App::echo(Server::builder());
    let good = upgrade("localhost", "/", "");
    for bad in [
        but("Version: 13", "Version: 14"),
        but(KEY_LINE, ""),
        but("GET", "PUT"),
    ] {
        let data = [bad.as_bytes(), &frame(true, 1, b"early"), good.as_bytes()].concat();
        let answer = refusal(app.addr, data);
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    let pipelined = refusal(app.addr, but(KEY_LINE, "") + &good.repeat(50));
    assert_eq!(pipelined.matches("HTTP/1.1 ").count(), 1, "{pipelined}");
    assert_eq!(app.handle.stats().opened, 0);
    assert!(app.is_quiet());
}

/// gorilla TestDataReceivedBeforeHandshake, Java #1418: the first frames come in the head's segment.
#[test]
fn java_1418_frames_in_the_segment_of_the_head() {
    let app = App::echo(Server::builder());
    let frames = (0..50).map(|n| frame(true, 1, format!("early {n}").as_bytes()));
    let bytes: Vec<u8> = upgrade("localhost", "/", "").into_bytes();
    let bytes = frames.fold(bytes, |bytes, frame| [bytes, frame].concat());
    let (answer, stream) = ask(app.addr, bytes);
    let mut client = Client { stream, answer };
    for n in 0..50 {
        assert_eq!(client.read().text(), format!("early {n}"));
    }
}

/// trillium, hyper (RUSTSEC-2017-0002), undici (CVE-2026-1527): a line break in what the application sends.
#[test]
fn rustsec_2024_0009_no_line_break_leaves_in_a_header() {
    let app = App::echo(
        Server::builder()
            .accept(|request| {
                let text = request
                    .query_string()
                    .unwrap_or_default()
                    .replace('_', "\r\n");
                match request.path() {
                    "/value" => Ok(Accept::new().with_header("X", &text)?),
                    "/name" => Ok(Accept::new().with_header(&text, "x")?),
                    "/subprotocol" => Ok(Accept::new().with_subprotocol(&text)?),
                    _ => Err(Reject::forbidden().with_header("X", &text)?),
                }
            })
            .http(|request| {
                let text = request
                    .query_string()
                    .unwrap_or_default()
                    .replace('_', "\r\n");
                let response = Response::text("x").with_header("X", &text);
                response.unwrap_or_else(|_| Response::not_found())
            }),
    );
    for path in ["/value", "/name", "/subprotocol", "/reject"] {
        let request = upgrade("localhost", &format!("{path}?a_Set-Cookie:b"), "");
        let answer = refusal(app.addr, request);
        assert_eq!(status_of(&answer), 500, "{path}");
        assert!(!answer.contains("Set-Cookie"), "{answer}");
    }
    let plain = exchange(
        app.addr,
        "GET /?a_Set-Cookie:b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(status_of(&plain), 404);
    assert!(!plain.contains("Set-Cookie"), "{plain}");
}

/// libwebsockets: the callback refuses, and what belongs to the request is used afterwards; ecnepsnai/web
/// (GO-2021-0107): the hook does not run for WebSockets.
#[test]
fn cve_2025_11677_a_hook_refuses_every_other_upgrade() {
    let (asked, calls) = channel();
    let asked = std::sync::Mutex::new(asked);
    let app = App::echo(Server::builder().accept(move |request| {
        let _ = asked.lock().unwrap().send(request.path().to_owned());
        match request.path() {
            "/in" => Ok(Accept::new()),
            _ => Err(Reject::unauthorized().with_body(request.path().to_owned())),
        }
    }));
    for _ in 0..20 {
        let answer = refusal(app.addr, upgrade("localhost", "/out", "") + "more");
        assert!(
            status_of(&answer) == 401 && answer.ends_with("/out"),
            "{answer}"
        );
        assert_echoes(&mut Client::connect_with(app.addr, "/in", ""));
    }
    assert_eq!(calls.try_iter().count(), 40, "once for each");
    wait_until("nothing is left", || {
        let stats = app.handle.stats();
        (stats.connections, stats.handshakes) == (0, 0)
    });
}

/// engine.io: a reset during the upgrade killed the process; lighttpd (CVE-2022-37797): a null pointer
/// after an invalid handshake.
#[test]
fn cve_2022_41940_resets_during_the_upgrade() {
    let app = App::echo(Server::builder());
    let request = upgrade("localhost", "/", "");
    for cut in (0..=request.len()).step_by(7) {
        let mut stream = dial(app.addr);
        stream.write_all(&request.as_bytes()[..cut]).unwrap();
        reset(stream);
    }
    let mut stream = dial(app.addr);
    stream.write_all(b"GET \x00\x01\x02\r\n\r\n").unwrap();
    reset(stream);
    wait_until("they are gone", || app.handle.stats().handshakes == 0);
    // A request that was whole may have opened a connection, that ends.
    wait_until("they are gone", || app.handle.stats().connections == 0);
}

/// OpenClaw: upgrades without bound before authentication (CVE-2026-41399), silence there (-32062); a
/// malformed upgrade keeps its socket (-100558); Hub (-73561): a silent client keeps its timers.
#[test]
fn cve_2026_41399_handshakes_are_bounded_in_number_and_time() {
    let app = App::echo(with_limits(Limits {
        max_handshakes: 8,
        handshake_timeout: Duration::from_secs(3),
        ..Limits::default()
    }));
    let mut waiting: Vec<_> = (0..50).map(|_| dial(app.addr)).collect();
    for stream in &mut waiting {
        let _ = stream.write_all(b"GET / HTTP/1.1\r\n");
    }
    assert_echoes(&mut Client::connect(app.addr));
    for mut stream in waiting {
        let answer = read_to_close(&mut stream);
        let status = answer.get(9..12).unwrap_or(b"503");
        assert!(matches!(status, b"503" | b"408"), "{answer:?}");
    }
    let refused = app.handle.stats().refused;
    let times = |reason| refused.get(reason).copied().unwrap_or_default();
    assert!(times("evicted") > 0, "{refused:?}");
    // Who is sent away before its request is read has said nothing.
    let in_time = times("timeout") + times("silence");
    assert_eq!(times("evicted") + in_time, 50, "{refused:?}");
    let malformed = refusal(app.addr, but("Host: localhost", "Host localhost"));
    assert_eq!(status_of(&malformed), 400);
    assert_serves(&app);
}

// ---- From where ----

/// Cable Haunt, Cline (CVE-2026-44211), Che (CVE-2020-14368), Jenkins (CVE-2024-23898), IPython
/// (CVE-2014-3429), engineio (CVE-2019-13611), Tilt (CVE-2026-55883), DevSpace (CVE-2026-42283) and more: a
/// page of anybody's opens a WebSocket to a server on this machine or in this network.
#[test]
fn cve_2019_19494_pages_of_other_sites_are_refused_by_default() {
    let app = App::echo(Server::builder().hosts(["example.com"]));
    let from = |host: &str, origin: &str| {
        status(
            app.addr,
            upgrade(host, "/", &format!("Origin: {origin}\r\n")),
        )
    };
    for origin in [
        "null",
        "file://",
        "https://evil.example",
        "https://evil-example.com",
        "https://example.com.evil",
        "https://example.com@evil",
        "https://evil@example.com",
        "https://example.com:8443",
        "https://sub.example.com",
        "https://[::1]",
        "http://127.0.0.1",
        "http://localhost",
    ] {
        assert_eq!(from("example.com", origin), 403, "{origin}");
    }
    for (host, origin) in [
        ("example.com", "https://EXAMPLE.com"),
        ("example.com:8080", "http://example.com:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
    ] {
        assert_eq!(from(host, origin), 101, "{origin}");
    }
    assert_eq!(
        status(app.addr, upgrade("example.com", "/", "")),
        101,
        "a program"
    );
}

/// MCP Go SDK: protection against DNS rebinding was off by default; py #1246 lacks it.
#[test]
fn cve_2026_34742_rebinding_is_refused_by_default() {
    let app = App::echo(Server::builder().http(|_| Response::text("secret")));
    let page = "Origin: http://evil.test\r\n";
    assert_refused(app.addr, upgrade("evil.test", "/", page), 403, &[]);
    let plain = exchange(app.addr, "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n");
    assert_eq!(status_of(&plain), 403);
    assert!(!plain.contains("secret"), "{plain}");
}

/// websocketd: what a path says is shown to a browser as a page.
#[test]
fn websocketd_a_path_is_not_shown_as_a_page() {
    let app = App::echo(Server::builder());
    for request in [
        upgrade(
            "localhost",
            "/<script>alert(1)</script>",
            "Origin: http://<script>\r\n",
        ),
        but("GET", "<script>"),
        "GET /<script> HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
    ] {
        let answer = refusal(app.addr, request);
        assert!(answer.contains("\r\nContent-Type: text/plain"), "{answer}");
        assert!(
            answer.contains("\r\nX-Content-Type-Options: nosniff\r\n"),
            "{answer}"
        );
    }
}
