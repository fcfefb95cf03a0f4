use std::collections::VecDeque;
#[cfg(target_os = "linux")]
use std::os::unix::net::UnixListener;
#[cfg(target_os = "linux")]
use std::sync::mpsc;
use std::thread;

#[cfg(target_os = "linux")]
use redis::IntoConnectionInfo;

use super::*;

/// Where a timeout is expected.
const SHORT: Duration = Duration::from_millis(20);
/// Where none is.
const LONG: Duration = Duration::from_secs(10);

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
    RedisConnection::over(addr, played(reads), 1000)
}

fn played(reads: impl IntoIterator<Item = io::Result<Vec<u8>>>) -> Box<Played> {
    Box::new(Played(reads.into_iter().collect()))
}

#[test]
fn the_time_of_a_process_that_stood_still_does_not_count() {
    let interrupted = Err(io::ErrorKind::Interrupted.into());
    let mut connection = playing([interrupted, Ok(b"+ab\r\n".to_vec())]);
    // All of it passes.
    connection.stream.get_mut().begin(Duration::from_secs(1));
    assert!(connection.answer().is_ok());
}

#[test]
fn what_comes_too_late_and_what_is_not_taken_are_errors() {
    let mut connection = playing([Ok(b"+a".to_vec())]);
    assert!(
        connection
            .send(b"PING\r\n", SHORT)
            .unwrap_err()
            .is_timeout()
    );
    connection.stream.get_mut().begin(SHORT);
    assert!(connection.answer().unwrap_err().is_timeout());
}

#[test]
fn what_comes_unasked_is_waited_for_again_until_it_begins() {
    let mut connection = playing([]);
    assert_eq!(connection.unasked(SHORT, LONG).unwrap(), None);
    let reads = [Ok(b"+a".to_vec()), Ok(b"b\r\n+c\r\n".to_vec())];
    connection.stream.get_mut().socket = played(reads);
    // In one piece with what is after it.
    for text in ["ab", "c"] {
        let whole = Value::SimpleString(text.to_owned());
        assert_eq!(connection.unasked(LONG, LONG).unwrap(), Some(whole));
    }
    assert_eq!(connection.unasked(SHORT, LONG).unwrap(), None);
}

/// Linux has a connect to a Unix socket wait where the queue of the listener is full.
#[cfg(target_os = "linux")]
#[test]
fn a_unix_socket_that_takes_no_connection_is_given_up() {
    let path = std::env::temp_dir().join(format!("wshub-redis-{}", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = dial::unix(path.as_os_str(), SHORT) {
        queued.push(stream);
    }
    let url = format!("unix://{}", path.display());
    let info = url.as_str().into_connection_info().unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let opened = RedisConnection::open(&info, Instant::now() + SHORT);
        tell.send(opened.map(drop))
    });
    let opened = told.recv_timeout(LONG);
    std::fs::remove_file(&path).unwrap();
    assert!(opened.unwrap().unwrap_err().is_timeout());
}
