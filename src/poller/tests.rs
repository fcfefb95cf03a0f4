use super::*;
#[cfg(unix)]
use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use crate::tests::{PATIENCE, wait_until};
use crate::transport::Transport;

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let theirs = listener.accept().unwrap().0;
    theirs.set_read_timeout(Some(PATIENCE)).unwrap();
    (ours, theirs)
}

fn insert(poller: &mut Poller<TcpStream>, stream: TcpStream) -> Token {
    let inserted = poller.insert(stream, |stream| Some(stream.into()));
    inserted.map_err(|(_, error)| error).unwrap()
}

/// Waits until `what` is among what is ready.
fn wait_for(poller: &mut Poller<TcpStream>, what: impl Fn(&Ready) -> bool) {
    let mut ready = Vec::new();
    wait_until("it is ready", || {
        ready.clear();
        poller.wait(Some(Instant::now() + PATIENCE), &mut ready, || true);
        ready.iter().any(&what)
    });
}

fn take_all(poller: &mut Poller<TcpStream>, token: Token) {
    let stream = poller.get(token).unwrap();
    while stream.try_read(&mut [0; 8]).is_ok() {}
}

#[test]
fn a_socket_is_reported_when_it_comes_and_when_something_comes() {
    let mut poller = Poller::new().unwrap();
    let (ours, mut theirs) = pair();
    let token = insert(&mut poller, ours);
    wait_for(&mut poller, |it| it.token == token && it.writable);
    theirs.write_all(b"x").unwrap();
    wait_for(&mut poller, |it| it.readable && !it.ended);
    take_all(&mut poller, token);
    drop(theirs);
    wait_for(&mut poller, |it| it.readable && it.ended);
    assert!(poller.remove(token).is_some());
    assert!(poller.get(token).is_none());
}

#[test]
fn whoever_rings_ends_the_sleep_and_one_who_looks_does_not_sleep() {
    let mut poller = Poller::<TcpStream>::new().unwrap();
    let bell = poller.bell().clone();
    let mut ready = Vec::new();
    poller.wait(None, &mut ready, || false);
    let rung = Arc::new(AtomicBool::new(false));
    let ringing = rung.clone();
    let ringer = std::thread::spawn(move || {
        ringing.store(true, SeqCst);
        bell.ring();
    });
    let end = Instant::now() + PATIENCE;
    poller.wait(Some(end), &mut ready, || !rung.load(SeqCst));
    assert!(Instant::now() < end, "nobody woke it");
    ringer.join().unwrap();
    assert!(ready.is_empty());
}

#[test]
fn one_is_due_once_at_the_earliest_time_that_was_set() {
    let mut poller = Poller::new().unwrap();
    let (ours, _theirs) = pair();
    let token = insert(&mut poller, ours);
    let now = Instant::now();
    poller.set_deadline(token, now + Duration::from_secs(60));
    poller.set_deadline(token, now);
    poller.set_deadline(token, now + Duration::from_secs(30));
    assert_eq!(poller.deadlines.first(), Some(now));
    assert_eq!(poller.next_due(now), Some(token));
    assert_eq!(poller.next_due(now + Duration::from_secs(90)), None);
    poller.set_deadline(token, now);
    poller.remove(token);
    assert_eq!(poller.next_due(now), None, "nobody is there");
}

#[test]
fn a_deadline_ends_the_sleep() {
    let mut poller = Poller::new().unwrap();
    let (ours, _theirs) = pair();
    let token = insert(&mut poller, ours);
    wait_for(&mut poller, |it| it.writable);
    let at = Instant::now() + Duration::from_millis(5);
    poller.set_deadline(token, at);
    let end = at + PATIENCE;
    wait_until("it is due", || {
        poller.wait(Some(end), &mut Vec::new(), || true);
        poller.next_due(Instant::now()).is_some()
    });
    assert!((at..end).contains(&Instant::now()));
}

/// Each edge is reported, however often the socket was full and empty before.
#[test]
fn a_full_socket_is_reported_whenever_it_has_room_again() {
    let mut poller = Poller::new().unwrap();
    let (ours, mut theirs) = pair();
    let token = insert(&mut poller, ours);
    for _ in 0..20 {
        let mut filled = 0;
        let ours = poller.get(token).unwrap();
        // A write that is cut short says as much as one that is refused.
        while let Ok(written) = ours.try_write(&[IoSlice::new(&[7; 10_000])]) {
            filled += written;
            if written < 10_000 {
                break;
            }
        }
        theirs.read_exact(&mut vec![0; filled]).unwrap();
        wait_for(&mut poller, |it| it.token == token && it.writable);
        theirs.write_all(b"x").unwrap();
        wait_for(&mut poller, |it| it.token == token && it.readable);
        take_all(&mut poller, token);
    }
}

#[cfg(unix)]
#[test]
fn what_cannot_be_watched_comes_back() {
    let mut poller = Poller::new().unwrap();
    let file = File::open("/dev/null").unwrap();
    let refused = poller.insert(file, |file| Some(file.as_fd().into()));
    let refused = refused.map_err(|(_, error)| error.kind());
    assert_eq!(refused, Err(io::ErrorKind::PermissionDenied));
    assert_eq!(poller.all().count(), 0);
}
