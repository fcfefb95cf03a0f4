//! What one thread does for many connections. A panic in there is a bug of wshub: it costs the
//! connection over which it happened, and the others have their turn.

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
    // Around as many as it goes well for: a broadcast would pay for a guard around each.
    let mut rest = || {
        for outbox in &mut outboxes {
            at.set(Some(outbox));
            work(outbox);
        }
    };
    while panics::catch(&mut rest).is_err() {
        match at.take() {
            Some(outbox) => outbox.break_off(),
            // The list itself panics.
            None => return,
        }
    }
}
