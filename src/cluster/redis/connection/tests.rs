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

fn playing(
    longest: usize,
    reads: impl IntoIterator<Item = io::Result<Vec<u8>>>,
) -> RedisConnection {
    let addr = ConnectionAddr::Tcp("played".to_owned(), 0);
    RedisConnection::over(addr, Box::new(Played(reads.into_iter().collect())), longest)
}

#[test]
fn each_answer_has_so_many_bytes_at_most() {
    let mut connection = playing(5, [Ok(b"+ab\r\n+cd\r\n+efg\r\n".to_vec())]);
    connection.stream.begin(Duration::from_secs(60));
    for text in ["ab", "cd"] {
        let answer = connection.answer().unwrap();
        assert_eq!(answer, Value::SimpleString(text.to_owned()));
    }
    let refused = connection.answer().unwrap_err();
    assert!(refused.detail().unwrap().contains("more than 5 bytes"));
}

#[test]
fn the_time_of_a_process_that_stood_still_does_not_count() {
    let interrupted = Err(io::ErrorKind::Interrupted.into());
    let mut connection = playing(100, [interrupted, Ok(b"+ab\r\n".to_vec())]);
    connection.stream.begin(Duration::from_millis(20));
    assert!(connection.answer().is_ok());
}

#[test]
fn what_comes_too_late_and_what_is_not_taken_are_errors() {
    let mut connection = playing(100, [Ok(b"+a".to_vec())]);
    let short = Duration::from_millis(20);
    assert!(
        connection
            .send(b"PING\r\n", short)
            .unwrap_err()
            .is_timeout()
    );
    connection.stream.begin(short);
    assert!(connection.answer().unwrap_err().is_timeout());
}

#[test]
fn what_comes_unasked_may_come_in_several_waits() {
    let nothing = || Err(io::ErrorKind::WouldBlock.into());
    let mut connection = playing(100, [Ok(b"+a".to_vec()), nothing(), Ok(b"b\r\n".to_vec())]);
    let wait = Duration::from_millis(20);
    assert_eq!(connection.unasked(wait).unwrap(), None);
    let whole = Value::SimpleString("ab".to_owned());
    assert_eq!(connection.unasked(wait).unwrap(), Some(whole));
}
