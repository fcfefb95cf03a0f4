use std::collections::VecDeque;
use std::thread;

use super::*;

/// What each read finds, and that no write finds room.
struct Played(VecDeque<io::Result<Vec<u8>>>);

impl Read for Played {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut bytes = match self.0.pop_front() {
            Some(found) => found?,
            None => return Err(io::ErrorKind::WouldBlock.into()),
        };
        let rest = bytes.split_off(bytes.len().min(into.len()));
        into[..bytes.len()].copy_from_slice(&bytes);
        if !rest.is_empty() {
            self.0.push_front(Ok(rest));
        }
        Ok(bytes.len())
    }
}

impl Write for Played {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl RedisSocket for Played {
    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        // Where nothing is found the whole time passes, and a little more.
        if self.0.front().is_none_or(Result::is_err) {
            thread::sleep(timeout);
        }
        Ok(())
    }
}

fn playing(reads: impl IntoIterator<Item = io::Result<Vec<u8>>>) -> RedisConnection {
    let addr = ConnectionAddr::Tcp("played".to_owned(), 0);
    RedisConnection::over(addr, Box::new(Played(reads.into_iter().collect())), 1000)
}

#[test]
fn the_time_of_a_process_that_stood_still_does_not_count() {
    let interrupted = Err(io::ErrorKind::Interrupted.into());
    let mut connection = playing([interrupted, Ok(b"+ab\r\n".to_vec())]);
    connection.stream.get_mut().begin(Duration::from_millis(20));
    assert!(connection.answer().is_ok());
}

#[test]
fn what_comes_too_late_and_what_is_not_taken_are_errors() {
    let mut connection = playing([Ok(b"+a".to_vec())]);
    let short = Duration::from_millis(20);
    assert!(
        connection
            .send(b"PING\r\n", short)
            .unwrap_err()
            .is_timeout()
    );
    connection.stream.get_mut().begin(short);
    assert!(connection.answer().unwrap_err().is_timeout());
}

#[test]
fn what_comes_unasked_is_waited_for_again_until_it_begins() {
    let nothing = || Err(io::ErrorKind::WouldBlock.into());
    let reads = [nothing(), Ok(b"+a".to_vec()), Ok(b"b\r\n+c\r\n".to_vec())];
    let mut connection = playing(reads);
    let (wait, long) = (Duration::from_millis(20), Duration::from_millis(500));
    assert_eq!(connection.unasked(wait, long).unwrap(), None);
    // In one piece with what is after it.
    for text in ["ab", "c"] {
        let whole = Value::SimpleString(text.to_owned());
        assert_eq!(connection.unasked(wait, long).unwrap(), Some(whole));
    }
    assert_eq!(connection.unasked(wait, long).unwrap(), None);
}
