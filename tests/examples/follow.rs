//! The example of a client that stays connected, against a server that wants another token each time.

use std::fs;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use rustix::process::Signal;
use wshub::{Accept, Event, Reject, Server};

use crate::support::example::{Process, command};
use crate::support::{PATIENCE, wait_until};

#[test]
fn follow_comes_back_with_the_token_of_the_day() {
    let day = Arc::new(AtomicU32::new(1));
    let today = day.clone();
    let server = Server::builder().accept(move |request| {
        let wanted = format!("Bearer token-{}", today.load(SeqCst));
        match request.header("authorization") == Some(&wanted) {
            true => Ok(Accept::new()),
            false => Err(Reject::unauthorized()),
        }
    });
    let server = server.bind("127.0.0.1:0").unwrap();
    let folder = std::env::temp_dir().join(format!("wshub-follow-{}", std::process::id()));
    fs::write(&folder, "token-1\n").unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    let mut follow = command("follow");
    let mut follow = Process::start(follow.arg(url).arg(&folder).stdin(Stdio::null()));
    let mut events = server.events();
    for n in 1..=3 {
        let Ok(Event::Open(connection)) = events.recv_timeout(PATIENCE) else {
            panic!("no Open")
        };
        connection.send(format!("day {n}")).unwrap();
        wait_until("it prints that", || {
            follow.stdout().contains(&format!("day {n}"))
        });
        day.store(n + 1, SeqCst);
        fs::write(&folder, format!("token-{}\n", n + 1)).unwrap();
        match n {
            3 => follow.signal(Signal::TERM),
            _ => connection.close(1001, "come back").unwrap(),
        }
        while !matches!(events.recv_timeout(PATIENCE).unwrap(), Event::Close(..)) {}
    }
    assert!(follow.wait().success(), "{:?}", follow.stderr());

    // The token is an old one: no try is better than this.
    fs::write(&folder, "token-0").unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    let mut follow = command("follow");
    let mut follow = Process::start(follow.arg(url).arg(&folder).stdin(Stdio::null()));
    assert_eq!(follow.wait().code(), Some(1));
    let said = follow.stderr().concat();
    assert!(
        said.starts_with("the server answered 401 Unauthorized"),
        "{said}"
    );
    fs::remove_file(&folder).unwrap();
}

#[test]
fn follow_ends_at_a_url_that_is_none() {
    let mut follow = command("follow");
    let mut follow = Process::start(follow.arg("localhost:9001").stdin(Stdio::null()));
    assert_eq!(follow.wait().code(), Some(1));
}
