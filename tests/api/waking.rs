//! Threads of the application's own wake the one that takes events.

use std::sync::mpsc;
use std::thread;

use crate::support::{Client, PATIENCE};
use wshub::{Event, Listeners, RecvError, Server};

#[test]
fn who_waits_for_events_is_woken_from_another_thread() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let handle = server.handle();
    let (sender, receiver) = mpsc::channel();
    let mut events = server.events();
    let other = thread::spawn(move || {
        sender.send("look").unwrap();
        handle.wake();
    });
    assert_eq!(events.recv_timeout(PATIENCE).unwrap_err(), RecvError::Woken);
    assert_eq!(receiver.try_recv(), Ok("look"));
    other.join().unwrap();
}

#[test]
fn many_calls_are_one_until_it_has_come_and_the_next_is_another() {
    let server = Server::builder().without_listener().unwrap();
    let handle = server.handle();
    let mut events = server.events();
    (0..1_000).for_each(|_| handle.wake());
    assert_eq!(events.try_recv().unwrap_err(), RecvError::Woken);
    assert_eq!(events.try_recv().unwrap_err(), RecvError::Empty);
    handle.wake();
    assert_eq!(events.try_recv().unwrap_err(), RecvError::Woken);
}

#[test]
fn an_iteration_goes_on_where_somebody_wakes_it() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let client = Client::connect(server.local_addr().unwrap());
    server.handle().wake();
    let mut events = server.events();
    assert!(matches!(events.next(), Some(Event::Open(_))));
    server.handle().wake();
    drop(client);
    assert!(matches!(events.next(), Some(Event::Close(..))));
    server.handle().wake();
    server.handle().shutdown();
    assert!(events.next().is_none());
}

#[test]
fn run_calls_the_handler() {
    let server = Server::builder().without_listener().unwrap();
    let handle = server.handle();
    handle.wake();
    let mut listeners = Listeners::new(0).on_wake(|woken| {
        *woken += 1;
        handle.shutdown();
    });
    server.run(&mut listeners).unwrap();
    assert_eq!(listeners.into_state(), 1);
}

#[test]
fn who_is_woken_behind_the_end_finds_the_end() {
    let server = Server::builder().without_listener().unwrap();
    server.shutdown();
    server.handle().wake();
    let mut events = server.events();
    assert_eq!(events.recv().unwrap_err(), RecvError::Ended);
    assert_eq!(events.recv().unwrap_err(), RecvError::Ended);
}
