//! A panic of the thread that watches loses nothing of what others have told it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::*;
use crate::http::Peer;
use crate::poller::Ready;
use crate::server::http::connection::HttpConnection;
use crate::server::http::keeper::Awaited;
use crate::server::lifecycle::Participant;
use crate::tests::{PATIENCE, wait_until};
use crate::transport::TcpTransport;
use crate::{Response, Server};

fn watch(hub: &Arc<Hub>) -> (Arc<Keeper>, KeeperThread) {
    let poller = Poller::new().unwrap();
    let keeper = Keeper::new(poller.bell().clone());
    (
        keeper.clone(),
        KeeperThread::new(hub.clone(), keeper, poller),
    )
}

fn server() -> Server {
    let hook = |_: &crate::HookRequest<'_>| Response::text("now");
    Server::builder().http(hook).without_listener().unwrap()
}

/// Runs the thread as it is started anew after a panic. Tells when it has ended.
fn run_again(mut watch: KeeperThread) -> Receiver<()> {
    let (tell, told) = channel();
    thread::spawn(move || {
        watch.run();
        tell.send(()).unwrap();
    });
    told
}

#[test]
fn a_stop_that_was_taken_before_a_panic_is_not_lost() {
    let (keeper, watch) = watch(&server().hub);
    keeper.stop();
    keeper.mailbox.open(|_| ());
    let ended = run_again(watch);
    assert_eq!(ended.recv_timeout(PATIENCE), Ok(()));
}

#[test]
fn a_request_that_was_found_before_a_panic_is_answered() {
    let server = server();
    let hub = &server.hub;
    let (keeper, mut watch) = watch(hub);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    theirs.set_read_timeout(Some(PATIENCE)).unwrap();
    let ours = Arc::new(TcpTransport::new(listener.accept().unwrap().0).unwrap());
    let connection = HttpConnection::new(ours, Peer::Unknown, hub.attached.clone());
    let stream = hub.lifecycle.register(Participant::Stream).unwrap();
    let late = keeper.put(Resting {
        connection,
        awaited: Awaited::FirstRequest,
        stream,
    });
    assert!(late.is_none());
    assert!(watch.take_mail());
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    theirs.write_all(request).unwrap();
    let mut found = Vec::new();
    wait_until("the request comes", || {
        let end = Some(Instant::now() + PATIENCE);
        watch.connections.poller.wait(end, &mut found, || true);
        found.iter().any(|ready: &Ready| ready.readable)
    });
    let ended = run_again(watch);
    let mut answer = String::new();
    theirs.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("now"), "{answer}");
    keeper.stop();
    assert_eq!(ended.recv_timeout(PATIENCE), Ok(()));
}
