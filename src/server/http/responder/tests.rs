//! Who has the answer, and who waits for it, in every order.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

fn promise(response: &Response) -> Promise {
    response.pending::<Promise>().expect("a promise").clone()
}

fn counting(count: &Arc<AtomicUsize>) -> Notify {
    let count = count.clone();
    Box::new(move || {
        count.fetch_add(1, SeqCst);
    })
}

fn status(answer: Option<LateAnswer>) -> Option<u16> {
    match answer? {
        LateAnswer::Response(response) => Some(response.status()),
        LateAnswer::Dropped => Some(0),
    }
}

#[test]
fn an_answer_is_handed_over_once_whoever_comes_first() {
    let notified = Arc::default();
    let (response, responder) = Response::later();
    let waiting = promise(&response);
    assert!(waiting.slot().wait(counting(&notified)).is_none());
    assert!(waiting.slot().take().is_none());
    responder.send(Response::not_found()).unwrap();
    assert_eq!(notified.load(SeqCst), 1);
    assert_eq!(status(waiting.slot().take()), Some(404));
    assert!(waiting.slot().take().is_none());

    let (response, responder) = Response::later();
    responder.send(Response::not_found()).unwrap();
    let answer = promise(&response).slot().wait(counting(&notified));
    assert_eq!((status(answer), notified.load(SeqCst)), (Some(404), 1));
}

#[test]
fn a_promise_is_kept_for_one_request_alone() {
    let notified = Arc::default();
    let (response, responder) = Response::later();
    let again = promise(&response.clone());
    assert!(
        promise(&response)
            .slot()
            .wait(counting(&notified))
            .is_none()
    );
    assert_eq!(status(again.slot().wait(counting(&notified))), Some(0));
    responder.send(Response::ok()).unwrap();
    assert_eq!(status(again.slot().take()), Some(200));
}

#[test]
fn nobody_waits_for_a_promise_that_is_gone() {
    let (response, responder) = Response::later();
    let again = response.clone();
    drop(response);
    assert!(!responder.is_gone(), "a clone is left");
    drop(again);
    assert!(responder.is_gone());
    assert_eq!(
        responder.send(Response::not_found()).unwrap_err().status(),
        404
    );
}

#[test]
fn a_deadline_and_an_answer_that_meet() {
    let notified = Arc::default();
    let (response, responder) = Response::later();
    let waiting = promise(&response);
    assert!(waiting.slot().wait(counting(&notified)).is_none());
    responder.send(Response::ok()).unwrap();
    assert_eq!(
        status(waiting.slot().give_up()),
        Some(200),
        "it was in time"
    );
    let (response, responder) = Response::later();
    let waiting = promise(&response);
    assert!(waiting.slot().wait(counting(&notified)).is_none());
    assert!(waiting.slot().give_up().is_none());
    assert!(responder.send(Response::ok()).is_err());
}

#[test]
fn an_answer_calls_nobody_back() {
    let called = Arc::new(AtomicUsize::new(0));
    let (response, responder) = Response::later();
    let count = called.clone();
    responder.on_gone(move || _ = count.fetch_add(1, SeqCst));
    let waiting = promise(&response);
    responder.send(Response::ok()).unwrap();
    assert!(waiting.slot().note_gone().is_none());
    assert_eq!(called.load(SeqCst), 0);
}
