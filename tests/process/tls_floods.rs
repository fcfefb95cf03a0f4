//! Records of TLS that carry nothing, or change the keys, by the thousand: no memory, no hang, nobody else harmed.
//!
//! A test binary of its own, because it looks at the memory of its process.

#[path = "../support/mod.rs"]
mod support;

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::{ConnectionTrafficSecrets, ContentType, ProtocolVersion, SupportedCipherSuite};
use support::app::App;
use support::tls::{Authority, connect, secure};
use support::{Client, PATIENCE, frame, upgrade};
use wshub::{Limits, Server};

/// Two at once would measure each other.
static ALONE: Mutex<()> = Mutex::new(());

/// Of allocators and of what the first messages of a process touch.
const SLACK: usize = 4 << 20;

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<usize>().unwrap() << 10
}

/// A client of TLS 1.3 whose records the test seals itself, after its WebSocket is open.
struct Sealing {
    encrypter: Box<dyn MessageEncrypter>,
    sequence: u64,
    socket: std::net::TcpStream,
}

impl Sealing {
    fn connect(addr: std::net::SocketAddr, authority: &Authority) -> Sealing {
        let mut config = authority.client_config(None);
        config.enable_secret_extraction = true;
        let stream = secure(addr, config, "localhost").unwrap();
        let client = Client::open(stream, &upgrade("localhost", "/", ""));
        let (session, socket) = client.stream.into_parts();
        let Some(SupportedCipherSuite::Tls13(suite)) = session.negotiated_cipher_suite() else {
            panic!("TLS 1.3");
        };
        let (sequence, secrets) = session.dangerous_extract_secrets().unwrap().tx;
        let ConnectionTrafficSecrets::Aes256Gcm { key, iv } = secrets else {
            panic!("AES-256-GCM");
        };
        Sealing {
            encrypter: suite.aead_alg.encrypter(key, iv),
            sequence,
            socket,
        }
    }

    fn record(&mut self, payload: &[u8]) -> Vec<u8> {
        let message = OutboundPlainMessage {
            typ: ContentType::ApplicationData,
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(payload),
        };
        let sealed = self.encrypter.encrypt(message, self.sequence).unwrap();
        self.sequence += 1;
        sealed.encode()
    }
}

#[test]
fn t03_a_flood_of_empty_records_ends_its_connection_only() {
    const RECORDS: usize = 1_000_000;
    const AT_ONCE: usize = 1_000;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let authority = Authority::new();
    let app = App::echo(Server::builder().tls(&authority.tls()));
    let mut healthy = connect(app.addr, &authority);
    let mut hostile = Sealing::connect(app.addr, &authority);
    app.expect(&["open", "open"]);
    // Some are harmless: OpenSSL sent one before each record once.
    for byte in frame(true, 1, b"between") {
        let records = [hostile.record(&[]), hostile.record(&[byte])].concat();
        hostile.socket.write_all(&records).unwrap();
    }
    app.expect(&["text between"]);

    let before = resident();
    let flood = (0..RECORDS / AT_ONCE).find(|_| {
        let records: Vec<u8> = (0..AT_ONCE).flat_map(|_| hostile.record(&[])).collect();
        hostile.socket.write_all(&records).is_err()
    });
    assert!(flood.is_some(), "a million empty records, and still open");
    app.expect(&["close 1006  unclean"]);
    let grown = resident().saturating_sub(before);
    assert!(grown < SLACK, "{grown} bytes");
    healthy.send_text("and I");
    assert_eq!(healthy.read_message().text(), "and I");
}

/// What carries a byte resets rustls's count of key updates: then it is wshub's own bounds that hold.
#[test]
fn t03_key_updates_between_single_bytes_cost_no_memory_and_move_no_deadline() {
    const UPDATES: usize = 10_000;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let authority = Authority::new();
    let limits = Limits {
        assembly_timeout: Duration::from_secs(5),
        ..Limits::default()
    };
    let app = App::echo(Server::builder().limits(limits).tls(&authority.tls()));
    let mut healthy = connect(app.addr, &authority);
    let mut hostile = connect(app.addr, &authority);
    app.expect(&["open", "open"]);
    // Pongs that nobody asked for are nobody's message.
    let pongs = frame(true, 10, b"").repeat(UPDATES);
    let mut before = 0;
    for (n, byte) in pongs.iter().take(UPDATES).enumerate() {
        if n == UPDATES / 10 {
            before = resident();
        }
        hostile.stream.conn.refresh_traffic_keys().unwrap();
        hostile.stream.write_all(&[*byte]).unwrap();
        // Whoever reads them has others to read.
        if n % (UPDATES / 10) == 0 {
            healthy.send_text("meanwhile");
            assert_eq!(healthy.read_message().text(), "meanwhile");
            app.expect(&["text meanwhile"]);
        }
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < SLACK, "{grown} bytes");

    // A message that is never whole ends in its time, whatever comes between its bytes.
    let start = Instant::now();
    let rest = pongs.get(UPDATES..UPDATES.next_multiple_of(6)).unwrap();
    let message = frame(true, 2, &[7; 60_000]);
    for byte in rest.iter().chain(&message) {
        let _ = hostile.stream.conn.refresh_traffic_keys();
        if hostile.stream.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
        assert!(start.elapsed() < 2 * PATIENCE, "it is open still");
    }
    app.expect(&[
        "error the message was not complete within the assembly timeout",
        "close 1006  unclean",
    ]);
    healthy.send_text("and I");
    assert_eq!(healthy.read_message().text(), "and I");
}
