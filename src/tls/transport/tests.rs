//! A pair of TLS transports over streams in memory, one of them through a valve.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;
use crate::limits::Limits;
use crate::lock::PLAYED;
use crate::outbox::leader_queue::LeaderQueue;
use crate::outbox::{Bounds, Delivery, Failure, Outbox, OutboxServer};
use crate::overflow::Overflow;
use crate::patience::Patience;
use crate::stats::Counters;
use crate::tests::wait_until;
use crate::tls::Tls;
use crate::tls::session::AHEAD;
use crate::transport::{self, Duplex, Waker, duplex};

const PATIENCE: Duration = Duration::from_secs(20);

fn write_all(stream: &dyn Transport, bytes: &[u8]) -> io::Result<()> {
    transport::write_all(stream, bytes, Patience::until(soon()))
}

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// A stream that lets out so many bytes, and no more until it is opened further.
struct Valve {
    below: Duplex,
    left: AtomicUsize,
    /// What a write says while none are left.
    shut: Mutex<io::Result<usize>, PLAYED>,
    writes: AtomicUsize,
    waker: Mutex<Option<Waker>, PLAYED>,
    is_ours: bool,
}

thread_local! {
    /// Valves stand for streams of wshub's own, or of the user's own.
    static OURS: Cell<bool> = const { Cell::new(true) };
}

impl Valve {
    fn set(&self, left: usize) {
        self.left.store(left, Ordering::SeqCst);
        if let Some(waker) = lock(&self.waker).take() {
            waker.wake();
        }
    }

    fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }
}

impl Transport for Valve {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        Transport::read(&self.below, buffer, deadline)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        let left = self.left.load(Ordering::SeqCst);
        if left == 0 {
            return match &*lock(&self.shut) {
                Ok(written) => Ok(*written),
                Err(error) => Err(error.kind().into()),
            };
        }
        let mut bytes: Vec<u8> = buffers.iter().flat_map(|part| part.to_vec()).collect();
        bytes.truncate(left);
        let written = self.below.try_write(&[IoSlice::new(&bytes)])?;
        self.left.fetch_sub(written, Ordering::SeqCst);
        Ok(written)
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        while self.left.load(Ordering::SeqCst) == 0 {
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::park_timeout(Duration::from_millis(1));
        }
        self.below.wait_writable(deadline)
    }

    fn wake_when_writable(&self, waker: &Waker) {
        if self.left.load(Ordering::SeqCst) > 0 {
            return self.below.wake_when_writable(waker);
        }
        *lock(&self.waker) = Some(waker.clone());
    }

    fn shutdown(&self, how: How) {
        self.below.shutdown(how);
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn never_calls_back(&self) -> bool {
        self.is_ours
    }
}

struct TlsPair {
    server: Arc<TlsTransport>,
    /// What the server writes through.
    valve: Arc<Valve>,
    client: Arc<TlsTransport>,
    /// What the client reads from and writes to.
    wire: Arc<Duplex>,
}

const CERTIFICATE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/certificates/alone/localhost.pem"
));
const KEY: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/certificates/alone/localhost.key"
));

/// What a server and a client that trusts it begin with.
fn ends() -> (Tls, ClientConnection) {
    let tls = Tls::from_pem(CERTIFICATE, KEY).unwrap();
    let own = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(own).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    (tls, ClientConnection::new(Arc::new(config), name).unwrap())
}

/// A pair that has done its handshake.
fn pair() -> TlsPair {
    let (tls, client) = ends();
    let (ours, theirs) = duplex();
    let valve = Arc::new(Valve {
        below: ours,
        left: AtomicUsize::new(usize::MAX),
        shut: Mutex::new(Err(io::ErrorKind::WouldBlock.into())),
        writes: AtomicUsize::new(0),
        waker: Mutex::default(),
        is_ours: OURS.get(),
    });
    let wire = Arc::new(theirs);
    let server = Arc::new(TlsTransport::server(valve.clone(), tls.config()).unwrap());
    let client = Arc::new(TlsTransport::new(wire.clone(), client.into()));
    let other = client.clone();
    let shaking = thread::spawn(move || other.handshake(soon()));
    server.handshake(soon()).unwrap();
    shaking.join().unwrap().unwrap();
    TlsPair {
        server,
        valve,
        client,
        wire,
    }
}

fn read_exactly(transport: &TlsTransport, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut at = 0;
    while at < len {
        let read = transport.read(&mut bytes[at..], Some(soon())).unwrap();
        assert!(read > 0, "the end after {at} of {len} bytes");
        at += read;
    }
    bytes
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

fn outbox(pair: &TlsPair, leader_queue: &Arc<LeaderQueue>, overflow: Overflow) -> Arc<Outbox> {
    let limits = Limits {
        outbound_per_connection: Some(1 << 20),
        write_timeout: PATIENCE,
        ..Limits::default()
    };
    let bounds = Bounds::new(&limits, overflow);
    let server = OutboxServer {
        leader_queue: leader_queue.clone(),
        counters: Arc::new(Counters::default()),
        delivery: Delivery::Handler,
        owner: None,
    };
    Outbox::new(
        pair.server.clone(),
        Arc::new(server),
        1,
        bounds,
        PATIENCE,
        None,
    )
}

#[test]
fn b20_a_handshake_that_goes_on_behind_its_deadline_takes_any_byte() {
    let (tls, mut client) = ends();
    let (ours, theirs) = duplex();
    let server = TlsTransport::server(Arc::new(ours), tls.config()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    // The name that is asked for: what comes then begins with a letter.
    let name = b"localhost";
    let at = hello.windows(name.len()).position(|part| part == name);
    let (begin, rest) = hello.split_at(at.unwrap());
    for part in [begin, rest] {
        theirs.try_write(&[IoSlice::new(part)]).unwrap();
        let deadline = Instant::now() + Duration::from_millis(50);
        let late = server.handshake(deadline).unwrap_err();
        let timed_out =
            matches!(&late, TlsFailure::Io(error) if error.kind() == io::ErrorKind::TimedOut);
        assert!(timed_out, "{late}");
    }
}

#[test]
fn both_directions_carry_what_was_written() {
    let pair = pair();
    let bytes = pattern(300_000);
    let (client, sent) = (pair.client.clone(), bytes.clone());
    let echo = thread::spawn(move || {
        write_all(&*client, &sent).unwrap();
        read_exactly(&client, sent.len())
    });
    let got = read_exactly(&pair.server, bytes.len());
    write_all(&*pair.server, &got).unwrap();
    assert!(echo.join().unwrap() == bytes);
}

#[test]
fn a_message_of_many_records_is_taken_in_one_read_again_and_again() {
    let pair = pair();
    let bytes = pattern(60_000);
    let mut got = vec![0; 64 << 10];
    for round in 0..10 {
        write_all(&*pair.client, &bytes).unwrap();
        // A read that is filled makes the next one larger: after a few there is room for all.
        let read = match round {
            0..3 => read_exactly(&pair.server, bytes.len()).len(),
            _ => pair.server.read(&mut got, Some(soon())).unwrap(),
        };
        assert_eq!(read, bytes.len());
        write_all(&*pair.client, b"a little").unwrap();
        assert_eq!(read_exactly(&pair.server, 8), b"a little");
    }
    assert!(got[..bytes.len()] == bytes);
}

#[test]
fn what_is_not_all_out_is_not_all_written() {
    let pair = pair();
    pair.valve.set(0);
    let frame = IoSlice::new(b"a message");
    // Encrypted, but its last byte is owed: whoever wrote it has to come back.
    assert_eq!(pair.server.try_write(&[frame]).unwrap(), 8);
    let refused = pair.server.try_write(&[IoSlice::new(b"e")]).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    pair.valve.set(7);
    let refused = pair.server.try_write(&[IoSlice::new(b"e")]).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    pair.valve.set(usize::MAX);
    let rest = [IoSlice::new(b"e"), IoSlice::new(b" and another")];
    assert_eq!(pair.server.try_write(&rest).unwrap(), 13);
    assert_eq!(read_exactly(&pair.client, 21), b"a message and another");
}

#[test]
fn a_single_byte_that_waits_was_not_taken_and_arrives_once() {
    let pair = pair();
    pair.valve.set(0);
    for _ in 0..3 {
        let refused = pair.server.try_write(&[IoSlice::new(b"x")]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    }
    pair.valve.set(usize::MAX);
    assert_eq!(pair.server.try_write(&[IoSlice::new(b"x")]).unwrap(), 1);
    assert_eq!(pair.server.try_write(&[IoSlice::new(b"y")]).unwrap(), 1);
    assert_eq!(read_exactly(&pair.client, 2), b"xy");
}

#[test]
fn through_a_narrow_valve_all_bytes_arrive_in_order() {
    let pair = pair();
    let bytes = pattern(500_000);
    let (client, len) = (pair.client.clone(), bytes.len());
    let reader = thread::spawn(move || read_exactly(&client, len));
    let (mut at, mut turn) = (0, 0);
    wait_until("all bytes are taken", || {
        turn += 1;
        // Every number of bytes up to a few records, so that records are cut everywhere.
        pair.valve.set(turn * 7919 % 50_000);
        let end = (at + turn * 104_729 % 90_000 + 2).min(bytes.len());
        let middle = at + (end - at) / 3;
        let parts = [
            IoSlice::new(&bytes[at..middle]),
            IoSlice::new(&bytes[middle..end]),
        ];
        match pair.server.try_write(&parts) {
            Ok(written) => at += written,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        at == bytes.len()
    });
    // The last byte counts as written only when all are out.
    assert!(reader.join().unwrap() == bytes);
}

#[test]
fn a_stream_below_that_takes_nothing_more_is_the_end_and_a_signal_is_not() {
    let pair = pair();
    pair.valve.set(0);
    *lock(&pair.valve.shut) = Err(io::ErrorKind::Interrupted.into());
    assert_eq!(pair.server.try_write(&[IoSlice::new(b"ab")]).unwrap(), 1);
    *lock(&pair.valve.shut) = Ok(0);
    let ended = pair.server.try_write(&[IoSlice::new(b"b")]).unwrap_err();
    assert_eq!(ended.kind(), io::ErrorKind::WriteZero);
}

#[test]
fn ciphertext_that_waits_is_bounded() {
    let pair = pair();
    pair.valve.set(0);
    let bytes = pattern(8 << 20);
    assert_eq!(
        pair.server.try_write(&[IoSlice::new(&bytes)]).unwrap(),
        AHEAD
    );
    for _ in 0..10 {
        let rest = [IoSlice::new(&bytes[AHEAD..])];
        let refused = pair.server.try_write(&rest).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    }
}

#[test]
fn a_flush_leaves_in_one_write_and_as_few_records_as_fit() {
    let pair = pair();
    let frames = vec![7; 1000];
    let parts: Vec<_> = (0..48).map(|_| IoSlice::new(&frames)).collect();
    let before = pair.valve.writes();
    assert_eq!(pair.server.try_write(&parts).unwrap(), 48_000);
    assert_eq!(pair.valve.writes() - before, 1);
    let mut records = 0;
    let mut left = 48_000;
    // Sealed records are 22 bytes longer than what they hold: header, content type, tag.
    while left > 0 {
        let mut header = [0; 5];
        read_raw(&pair.wire, &mut header);
        let len = usize::from(u16::from_be_bytes([header[3], header[4]]));
        read_raw(&pair.wire, &mut vec![0; len]);
        records += 1;
        left -= len - 17;
    }
    assert_eq!(records, 3);
}

fn read_raw(wire: &Duplex, mut bytes: &mut [u8]) {
    while !bytes.is_empty() {
        let read = Transport::read(wire, bytes, Some(soon())).unwrap();
        assert!(read > 0, "the end before {} bytes", bytes.len());
        bytes = &mut bytes[read..];
    }
}

#[test]
fn a_read_waits_no_longer_than_its_deadline() {
    let pair = pair();
    let deadline = Instant::now() + Duration::from_millis(20);
    let timed_out = pair.server.read(&mut [0; 8], Some(deadline)).unwrap_err();
    assert_eq!(timed_out.kind(), io::ErrorKind::TimedOut);
    assert!(Instant::now() >= deadline);
    // Nothing was lost by it.
    write_all(&*pair.client, b"late").unwrap();
    assert_eq!(read_exactly(&pair.server, 4), b"late");
}

#[test]
fn a_small_buffer_gets_a_long_record_in_parts() {
    let pair = pair();
    let bytes = pattern(16 << 10);
    write_all(&*pair.client, &bytes).unwrap();
    let mut got = Vec::new();
    while got.len() < bytes.len() {
        let mut part = [0; 100];
        let read = pair.server.read(&mut part, Some(soon())).unwrap();
        assert!(read > 0, "the end after {} bytes", got.len());
        got.extend_from_slice(&part[..read]);
    }
    assert!(got == bytes);
}

#[test]
fn shutdown_wakes_a_reader_as_an_end_and_not_as_a_truncation() {
    for how in [How::Read, How::Both, How::Reset] {
        let pair = pair();
        let server = pair.server.clone();
        let reader = thread::spawn(move || server.read(&mut [0; 8], Some(soon())));
        pair.server.shutdown(how);
        assert_eq!(reader.join().unwrap().unwrap(), 0, "{how:?}");
    }
}

#[test]
fn after_our_last_bytes_the_peer_reads_a_clean_end_and_may_go_on() {
    let pair = pair();
    write_all(&*pair.server, b"bye").unwrap();
    pair.server.shutdown(How::Write);
    assert_eq!(read_exactly(&pair.client, 3), b"bye");
    assert_eq!(pair.client.read(&mut [0; 8], Some(soon())).unwrap(), 0);
    let ended = pair.server.try_write(&[IoSlice::new(b"more")]).unwrap_err();
    assert_eq!(ended.kind(), io::ErrorKind::BrokenPipe);
    write_all(&*pair.client, b"still here").unwrap();
    assert_eq!(read_exactly(&pair.server, 10), b"still here");
}

#[test]
fn t04_an_end_without_close_notify_is_a_truncation() {
    let pair = pair();
    write_all(&*pair.client, b"half of it").unwrap();
    pair.wire.shutdown(How::Write);
    assert_eq!(read_exactly(&pair.server, 10), b"half of it");
    let cut = pair.server.read(&mut [0; 8], Some(soon())).unwrap_err();
    assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn what_came_before_a_broken_record_is_still_read_and_the_peer_is_told() {
    let pair = pair();
    write_all(&*pair.client, b"good").unwrap();
    pair.wire
        .try_write(&[IoSlice::new(&[0x17, 3, 3, 0, 20, 1, 2, 3])])
        .unwrap();
    pair.wire.try_write(&[IoSlice::new(&[9; 17])]).unwrap();
    assert_eq!(read_exactly(&pair.server, 4), b"good");
    for _ in 0..2 {
        let broken = pair.server.read(&mut [0; 8], Some(soon())).unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::InvalidData);
    }
    let alert = pair.client.read(&mut [0; 8], Some(soon())).unwrap_err();
    assert!(alert.to_string().contains("BadRecordMac"), "{alert}");
}

#[test]
fn a_reader_that_has_to_write_waits_for_nobody() {
    let pair = pair();
    pair.valve.set(0);
    for round in 0..20 {
        lock(&pair.client.session)
            .connection
            .refresh_traffic_keys()
            .unwrap();
        let bytes = [round; 10];
        write_all(&*pair.client, &bytes).unwrap();
        assert_eq!(read_exactly(&pair.server, 10), bytes);
    }
    pair.valve.set(usize::MAX);
    assert_eq!(pair.server.try_write(&[IoSlice::new(b"later")]).unwrap(), 5);
    assert_eq!(read_exactly(&pair.client, 5), b"later");
}

#[test]
fn t03_a_flood_of_key_updates_ends_the_connection() {
    let pair = pair();
    for _ in 0..200 {
        lock(&pair.client.session)
            .connection
            .refresh_traffic_keys()
            .unwrap();
    }
    let flush = thread::spawn({
        let client = pair.client.clone();
        move || write_all(&*client, b"and then")
    });
    let refused = pair.server.read(&mut [0; 8], Some(soon())).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{refused}");
    let _ = flush.join().unwrap();
}

#[test]
fn frames_of_an_outbox_arrive_when_the_stream_opens_though_nothing_more_is_sent() {
    for overflow in [
        Overflow::Disconnect,
        Overflow::DropNewest,
        Overflow::DropOldest,
    ] {
        let pair = pair();
        let outbox = outbox(&pair, &LeaderQueue::new(None), overflow);
        pair.valve.set(10);
        outbox.send("one message".into()).unwrap();
        outbox.pong(b"and a pong");
        assert!(outbox.buffered_amount() > 0);
        pair.valve.set(usize::MAX);
        // What the leader does when there is room.
        outbox.service(Instant::now());
        let frames = read_exactly(&pair.client, 13 + 12);
        assert_eq!(&frames[2..13], b"one message");
        assert_eq!(&frames[15..], b"and a pong");
    }
}

#[test]
fn a_peer_that_reads_nothing_is_dropped_for_it_and_no_frame_is_cut() {
    let pair = pair();
    let outbox = outbox(&pair, &LeaderQueue::new(None), Overflow::Disconnect);
    pair.valve.set(40_000);
    let message = vec![1; 30_000];
    let taken = (0..)
        .find(|_| outbox.send(message.clone().into()).is_err())
        .unwrap();
    assert!(taken * 30_000 >= 1 << 20);
    assert!(taken * 30_000 <= (1 << 20) + AHEAD + 60_000, "{taken}");
    assert_eq!(outbox.failure(), Some(Failure::SlowConsumer));
    // After the second frame, which was begun, comes the Close: 1013.
    pair.valve.set(usize::MAX);
    outbox.service(Instant::now());
    let frames = read_exactly(&pair.client, 2 * 30_004 + 4);
    assert_eq!(frames[2 * 30_004], 0x88);
    assert_eq!(frames[2 * 30_004 + 2..], 1013u16.to_be_bytes());
}

#[test]
fn an_idle_connection_gives_its_buffers_back() {
    let pair = pair();
    let bytes = pattern(200_000);
    let (client, sent) = (pair.client.clone(), bytes.clone());
    let sender = thread::spawn(move || write_all(&*client, &sent));
    read_exactly(&pair.server, bytes.len());
    sender.join().unwrap().unwrap();
    let past = Instant::now() + Duration::from_millis(1);
    pair.server.read(&mut [0; 8], Some(past)).unwrap_err();
    let session = lock(&pair.server.session);
    assert_eq!(session.raw.bytes.capacity(), 0);
}

/// It is written to without the lock.
#[test]
fn m02_all_of_this_holds_over_a_stream_of_the_users_own() {
    OURS.set(false);
    let tests = [
        both_directions_carry_what_was_written,
        a_message_of_many_records_is_taken_in_one_read_again_and_again,
        what_is_not_all_out_is_not_all_written,
        a_single_byte_that_waits_was_not_taken_and_arrives_once,
        through_a_narrow_valve_all_bytes_arrive_in_order,
        a_stream_below_that_takes_nothing_more_is_the_end_and_a_signal_is_not,
        ciphertext_that_waits_is_bounded,
        a_flush_leaves_in_one_write_and_as_few_records_as_fit,
        shutdown_wakes_a_reader_as_an_end_and_not_as_a_truncation,
        after_our_last_bytes_the_peer_reads_a_clean_end_and_may_go_on,
        what_came_before_a_broken_record_is_still_read_and_the_peer_is_told,
        a_reader_that_has_to_write_waits_for_nobody,
        t03_a_flood_of_key_updates_ends_the_connection,
        frames_of_an_outbox_arrive_when_the_stream_opens_though_nothing_more_is_sent,
        a_peer_that_reads_nothing_is_dropped_for_it_and_no_frame_is_cut,
    ];
    for test in tests {
        test();
    }
}

/// It says where its peer is, and a Unix socket has no address.
#[cfg(unix)]
#[test]
fn its_peer_is_that_of_the_stream_below() {
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let tls = Tls::from_pem(CERTIFICATE, KEY).unwrap();
    let transport = TlsTransport::server(Arc::new(ours), tls.config()).unwrap();
    assert_eq!(transport.peer(), crate::http::Peer::Unix);
}
