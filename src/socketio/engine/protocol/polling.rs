//! The GET of a client that polls: it is parked until there is something for it.

use core::time::Duration;

/// How long a GET waits for the application to take what the client sent before, so that the answers to one POST come
/// with one GET. One that is parked already is answered with the first.
pub(crate) const ANSWER_PATIENCE: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct ParkedGet {
    /// It came after messages that the application has not taken, and waits for that.
    waits_for_application: bool,
    /// It came after a WebSocket that is to carry the session, and may have overtaken the packets of that.
    is_hasty: bool,
    /// When it is answered whether there is something or not.
    noop_at: Option<Duration>,
}

#[derive(Debug, Default)]
pub struct Polling {
    parked: Option<ParkedGet>,
    /// Until when what is sent waits for the application to take what the client sent.
    held_until: Option<Duration>,
}

impl Polling {
    /// Parks a GET. `noop_at`: when it is answered though there is nothing for it.
    pub fn park(&mut self, is_hasty: bool, noop_at: Option<Duration>) {
        self.parked = Some(ParkedGet {
            waits_for_application: self.is_held(),
            is_hasty,
            noop_at,
        });
    }

    pub fn is_parked(&self) -> bool {
        self.parked.is_some()
    }

    /// A GET is parked, and waits for nothing but messages.
    pub fn may_answer(&self) -> bool {
        let is_held = |it: &ParkedGet| it.waits_for_application && self.is_held();
        self.parked.as_ref().is_some_and(|it| !is_held(it))
    }

    /// The parked GET gets its answer, or is gone; false if there is none.
    pub fn take_parked(&mut self) -> bool {
        self.parked.take().is_some()
    }

    /// The client sent a message: what is sent waits until the application has taken that, for a while.
    pub fn hold(&mut self, now: Duration) {
        self.held_until.get_or_insert(now + ANSWER_PATIENCE);
    }

    pub fn is_held(&self) -> bool {
        self.held_until.is_some()
    }

    /// Nothing waits for the application any more; true if something did.
    pub fn let_go(&mut self) -> bool {
        self.held_until.take().is_some()
    }

    /// As [`let_go`](Polling::let_go), where the application has been waited for long enough.
    pub fn let_go_by(&mut self, now: Duration) -> bool {
        self.held_until.take_if(|until| *until <= now).is_some()
    }

    /// A WebSocket is probed. One that may have overtaken the packets of that is parked until `noop_at`; true if there
    /// is another one, to be answered now.
    pub fn note_probe(&mut self, noop_at: Duration) -> bool {
        match &mut self.parked {
            Some(hasty) if hasty.is_hasty => {
                hasty.noop_at = Some(noop_at);
                false
            }
            parked => parked.is_some(),
        }
    }

    /// The WebSocket that was probed is gone.
    pub fn forget_probe(&mut self) {
        if let Some(parked) = &mut self.parked {
            parked.noop_at = None;
        }
    }

    /// The parked GET is to be answered, whether there is something or not.
    pub fn is_due(&self, now: Duration) -> bool {
        self.noop_at().is_some_and(|at| at <= now)
    }

    fn noop_at(&self) -> Option<Duration> {
        self.parked.as_ref()?.noop_at
    }

    /// When something is due for the parked GET.
    pub fn deadline(&self) -> Option<Duration> {
        let held = self.held_until.filter(|_| self.is_parked());
        [self.noop_at(), held].into_iter().flatten().min()
    }
}
