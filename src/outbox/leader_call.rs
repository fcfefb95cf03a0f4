//! Whether the leader has an Outbox, and when it is called for it.

use std::sync::Condvar;
use std::time::Instant;

/// Which thread sees to what waits in an Outbox.
///
/// While something is kept that nobody writes, or a deadline runs, the leader has the Outbox and knows the nearest
/// deadline, or is called; or a sender that waits writes by itself.
#[derive(Default)]
pub(crate) struct LeaderCall {
    /// The leader has it, or is called.
    pub is_led: bool,
    /// There is a deadline that may be the nearest, and that the leader does not know.
    pub has_news: bool,
    /// A sender that waits writes by itself: nobody is called.
    pub is_attended: bool,
    /// The thread that reads waits for room: it is woken after whatever may have made some, or ended the stream.
    pub reader_waits: bool,
}

impl LeaderCall {
    /// A Close has a deadline, which a sender that waits does not keep.
    pub fn note_close(&mut self) {
        (self.has_news, self.is_attended) = (true, false);
    }

    pub fn wake_reader(&self, changed: &Condvar) {
        // prevents: a reader that waits for room is not woken
        if self.reader_waits {
            changed.notify_all();
        }
    }

    /// Whether the leader is to be called now; then it counts as called. `missed`: others came amid a write.
    pub fn calls(&mut self, waits: bool, missed: bool) -> bool {
        let is_news = waits && (self.has_news || !self.is_led);
        let calls = !self.is_attended && (is_news || missed);
        if calls {
            (self.is_led, self.has_news) = (true, false);
        }
        calls
    }

    /// The leader lets go of it; true if it had it.
    pub fn release(&mut self) -> bool {
        std::mem::take(&mut self.is_led)
    }
}

/// What there is to wait for.
pub(crate) struct Pending {
    /// The stream has no room.
    pub wants_write: bool,
    pub deadline: Option<Instant>,
}
