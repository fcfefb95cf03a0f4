use std::net::TcpListener;
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

#[test]
fn what_comes_unasked_is_waited_for_again_until_it_begins() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let stream = dial::tcp(&[addr], Instant::now() + LONG).unwrap();
    let (mut other, _) = listener.accept().unwrap();
    let addr = ConnectionAddr::Tcp("127.0.0.1".to_owned(), addr.port());
    let mut connection = RedisConnection::over(addr, Box::new(stream), 1000);
    assert_eq!(connection.unasked(SHORT, LONG).unwrap(), None);
    // In one piece with what is after it.
    let writing = thread::spawn(move || {
        other.write_all(b"+a").unwrap();
        thread::yield_now();
        other.write_all(b"b\r\n+c\r\n").unwrap();
        other
    });
    for text in ["ab", "c"] {
        let whole = Value::SimpleString(text.to_owned());
        assert_eq!(connection.unasked(LONG, LONG).unwrap(), Some(whole));
    }
    let _open = writing.join().unwrap();
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
