//! Sentinels that take their time.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::*;

/// What all sentinels have together.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The port of a program that answers one command after the other with these, each after this pause.
fn answering(answers: Vec<String>, pause: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for answer in answers {
            let mut command = [0; 1024];
            // Who asked may have gone.
            let _ = stream.read(&mut command);
            thread::sleep(pause);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

fn primary() -> u16 {
    let role = "*1\r\n$6\r\nmaster\r\n".to_owned();
    answering(vec![role], Duration::ZERO)
}

/// One that wants a password, and names the primary that is at this port.
fn sentinel(primary: u16, pause: Duration) -> String {
    let port = primary.to_string();
    let named = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len());
    let port = answering(vec!["+OK\r\n".to_owned(), named], pause);
    format!("redis://:secret@127.0.0.1:{port}/")
}

#[test]
fn a_sentinel_has_one_share_of_the_time_for_all_its_answers() {
    let (first, second) = (primary(), primary());
    // Each answer of the first comes within its share, a second; both together do not.
    let sentinels = [
        sentinel(first, Duration::from_millis(600)),
        sentinel(second, Duration::ZERO),
    ];
    let mut place = RedisPlace::watched("redis://mymaster/", sentinels).unwrap();
    let connection = place.connect(TIMEOUT, 1 << 20).unwrap();
    let at_second = ConnectionAddr::Tcp("127.0.0.1".to_owned(), second);
    assert_eq!(connection.addr, at_second);
}
