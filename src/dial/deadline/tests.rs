use std::collections::VecDeque;
use std::thread;

use super::*;
use crate::lock::{Mutex, PLAYED, lock};
use crate::patience::STANDSTILL;
use crate::transport::inert;

/// Where a timeout is expected.
const SHORT: Duration = Duration::from_millis(20);

/// What each read finds, and that no write finds room.
struct Played(Mutex<VecDeque<io::Result<Vec<u8>>>, PLAYED>);

impl Transport for Played {
    fn read(&self, into: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let mut reads = lock(&self.0);
        match reads.pop_front() {
            Some(Ok(mut bytes)) => {
                let rest = bytes.split_off(bytes.len().min(into.len()));
                into[..bytes.len()].copy_from_slice(&bytes);
                if !rest.is_empty() {
                    reads.push_front(Ok(rest));
                }
                Ok(bytes.len())
            }
            // As where the process was stopped meanwhile.
            Some(failed) => {
                thread::sleep(left(deadline.unwrap() + 2 * STANDSTILL));
                failed.map(|_| 0)
            }
            None => {
                thread::sleep(left(deadline.unwrap()));
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    fn try_write(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        thread::sleep(left(deadline));
        Err(io::ErrorKind::TimedOut.into())
    }

    inert!(wake_when_writable, shutdown, peer_addr);
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn playing(
    reads: impl IntoIterator<Item = io::Result<Vec<u8>>>,
) -> DeadlineStream<Box<dyn Transport>> {
    let reads = Mutex::new(reads.into_iter().collect());
    let played: Box<dyn Transport> = Box::new(Played(reads));
    let mut stream = DeadlineStream::until(played, Instant::now());
    stream.begin(SHORT);
    stream
}

#[test]
fn the_time_of_a_process_that_stood_still_does_not_count() {
    let interrupted = Err(io::ErrorKind::Interrupted.into());
    let mut stream = playing([interrupted, Ok(b"ab".to_vec())]);
    assert_eq!(stream.read(&mut [0; 8]).unwrap(), 2);
}

#[test]
fn what_comes_too_late_and_what_is_not_taken_are_errors() {
    let mut stream = playing([Ok(b"a".to_vec())]);
    let late = stream.read_exact(&mut [0; 2]).unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    let mut stream = playing([]);
    let refused = stream.write_all(b"a").unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn what_comes_fast_enough_may_take_longer() {
    let part = vec![0; WORTH_A_ROUND as usize];
    let mut stream = playing((0..4).map(|_| Ok(part.clone())));
    let begun = stream.patience.deadline();
    stream.read_exact(&mut vec![0; 4 * part.len()]).unwrap();
    assert!(stream.patience.deadline() > begun);
    // And no longer than from now on.
    assert!(stream.patience.deadline() <= Instant::now() + SHORT);
}
