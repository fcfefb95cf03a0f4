//! The thread of a node that receives: one attachment to the backplane after the other.

use super::Incoming;
use super::backplane::{BackplaneError, Subscriber};
use super::relay::Relay;
use super::threads::{ListenEnd, Running};
use crate::panics;

pub(crate) fn listen(running: &Running<Relay>, mut subscriber: Box<dyn Subscriber>) {
    let mut incoming = Incoming::new(running.user());
    running.listen(|| attend(&mut *subscriber, &mut incoming));
    incoming.end();
}

/// From one attachment to its end.
fn attend(subscriber: &mut dyn Subscriber, incoming: &mut Incoming<'_>) -> ListenEnd {
    let ended = panics::catch(|| subscriber.receive(incoming))
        .unwrap_or_else(|_| Err(BackplaneError::new("Subscriber::receive panicked")));
    ListenEnd {
        was_attached: incoming.detached(),
        reason: match ended {
            Ok(()) => {
                "nothing comes back of what this node publishes: is it another Redis that it reads from?"
                    .to_owned()
            }
            Err(error) => error.to_string(),
        },
    }
}
