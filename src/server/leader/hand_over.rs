//! A connection that gives much to do gets a thread of the pool for a while, if others wait for the leader meanwhile:
//! one thread that reads, decrypts and inflates can do no more than one core.
//!
//! Its messages stay in order: first those that the leader has read, then those of the thread, then those that the
//! leader reads again. For that the leader puts its events after all that other threads have put in.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use super::super::connections::deliver::deliver_while_busy;
use super::super::places::{Place, Places};
use super::parked::Parked;

/// Bytes that make a read a long one. Less is read faster than a thread is woken.
pub(crate) const LONG: usize = 16 << 10;
/// After this many long reads in a row the next ones are taken to be long, too.
pub(crate) const LONG_READS: u8 = 4;
/// After this silence the leader takes the connection back.
pub(crate) const QUIET: Duration = Duration::from_millis(10);

/// Places of connections that have a thread for that: one for each core, for more threads would wait for each other.
/// None where there is one core, which the leader uses.
pub(crate) fn places() -> Arc<Places> {
    let cores = available_parallelism().map_or(1, usize::from);
    Places::new(if cores > 1 { cores } else { 0 })
}

/// Gives the connection a thread. If there is none it goes back to the leader.
pub(crate) fn hand_over(parked: Box<Parked>, place: Place) {
    let server = parked.server().clone();
    let mut on_its_way = HandOverGuard(Some(parked));
    let serve = move || {
        if let Some(parked) = on_its_way.0.take() {
            let (open, driver) = parked.take_apart();
            deliver_while_busy(open, driver);
        }
        drop(place);
    };
    // If refused, the closure is dropped, and the guard in it gives the connection back.
    let _ = server.run(serve);
}

/// A connection on its way from the leader to a thread. If the thread does not come, the drop gives it back.
struct HandOverGuard(Option<Box<Parked>>);

impl Drop for HandOverGuard {
    fn drop(&mut self) {
        if let Some(parked) = self.0.take() {
            let server = parked.server().clone();
            // prevents: a connection that finds no thread is lost
            server.lead().arrive(parked);
        }
    }
}
