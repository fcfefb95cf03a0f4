//! What a queue has to know of its connection.

use std::sync::atomic::Ordering;

use crate::stats::Counters;
use crate::transport::Transport;

/// Where the frames of a connection go, and who counts them.
pub(crate) trait Wire {
    fn transport(&self) -> &dyn Transport;

    fn counters(&self) -> &Counters;

    /// Its messages are sent by a handler, which waits for them.
    fn is_of_handler(&self) -> bool;

    fn count_dropped(&self, messages: u64) {
        let dropped = &self.counters().dropped;
        dropped.fetch_add(messages, Ordering::Relaxed);
    }
}
