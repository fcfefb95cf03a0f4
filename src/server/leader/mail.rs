//! What other threads leave for the leader.

use super::parked::Parked;
use crate::poller::{Mailbox, Token};

#[derive(Default)]
pub(crate) struct Mail {
    /// Connections after their opening handshake. Boxed on their threads, so that the leader has less to do.
    #[allow(clippy::vec_box)]
    pub arrived: Vec<Box<Parked>>,
    /// Connections that waited for the application, and may go on.
    pub resumed: Vec<Token>,
    /// No thread leads any more: a connection that arrives is ended.
    pub stopped: bool,
}

impl Mailbox<Mail> {
    /// Hands a connection over. After the stop no thread leads any more, and it ends here.
    pub fn arrive(&self, parked: Box<Parked>) {
        let late = self.put(|mail| {
            if mail.stopped {
                return Some(parked);
            }
            mail.arrived.push(parked);
            None
        });
        drop(late);
    }
}
