//! A connection that gives much to do gets a thread of the pool for a while, if others wait for the leader meanwhile:
//! one thread that reads, decrypts and inflates can do no more than one core.
//!
//! Its messages stay in order: first those that the leader has read, then those of the thread, then those that the
//! leader reads again. For that the leader puts its events after all that other threads have put in.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use super::super::connections::deliver::{deliver, finish, read};
use super::super::places::{Place, Places};
use super::mail::Mail;
use super::parked::Parked;
use crate::logging::line_for_later;
use crate::poller::Mailbox;

/// After this silence the leader takes the connection back.
const QUIET: Duration = Duration::from_millis(10);

/// Places of connections that have a thread for that: one for each core, for more threads would wait for each other.
/// None where there is one core, which the leader uses.
pub(crate) fn places() -> Arc<Places> {
    let cores = available_parallelism().map_or(1, usize::from);
    Places::new(if cores > 1 { cores } else { 0 })
}

/// Gives the connection a thread for a while. If there is none it goes back to the leader.
pub(crate) fn hand_over(parked: Box<Parked>, place: Place, mailbox: &Arc<Mailbox<Mail>>) {
    let connections = parked.connections().clone();
    let mut handed_over = HandedOver {
        parked: Some(parked),
        mailbox: mailbox.clone(),
    };
    let serve = move || {
        handed_over.serve_while_busy();
        drop(place);
    };
    // If refused, the closure is dropped, and what is in it goes back.
    let _ = connections.workers.run(serve);
}

/// A connection on its way from the leader to a thread and back. The drop gives it to the leader, also if the thread
/// does not come.
struct HandedOver {
    parked: Option<Box<Parked>>,
    mailbox: Arc<Mailbox<Mail>>,
}

impl HandedOver {
    /// Delivers on this thread what the connection sends, until it ends or sends nothing for a while.
    fn serve_while_busy(&mut self) {
        let Some(parked) = self.parked.take() else {
            return;
        };
        let (open, mut driver) = parked.take_apart();
        match read(&open.connections, &mut driver, Some(QUIET)) {
            Ok(()) => self.parked = Some(Box::new(Parked::new(*driver, open))),
            Err(end) => finish(open, driver, end),
        }
    }
}

impl Drop for HandedOver {
    fn drop(&mut self) {
        if let Some(parked) = self.parked.take() {
            // prevents: a connection that finds no thread is lost
            self.mailbox.arrive(parked);
        }
    }
}

/// Gives a connection that cannot be led a thread of its own.
pub(crate) fn serve_on_thread(parked: Box<Parked>) {
    let (open, driver) = parked.take_apart();
    let connections = open.connections.clone();
    if let Err(refused) = connections.workers.run(move || deliver(open, driver)) {
        connections.log(line_for_later!(
            Warn,
            "a connection ends, for there is no thread: {refused}"
        ));
    }
}
