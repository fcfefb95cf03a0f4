//! The end of a server, step by step: it begins, waits, cuts off what is left, and waits for the threads.

use std::time::{Duration, Instant};

use super::ServerHandle;
use super::admission::Stage;
use super::hub::Hub;
use super::lifecycle::Phase;
use crate::logging::log_line;
use crate::transport::{How, LINGER};

/// How much longer than its own deadlines a shutdown waits for connections to end.
/// A busy machine may not run one of their threads once in half a second.
const GRACE: Duration = Duration::from_secs(2);

/// What a shutdown left behind, and what was lost in it; all zero after a graceful one whose events were all taken.
///
/// ```
/// use wshub::{Server, ShutdownReport};
///
/// let server = Server::bind("127.0.0.1:0")?;
/// let report = server.shutdown();
/// assert_eq!(report, ShutdownReport::default());
/// if report.threads_left > 0 {
///     eprintln!("{} hooks or handlers do not return", report.threads_left);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [deployment](crate::guide::deployment).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Events that the application has not taken, every `Close` included:
    /// [`Server::events`](crate::Server::events) still yields them.
    pub events_not_taken: usize,
    /// Messages that came while the server shut down and found no room among the events: they are gone.
    /// Those that were taken of the same connection have no gap. Remedy where each one counts: shut down
    /// with [`ServerHandle::shutdown`](crate::ServerHandle::shutdown), and take events to the end.
    pub messages_lost: usize,
    /// Threads that did not end in time, because a hook, handler, logger or stream of yours does not
    /// return, or the destructor of a thread-local that such code has left on its thread.
    /// What was open on them has its `Close` event all the same.
    pub threads_left: usize,
}

impl ServerHandle {
    /// Starts the graceful shutdown and returns at once: no more accepts, 1001 to all. From any
    /// thread, and again. [`Server::events`](crate::Server::events) goes on until the last `Close`, then ends;
    /// [`wait`](ServerHandle::wait) returns.
    ///
    /// For a thread that handles signals, as `ctrlc` and the iterator of `signal-hook` have. Never call it inside a
    /// signal handler (`sigaction`): that may have interrupted the thread that holds a lock which this takes.
    pub fn shutdown(&self) {
        if let Some(hub) = self.hub() {
            begin(hub);
        }
    }

    /// Ends the server at once and returns: no more accepts, and every connection is cut off, whatever it is doing. For
    /// a program that will not wait for [`shutdown`](ServerHandle::shutdown), for example at a second Ctrl-C; it does
    /// not matter whether that has begun. As for that: from any thread, and never inside a signal handler.
    ///
    /// [`Server::events`](crate::Server::events) yields what waits, a `Close` with 1006 for each connection that was
    /// open, and ends; [`wait`](ServerHandle::wait) returns. Messages on their way are lost.
    ///
    /// ```no_run
    /// let server = wshub::Server::bind("127.0.0.1:9001")?;
    /// let handle = server.handle();
    /// let mut asked = false;
    /// ctrlc::set_handler(move || {
    ///     if asked { handle.terminate() } else { handle.shutdown() }
    ///     asked = true;
    /// })?;
    /// for event in server.events() {
    ///     println!("{event:?}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn terminate(&self) {
        if let Some(hub) = self.hub() {
            terminate(hub);
        }
    }

    /// Blocks until a thread starts the shutdown and it is done: the last call of the main thread when
    /// [`serve`](crate::ServerBuilder::serve) does the work. Do not call it in a handler: it would wait for itself.
    ///
    /// After the shutdown has begun it takes at most [`close_timeout`](crate::Limits::close_timeout) and two seconds,
    /// then cuts off what is left; three seconds more if a hook, a handler or a stream of yours does not return.
    ///
    /// ```
    /// let handle = wshub::serve("127.0.0.1:0", |mut ws| {
    ///     while let Some(message) = ws.read()? {
    ///         ws.send(message)?;
    ///     }
    ///     Ok(())
    /// })?;
    /// let stop = handle.clone();
    /// std::thread::spawn(move || stop.shutdown()); // as a thread that handles signals would
    /// assert_eq!(handle.wait().threads_left, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait(&self) -> ShutdownReport {
        self.hub().map(|hub| wait(hub)).unwrap_or_default()
    }
}

/// Starts the graceful shutdown: no more accepts, 1001 to all, or 1012 after a drain. Returns at once: where another
/// thread has called the hooks, that one goes on as soon as they return.
pub(crate) fn begin(hub: &Hub) {
    if hub.lifecycle.is_of_another_process() {
        return;
    }
    // Before the end of the events, which may come at once: what a hook has for the application is still taken.
    if hub.hooks.shutdown.call(&hub.counters) {
        tell_all(hub);
    }
}

fn tell_all(hub: &Hub) {
    // A hook that ends the server itself does not return before that.
    if hub.hooks.shutdown.are_called_here() {
        hub.hooks.shutdown.call_rest(&hub.counters);
    }
    if !hub.lifecycle.enter(Phase::Closing) {
        return;
    }
    let code = hub.lifecycle.close_code();
    (hub.connections.members).for_everyone(|outbox| _ = outbox.close(Some(code), ""));
    hub.admission.close();
    if let Some(keeper) = &hub.keeper {
        keeper.close();
    }
    // One that is decided about or answered needs no waking, and what it opens is read from.
    let is_read = |stage| {
        matches!(
            stage,
            Stage::Begun | Stage::Reading | Stage::Held | Stage::Parting
        )
    };
    // prevents: a shutdown leaves handshakes asleep
    for transport in hub.admission.transports(is_read) {
        transport.shutdown(How::Read);
    }
    log_line!(Info, "shutting down: {code} to all connections");
}

/// Ends everything now: what is waited for is cut off, and the events end after those that wait.
fn terminate(hub: &Hub) {
    if hub.lifecycle.is_of_another_process() {
        return;
    }
    begin(hub);
    tell_all(hub);
    hub.connections.let_readers_go();
    cut_off(hub);
    hub.lifecycle.end_events();
}

/// Waits until another thread starts the graceful shutdown, then ends as it does.
fn wait(hub: &Hub) -> ShutdownReport {
    if hub.lifecycle.is_of_another_process() {
        return ShutdownReport::default();
    }
    if hub.hooks.shutdown.are_called_here() {
        // Called in such a hook, this would wait for what comes after the hook.
        tell_all(hub);
    }
    hub.lifecycle.wait_for_closing();
    let deadline = Instant::now() + hub.options.limits.close_timeout + GRACE;
    if hub.handler.is_none() {
        // The application takes its events meanwhile, and the connections end as it does.
        hub.lifecycle.wait_until_cut(deadline);
    }
    finish(hub, deadline)
}

/// Waits until everything has ended, at most to `deadline`; what has not ended then is cut off, and
/// its threads are waited for, unless the user's code keeps them.
pub(crate) fn finish(hub: &Hub, deadline: Instant) -> ShutdownReport {
    if hub.lifecycle.is_of_another_process() {
        return ShutdownReport::default();
    }
    begin(hub);
    if !hub.hooks.shutdown.are_called_here() {
        hub.lifecycle.wait_until_closing(deadline);
    }
    tell_all(hub);
    hub.connections.let_readers_go();
    hub.lifecycle.wait_until_cut(deadline);
    cut_off(hub);
    // What closed cleanly may still wait for its peer to take the last bytes.
    let patience = Instant::now() + LINGER + GRACE;
    hub.lifecycle.wait_until_empty(patience);
    let threads_left = join_threads(hub);
    hub.lifecycle.end_events();
    hub.lifecycle.enter(Phase::Done);
    let inbox = &hub.connections.inbox;
    let report = ShutdownReport {
        events_not_taken: inbox.not_taken(),
        messages_lost: inbox.lost(),
        threads_left,
    };
    if report != ShutdownReport::default() {
        log_line!(
            Warn,
            "shut down with {} events not taken, {} messages lost, {threads_left} threads left",
            report.events_not_taken,
            report.messages_lost
        );
    }
    report
}

/// From now on nothing begins; what has not ended is ended the hard way.
fn cut_off(hub: &Hub) {
    hub.lifecycle.enter(Phase::Ending);
    // Handshakes first: one that has opened meanwhile is a connection, or will find itself cut off.
    for transport in hub.admission.transports(|_| true) {
        transport.shutdown(How::Reset);
    }
    (hub.connections.members).for_everyone(|outbox| outbox.abort());
    if let Some(keeper) = &hub.keeper {
        keeper.stop();
    }
}

/// Returns how many threads are left to the user's code.
fn join_threads(hub: &Hub) -> usize {
    let busy = || hub.lifecycle.on_threads();
    let kept = hub.workers.stop_pool(busy, Instant::now() + GRACE);
    hub.callbacks.stop();
    hub.lead.stop();
    let left = kept + hub.workers.stop_threads(Instant::now() + GRACE);
    hub.lead.clear();
    left
}
