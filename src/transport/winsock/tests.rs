//! Waits, what ends them, and what a peer reads of a reset.

use super::*;
use std::net::TcpListener;
use std::thread;

fn pair() -> (TcpTransport, TcpStream) {
    let (ours, theirs) = streams();
    (TcpTransport::new(ours).unwrap(), theirs)
}

fn streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, theirs)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(100)
}

/// Until the peer's buffers are full, too.
fn fill(transport: &dyn Transport) -> io::Error {
    loop {
        while transport.try_write(&[IoSlice::new(&[7; 10_000])]).is_ok() {}
        if let Err(late) = transport.wait_writable(soon()) {
            return late;
        }
    }
}

#[test]
fn behind_its_deadline_a_read_takes_what_is_there_and_waits_for_nothing() {
    let (ours, mut theirs) = pair();
    let passed = Some(Instant::now());
    let nothing = ours.read(&mut [0; 8], passed).unwrap_err();
    assert_eq!(nothing.kind(), io::ErrorKind::TimedOut);
    theirs.write_all(b"there").unwrap();
    assert_eq!(ours.read(&mut [0; 1], None).unwrap(), 1);
    assert_eq!(ours.read(&mut [0; 8], passed).unwrap(), 4);
    drop(theirs);
    assert_eq!(ours.read(&mut [0; 8], None).unwrap(), 0);
}

#[test]
fn waits_end_at_their_deadline_however_far_that_is() {
    let (ours, mut theirs) = pair();
    let late = ours.read(&mut [0; 8], Some(soon())).unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    assert_eq!(fill(&ours).kind(), io::ErrorKind::TimedOut);
    let far = Instant::now() + Duration::from_secs(u32::MAX.into());
    let writer = thread::spawn(move || theirs.write_all(b"x"));
    assert_eq!(ours.read(&mut [0; 8], Some(far)).unwrap(), 1);
    writer.join().unwrap().unwrap();
}

#[test]
fn a_shutdown_wakes_those_that_wait() {
    for how in [How::Read, How::Both, How::Reset] {
        let (ours, _theirs) = pair();
        let (stream, _theirs) = streams();
        thread::scope(|scope| {
            let reads = [
                scope.spawn(|| ours.read(&mut [0; 8], None)),
                scope.spawn(|| Transport::read(&stream, &mut [0; 8], None)),
            ];
            ours.shutdown(how);
            Transport::shutdown(&stream, how);
            for read in reads {
                assert!(matches!(read.join().unwrap(), Ok(0) | Err(_)), "{how:?}");
            }
        });
    }
}

#[test]
fn a_reset_wakes_who_waits_for_room() {
    let (ours, _theirs) = pair();
    let _ = fill(&ours);
    let far = Instant::now() + Duration::from_secs(60);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| ours.wait_writable(far));
        ours.shutdown(How::Reset);
        waiting.join().unwrap().unwrap();
    });
    assert!(ours.try_write(&[IoSlice::new(b"x")]).is_err());
}

/// Windows resets the connection. Wine 8 ends it, whatever SO_LINGER says.
#[test]
fn a_peer_hears_of_a_reset_when_the_socket_is_closed() {
    let (ours, mut theirs) = pair();
    ours.shutdown(How::Reset);
    assert_eq!(ours.read(&mut [0; 8], None).unwrap(), 0);
    drop(ours);
    match Read::read(&mut theirs, &mut [0; 8]) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}
