//! The two threads that a node or a bridge has for its backplane: one publishes, and one listens. Each tries again
//! after an error, and goes on after a panic.

use std::io;
use std::sync::Arc;
use std::thread::Builder;

use super::backplane::{BackplaneError, Publisher};
use super::news::BackplaneDirection;
use super::port::{FrameBytes, PortUser, RESTS, next_rest};
use crate::panics;
use crate::spawn::spawn;

/// Starts both; `name` begins their names. The publisher, and what `listen` holds, is dropped on their threads.
pub(crate) fn start<U: PortUser>(
    user: &Arc<U>,
    name: &str,
    mut publisher: Box<dyn Publisher>,
    listen: impl FnOnce(&Running<U>) + Send + 'static,
) -> io::Result<()> {
    // Both first: the end of one tells whether the other goes on.
    let [speaks, listens] = [(); 2].map(|()| Running::new(user));
    start_one(format!("{name}-out"), move || {
        speaks.publish(&mut *publisher);
        // First its end, of which the drop of what it held may tell the other.
        drop(speaks);
        drop(publisher);
    })?;
    start_one(format!("{name}-in"), move || listen(&listens))
}

fn start_one(name: String, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // The ends of the backplane are dropped there, which may be the application's.
    let work = move || drop(panics::catch(work));
    spawn(Builder::new().name(name), work).map(drop)
}

/// One of the threads; dropped when it ends.
pub(crate) struct Running<U: PortUser>(Arc<U>);

/// Why it is detached, and whether it was attached before.
pub(crate) struct ListenEnd {
    pub was_attached: bool,
    pub reason: String,
}

impl<U: PortUser> Running<U> {
    pub fn new(user: &Arc<U>) -> Self {
        user.port().thread_begins();
        Running(user.clone())
    }

    pub fn user(&self) -> &Arc<U> {
        &self.0
    }

    /// Does what the thread is for, after a panic again unless this side leaves. Meanwhile it is detached for that
    /// reason.
    pub fn work(&self, way: BackplaneDirection, work: impl FnMut()) {
        panics::work_on(work, |message| {
            let reason = format!("a thread panicked, a bug of wshub: {message}");
            self.0.set_link(way, Err(&reason));
            !self.0.port().is_leaving()
        });
    }

    /// Listens again and again, until this side has left.
    pub fn listen(&self, mut listen: impl FnMut() -> ListenEnd) {
        self.work(BackplaneDirection::In, || {
            let port = self.0.port();
            let mut rest = RESTS.0;
            while !port.is_over() {
                let end = listen();
                if port.is_over() {
                    return;
                }
                self.0.set_link(BackplaneDirection::In, Err(&end.reason));
                if end.was_attached {
                    rest = RESTS.0;
                }
                port.pause(rest);
                rest = next_rest(rest);
            }
        });
    }

    /// Publishes what waits, in order, and signs of life; again for as long as it fails.
    fn publish(&self, publisher: &mut dyn Publisher) {
        self.work(BackplaneDirection::Out, || self.publish_all(publisher));
    }

    fn publish_all(&self, publisher: &mut dyn Publisher) {
        let (user, port) = (&*self.0, self.0.port());
        port.turns_begin();
        user.ended(None, false);
        while let Some(turn) = port.next_turn(|messages| user.lost(messages)) {
            let published = publish_frames(publisher, &turn.batch.frames, &user.signs(&turn));
            user.ended(Some(&turn), published.is_ok());
            match published {
                Ok(()) => {
                    port.published(&turn);
                    user.set_link(BackplaneDirection::Out, Ok(()));
                    if turn.is_last {
                        return;
                    }
                }
                Err(error) => {
                    port.not_published();
                    user.set_link(BackplaneDirection::Out, Err(&error.to_string()));
                }
            }
        }
    }
}

impl<U: PortUser> Drop for Running<U> {
    fn drop(&mut self) {
        self.0.port().thread_ends();
    }
}

/// The publisher may be the user's code: a panic is an error like others.
fn publish_frames(
    publisher: &mut dyn Publisher,
    messages: &[FrameBytes],
    signs: &[FrameBytes],
) -> Result<(), BackplaneError> {
    let frames: Vec<&[u8]> = messages
        .iter()
        .chain(signs)
        .map(|it| it.as_slice())
        .collect();
    panics::catch(|| publisher.publish(&frames))
        .unwrap_or_else(|_| Err(BackplaneError::new("Publisher::publish panicked")))
}

#[cfg(test)]
mod tests;
