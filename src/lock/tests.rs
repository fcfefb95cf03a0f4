//! Whoever takes locks out of order, or holds one too long, is told so.

use super::*;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

#[test]
fn b13_a_poisoned_lock_is_taken_over() {
    let mutex = Mutex::<_, PIPE>::new(1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _guard = lock(&mutex);
        // Without a word on stderr, which a panic would say.
        resume_unwind(Box::new("on purpose"));
    }));
    assert!(panicked.is_err() && mutex.0.is_poisoned());
    *lock(&mutex) += 1;
    assert_eq!(*lock(&mutex), 2);
}

/// A debug build says so; others do not look.
fn assert_complains(complaint: &str, work: impl FnOnce()) {
    let panic = catch_unwind(AssertUnwindSafe(work)).err();
    let said = panic.map(|panic| panic.downcast_ref::<String>().unwrap().clone());
    let expected = cfg!(debug_assertions).then(|| complaint.to_owned());
    assert_eq!(said, expected);
}

#[test]
fn locks_are_taken_in_their_order() {
    let (outer, inner) = (Mutex::<_, OUTBOX>::new(()), Mutex::<_, REGISTRY>::new(()));
    let orderly = || {
        let outer = lock(&outer);
        let inner = lock(&inner);
        // In either order they may be given back.
        drop(outer);
        drop(inner);
    };
    orderly();
    assert_complains(r#"["OUTBOX"] is taken behind ["REGISTRY"]"#, || {
        let _inner = lock(&inner);
        drop(lock(&outer));
    });
    let another = Mutex::<_, OUTBOX>::new(());
    assert_complains(r#"["OUTBOX"] is taken behind ["OUTBOX"]"#, || {
        let _first = lock(&outer);
        drop(lock(&another));
    });
    orderly();
}

#[test]
fn none_is_held_across_a_wait_or_a_users_code() {
    let (outer, inner) = (Mutex::<_, OUTBOX>::new(()), Mutex::<_, REGISTRY>::new(()));
    assert_complains(r#"["OUTBOX"] is held across a wait"#, || {
        let _outer = lock(&outer);
        drop(lock(&inner).wait_timeout(&Condvar::new(), Duration::ZERO));
    });
    drop(lock(&inner).wait_timeout(&Condvar::new(), Duration::ZERO));
    assert_complains(r#"["OUTBOX"] is held where a user's code runs"#, || {
        let _outer = lock(&outer);
        assert_no_lock();
    });
    assert_no_lock();
}
