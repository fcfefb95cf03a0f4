//! How a stream that the system cannot watch says that it has room.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::Bell;

/// Tells a server that a [`Transport`](crate::Transport) without a source has room again. Cheap to clone.
///
/// The guide: [design](crate::guide::design).
#[derive(Clone)]
pub struct Waker(Arc<WakerInner>);

struct WakerInner {
    bell: Arc<Bell>,
    woken: AtomicBool,
}

impl Waker {
    pub(super) fn new(bell: Arc<Bell>) -> Self {
        Waker(Arc::new(WakerInner {
            bell,
            woken: AtomicBool::new(false),
        }))
    }

    /// Has the server try again to write; never blocks.
    pub fn wake(&self) {
        self.0.woken.store(true, SeqCst);
        self.0.bell.ring();
    }

    /// Whether it was woken since the last look.
    pub(crate) fn is_woken(&self) -> bool {
        self.0.woken.load(SeqCst)
    }

    pub(crate) fn take_woken(&self) -> bool {
        self.0.woken.load(SeqCst) && self.0.woken.swap(false, SeqCst)
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waker").field(&self.is_woken()).finish()
    }
}
