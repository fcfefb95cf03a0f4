//! Threads that leave: with destructors that take their time, refused by the system, or while all are waited for.

use super::*;
use crate::tests::{PATIENCE, wait_until};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(50);

fn soon(time: Duration) -> Instant {
    Instant::now() + time
}

fn name(id: u64) -> String {
    format!("threads-{id}")
}

/// Tells when it is dropped, and waits for leave to go on.
struct Slow {
    dropping: Sender<()>,
    released: Receiver<()>,
}

impl Drop for Slow {
    fn drop(&mut self) {
        let _ = self.dropping.send(());
        let _ = self.released.recv();
    }
}

thread_local! {
    static SLOW: RefCell<Option<Slow>> = const { RefCell::new(None) };
}

/// Starts a thread that leaves at once, but for its thread-local.
fn start_slow(threads: &Arc<ServerThreads>) -> (Receiver<()>, Sender<()>) {
    let ((dropping, drops), (release, released)) = (channel(), channel());
    let work = move || {
        SLOW.set(Some(Slow { dropping, released }));
    };
    assert!(threads.start(name, work).is_ok());
    (drops, release)
}

#[test]
fn m03_a_thread_counts_until_its_thread_locals_are_gone() {
    let threads = ServerThreads::new(1, 128 << 10);
    let (drops, release) = start_slow(&threads);
    drops.recv_timeout(PATIENCE).unwrap();
    assert_eq!(threads.count(), 1);
    assert!(matches!(threads.start(name, || {}), Err(NotStarted::Full)));
    drop(release);
    wait_until("it is gone", || threads.count() == 0);
    let (ran, runs) = channel();
    assert!(threads.start(name, move || ran.send(()).unwrap()).is_ok());
    runs.recv_timeout(PATIENCE).unwrap();
    assert_eq!(threads.wait(|| 0, soon(PATIENCE)), 0);
}

#[test]
fn m03_who_waits_for_all_waits_no_longer_than_to_the_deadline() {
    let threads = ServerThreads::new(2, 128 << 10);
    let (drops, release) = start_slow(&threads);
    drops.recv_timeout(PATIENCE).unwrap();
    assert_eq!(threads.wait(|| 0, soon(SHORT)), 1);
    assert!(matches!(
        threads.start(name, || {}),
        Err(NotStarted::Stopping)
    ));
    drop(release);
    assert_eq!(threads.wait(|| 0, soon(PATIENCE)), 0);
    assert_eq!(Arc::strong_count(&threads), 1, "a thread holds it");
}

#[test]
fn a_thread_that_panics_leaves_as_any() {
    let threads = ServerThreads::new(1, 128 << 10);
    // Without a word on stderr, which a panic would say.
    let work = || std::panic::resume_unwind(Box::new("on purpose"));
    assert!(threads.start(name, work).is_ok());
    assert_eq!(threads.wait(|| 0, soon(PATIENCE)), 0);
}

#[test]
fn a_thread_that_waits_for_all_does_not_wait_for_itself() {
    let threads = ServerThreads::new(1, 128 << 10);
    let (tell, told) = std::sync::mpsc::channel();
    let own = threads.clone();
    let work = move || tell.send(own.wait(|| 0, soon(10 * PATIENCE))).unwrap();
    assert!(threads.start(name, work).is_ok());
    assert_eq!(told.recv_timeout(PATIENCE), Ok(0));
    assert_eq!(threads.wait(|| 0, soon(PATIENCE)), 0);
}

#[test]
fn a_thread_that_the_system_refuses_does_not_count() {
    let threads = ServerThreads::new(1, (u64::MAX >> 17) as usize - (1 << 20));
    for _ in 0..2 {
        assert!(matches!(
            threads.start(name, || {}),
            Err(NotStarted::Spawn(_))
        ));
    }
    assert_eq!(threads.count(), 0);
}
