//! The acknowledgement that a client asked for: given once, at once or later.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use super::arguments::{Written, write_ack};
use super::core::Core;
use super::gate::Reliability;
use super::namespace_client::NamespaceClient;
use super::packet::PacketKind;
use super::reply::Refused;
use crate::logging::log_line;

/// Acknowledges an event later: from another thread, or from a later event. Clients that emit with a callback, or with
/// `emitWithAck`, wait for it.
///
/// A listener gets it as its last argument, as in JavaScript. Then the value that the listener returns is ignored. If
/// it is dropped, the client gets no answer, and runs into its timeout.
///
/// ```
/// use std::thread;
/// use wshub::socketio::{Ack, SocketIo};
///
/// let mut io = SocketIo::new(());
/// io.on("/", "factor", |_, _, (number, ack): (u64, Ack)| {
///     thread::spawn(move || {
///         let divisor = (2..number).find(|it| number % it == 0);
///         ack.send(divisor);
///     });
/// });
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
pub struct Ack(Option<Arc<Question>>);

/// An event that wants an answer.
pub(crate) struct Question {
    pub core: Arc<Core>,
    pub member: Arc<NamespaceClient>,
    pub id: u64,
    pub is_answered: AtomicBool,
}

thread_local! {
    /// What the arguments that are read at the moment belong to.
    static ASKED: RefCell<Option<Arc<Question>>> = const { RefCell::new(None) };
    /// One of those arguments is an `Ack`.
    static IS_TAKEN: Cell<bool> = const { Cell::new(false) };
}

/// What `read` reads while an [`Ack`] among it answers this question, and whether there was one.
pub(crate) fn with<T>(question: Option<Arc<Question>>, read: impl FnOnce() -> T) -> (T, bool) {
    /// Leaves nothing over, also after a panic of a user's type.
    struct Asking;
    impl Drop for Asking {
        fn drop(&mut self) {
            ASKED.take();
            IS_TAKEN.set(false);
        }
    }
    ASKED.set(question);
    let _asking = Asking;
    (read(), IS_TAKEN.get())
}

impl Question {
    /// Sends an answer, if none was sent before.
    pub fn answer(&self, written: Written) -> bool {
        if self.is_answered.swap(true, SeqCst) || !self.member.is_in() {
            return false;
        }
        let packet = written.into_packet(PacketKind::Ack, &self.member.namespace, Some(self.id));
        let sessions = &self.core.sessions;
        self.member.send(&packet, Reliability::Reliable, sessions);
        true
    }
}

impl Ack {
    pub(crate) fn new(question: Option<Arc<Question>>) -> Self {
        Ack(question)
    }

    /// True while the client waits for an answer: it asked for one, is still connected, and has not got one.
    pub fn is_wanted(&self) -> bool {
        let waits = |it: &Arc<Question>| it.member.is_in() && !it.is_answered.load(SeqCst);
        self.0.as_ref().is_some_and(waits)
    }

    /// Answers, with arguments as for [`Emitter::emit`](super::Emitter::emit). Never blocks. False if nothing was sent:
    /// the client did not ask for an answer, has left, or has got one already; or the arguments cannot be JSON, then
    /// the log (error) says so.
    pub fn send(self, arguments: impl Serialize) -> bool {
        match (self.0, write_ack(&arguments)) {
            (Some(question), Ok(written)) => question.answer(written),
            (None, Ok(_)) => false,
            (_, Err(error)) => {
                log_line!(Error, "not sent: the answer is no JSON: {error}");
                false
            }
        }
    }

    /// Answers with `{"error": message, "data": …}`, as a listener that returns an `Err` does. False as for
    /// [`send`](Ack::send).
    pub fn refuse(self, refused: &Refused) -> bool {
        self.0.is_some_and(|it| it.answer(refused.to_answer()))
    }
}

impl<'de> Deserialize<'de> for Ack {
    /// Reads away what stands in its place, mostly nothing.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer)?;
        IS_TAKEN.set(true);
        Ok(Ack(ASKED.with_borrow(Clone::clone)))
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ack")
            .field("is_wanted", &self.is_wanted())
            .finish()
    }
}
