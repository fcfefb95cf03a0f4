//! A lock whose holder panicked.

use super::*;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

#[test]
fn b13_a_poisoned_lock_is_taken_over() {
    let mutex = Mutex::new(1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _guard = lock(&mutex);
        // Without a word on stderr, which a panic would say.
        resume_unwind(Box::new("on purpose"));
    }));
    assert!(panicked.is_err() && mutex.is_poisoned());
    *lock(&mutex) += 1;
    assert_eq!(*lock(&mutex), 2);
}
