//! Work that one thread does for many connections. A panic in it is a bug of wshub: it ends the connection over which
//! it happened, and the others still have their turn.

use std::cell::Cell;
use std::sync::Arc;

use super::Outbox;
use crate::panics;

/// Does `work` for each of them.
pub(crate) fn for_each<'a>(
    outboxes: impl IntoIterator<Item = &'a Arc<Outbox>>,
    mut work: impl FnMut(&'a Arc<Outbox>),
) {
    let mut outboxes = outboxes.into_iter();
    let at = Cell::new(None);
    // One guard around all of them until the first panic: a guard around each would slow every broadcast down.
    let mut rest = || {
        for outbox in &mut outboxes {
            at.set(Some(outbox));
            work(outbox);
        }
    };
    while panics::catch(&mut rest).is_err() {
        match at.take() {
            Some(outbox) => outbox.break_off(),
            // The iterator itself panicked.
            None => return,
        }
    }
}
