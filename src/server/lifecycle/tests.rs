//! Who may come in which phase, when the events end, and who waits for whom.

use std::thread;
use std::time::Duration;

use super::*;
use crate::connection::credit::Budget;
use crate::limits::Limits;
use crate::poller::Poller;
use crate::tests::wait_until;

fn lifecycle() -> Arc<Lifecycle> {
    let budget = Budget::new(&Limits::default(), drop);
    let poller = Poller::<()>::new().unwrap();
    let inbox = Inbox::new(budget, poller.bell().clone(), Arc::default());
    Lifecycle::new(Arc::new(inbox), None)
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn ends(lifecycle: &Lifecycle) -> usize {
    let items = std::iter::from_fn(|| lifecycle.inbox.take());
    items.filter(|it| matches!(it, InboxItem::Stopped)).count()
}

#[test]
fn in_a_shutdown_streams_still_come_and_no_connection_behind_the_cut_nobody() {
    let lifecycle = lifecycle();
    let may_come = || {
        [Participant::Stream, Participant::Connection].map(|who| lifecycle.register(who).is_some())
    };
    assert_eq!(may_come(), [true, true]);
    assert!(lifecycle.enter(Phase::Closing) && !lifecycle.enter(Phase::Closing));
    assert_eq!(may_come(), [true, false]);
    assert!(lifecycle.enter(Phase::Ending));
    assert_eq!(may_come(), [false, false]);
}

#[test]
fn the_events_end_once_and_when_the_last_connection_has_left() {
    let lifecycle = lifecycle();
    let _stream = lifecycle.register(Participant::Stream);
    let connections = [(); 2].map(|()| lifecycle.register(Participant::Connection).unwrap());
    lifecycle.enter(Phase::Closing);
    for connection in connections {
        assert_eq!(ends(&lifecycle), 0);
        drop(connection);
    }
    assert_eq!(ends(&lifecycle), 1);
    drop(lifecycle.register(Participant::Stream));
    assert_eq!(ends(&lifecycle), 0);
}

#[test]
fn without_a_connection_the_events_end_with_the_beginning_of_the_shutdown() {
    let lifecycle = lifecycle();
    drop(lifecycle.register(Participant::Connection));
    assert_eq!(ends(&lifecycle), 0);
    lifecycle.enter(Phase::Closing);
    assert_eq!(ends(&lifecycle), 1);
}

#[test]
fn who_waits_for_the_last_is_woken_by_it() {
    let lifecycle = lifecycle();
    let accepting = lifecycle.register(Participant::AcceptLoop);
    let stream = lifecycle.register(Participant::Stream);
    let waiting = thread::spawn({
        let lifecycle = lifecycle.clone();
        move || {
            lifecycle.wait_for_closing();
            lifecycle.wait_until_cut(later());
            lifecycle.participants().is_empty()
        }
    });
    lifecycle.enter(Phase::Closing);
    drop(accepting);
    drop(stream);
    wait_until("it is woken", || waiting.is_finished());
    assert!(waiting.join().unwrap());
}

#[test]
fn the_cut_ends_the_wait_for_who_does_not_leave() {
    let lifecycle = lifecycle();
    let _stream = lifecycle.register(Participant::Stream);
    let waiting = thread::spawn({
        let lifecycle = lifecycle.clone();
        move || lifecycle.wait_until_cut(later())
    });
    lifecycle.enter(Phase::Closing);
    lifecycle.enter(Phase::Ending);
    waiting.join().unwrap();
    // After it the time runs out.
    lifecycle.wait_until_empty(Instant::now());
}

#[test]
fn a_stream_that_is_parked_is_on_no_thread_wherever_it_is_dropped() {
    let lifecycle = lifecycle();
    let streams = [(); 2].map(|()| lifecycle.register(Participant::Stream));
    let parked = lifecycle.register(Participant::Parked);
    assert_eq!(lifecycle.on_threads(), 1);
    drop(streams);
    assert_eq!(lifecycle.on_threads(), 0);
    drop(parked);
    assert!(lifecycle.participants().is_empty());
}
