//! How a stream that the system cannot watch says that it has room.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::Bell;

/// Tells a server that a [`Transport`](crate::Transport) without a source has room again. Cheap to clone.
///
/// ```
/// use std::sync::Mutex;
/// use wshub::Waker;
///
/// /// What a stream of yours keeps of `Transport::wake_when_writable`.
/// #[derive(Default)]
/// struct Room(Mutex<Option<Waker>>);
///
/// impl Room {
///     fn wake_when_writable(&self, waker: &Waker) {
///         *self.0.lock().unwrap() = Some(waker.clone());
///     }
///
///     /// Called when the other side has taken bytes.
///     fn has_come(&self) {
///         let waker = self.0.lock().unwrap().take();
///         if let Some(waker) = waker {
///             waker.wake();
///         }
///     }
/// }
/// ```
///
/// The guide: [design](crate::guide::design).
#[derive(Clone)]
pub struct Waker(Arc<WakerInner>);

struct WakerInner {
    bell: Arc<Bell>,
    woken: AtomicBool,
}

impl Waker {
    pub(crate) fn new(bell: Arc<Bell>) -> Self {
        Waker(Arc::new(WakerInner {
            bell,
            woken: AtomicBool::new(false),
        }))
    }

    /// Tells the server to try to write again; never blocks.
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
