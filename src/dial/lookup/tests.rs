//! Names that are found, that are not, and resolvers that hang.

use super::*;
use crate::lock::{Mutex, PLAYED, lock};
use std::sync::Condvar;
use std::thread;
use std::time::Duration;

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

fn soon(time: Duration) -> Instant {
    Instant::now() + time
}

fn found(_: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(vec![([127, 0, 0, 1], port).into()])
}

#[test]
fn an_address_asks_nobody() {
    let past = Instant::now();
    let found = addresses("::1", 80, past).unwrap();
    assert_eq!(found, ["[::1]:80".parse().unwrap()]);
    let found = addresses("127.0.0.1", 81, past).unwrap();
    assert_eq!(found, ["127.0.0.1:81".parse().unwrap()]);
}

#[test]
fn a_name_is_looked_up() {
    let found = addresses("localhost", 82, soon(PATIENCE)).unwrap();
    assert!(
        found.iter().all(|addr| addr.ip().is_loopback()),
        "{found:?}"
    );
}

#[test]
fn what_the_resolver_says_is_said() {
    static LOOKUPS: Lookups = Lookups::new();
    let ask = |resolver: Resolver| look_up(&LOOKUPS, resolver, "h", 1, soon(PATIENCE));
    let error = ask(|_, _| Err(io::Error::other("no such name"))).unwrap_err();
    assert_eq!(error.to_string(), "no such name");
    assert_eq!(
        ask(|_, _| Ok(vec![])).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
    // Without a word on stderr, which a panic would say.
    let error = ask(|_, _| std::panic::resume_unwind(Box::new("on purpose"))).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Other);
}

#[test]
fn resolvers_that_hang_are_left_behind_and_bounded() {
    static LOOKUPS: Lookups = Lookups::new();
    static RELEASED: Mutex<bool, PLAYED> = Mutex::new(false);
    static RELEASE: Condvar = Condvar::new();
    fn hang(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut released = lock(&RELEASED);
        while !*released {
            released = released.wait(&RELEASE);
        }
        drop(released);
        found(host, port)
    }

    let ask = |resolver, time| look_up(&LOOKUPS, resolver, "h", 1, soon(time));
    for _ in 0..MAX_LOOKUPS {
        let error = ask(hang, SHORT).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
    assert_eq!(LOOKUPS.0.0.len(), MAX_LOOKUPS);
    // No thread is started for one more, though its resolver would answer.
    let error = ask(found, SHORT).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(LOOKUPS.0.0.len(), MAX_LOOKUPS);

    // One that has time waits for its turn.
    let waiting = thread::spawn(move || look_up(&LOOKUPS, found, "h", 7, soon(PATIENCE)));
    *lock(&RELEASED) = true;
    RELEASE.notify_all();
    assert_eq!(waiting.join().unwrap().unwrap(), found("h", 7).unwrap());
    // Every turn is given back.
    let turns = (0..MAX_LOOKUPS).map(|_| LOOKUPS.wait_for_turn(soon(PATIENCE)));
    assert!(turns.collect::<Vec<_>>().iter().all(Option::is_some));
}
