//! An answer that comes later: the promise that the hook returns, and the responder that keeps it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::callbacks::{Callback, Callbacks};
use crate::http::Response;
use crate::http::response::PendingBody;
use crate::limits::{Limits, YEAR};
use crate::lock::{ANSWER, Mutex, assert_no_lock, lock};
use crate::panics::Contained;
use crate::patience::Patience;

/// Answers a plain request later, from any thread; made by [`Response::later`].
///
/// Meanwhile the request holds no thread, and no place of other requests: only one of
/// [`max_waiting_requests`](crate::Limits::max_waiting_requests). It ends with 504 at
/// [`answer_timeout`](crate::Limits::answer_timeout), and with 503 when the server shuts down. One that is dropped
/// without an answer ends it with 500, and a line in the log.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use wshub::{Responder, Response, Server};
///
/// // Long polling: a request waits until there is something to say.
/// let waiting: Arc<Mutex<Vec<Responder>>> = Arc::default();
/// let polls = waiting.clone();
/// let server = Server::builder()
///     .http(move |request| match request.path() {
///         "/poll" => {
///             let (response, responder) = Response::later();
///             polls.lock().unwrap().push(responder);
///             response
///         }
///         _ => Response::not_found(),
///     })
///     .bind("127.0.0.1:0")?;
///
/// // Whenever something happens, on any thread:
/// for responder in waiting.lock().unwrap().drain(..) {
///     let _ = responder.send(Response::text("it happened\n"));
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [HTTP](crate::guide::http).
pub struct Responder(Arc<AnswerSlot>);

impl Response {
    /// What the hook returns now, and what answers later. The client gets the status, headers and body that
    /// [`Responder::send`] is given; those of the value here are ignored.
    ///
    /// It stands for one request. Returned for a second one, that gets 500.
    #[must_use]
    pub fn later() -> (Self, Responder) {
        let slot = Arc::new(AnswerSlot::default());
        let promise = Promise(Arc::new(PromiseGuard(slot.clone())));
        let response = Response::ok().with_pending(Box::new(promise));
        (response, Responder(slot))
    }
}

impl Responder {
    /// Answers. Never blocks: what the client does not take at once is written by another thread.
    ///
    /// # Errors
    ///
    /// Gives the answer back if it is not wanted any more: the deadline has passed, the server has shut down, or the
    /// hook did not return the promise. `Ok` does not mean that the client reads it.
    ///
    /// ```
    /// use wshub::Response;
    ///
    /// let (promise, responder) = Response::later();
    /// drop(promise); // in place of returning it from the hook
    /// let back = responder.send(Response::text("too late")).unwrap_err();
    /// assert_eq!(back.body(), b"too late");
    /// ```
    pub fn send(self, response: Response) -> Result<(), Response> {
        self.0.put(LateAnswer::Response(response))
    }

    /// True once the answer is not wanted any more: the deadline has passed, the server has shut down, or the client
    /// has ended its side of the connection. In the last case it may have left, or only say that it will ask nothing
    /// more, so an answer is still tried.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        let state = lock(&self.0.0);
        state.is_gone || matches!(state.stage, AnswerStage::Over)
    }

    /// No deadline holds for the answer. It ends with what it waits for, with its client, or with the server.
    #[cfg_attr(not(feature = "socketio"), allow(dead_code))]
    pub(crate) fn lift_deadline(&self) {
        lock(&self.0.0).has_no_deadline = true;
    }

    /// Calls `callback` once, when the client has ended its side, the deadline has passed without an answer, or the
    /// request was refused since as many wait as may; not when the server shuts down. It runs on a thread of the
    /// server, at most eight callbacks at the same time, and counts among
    /// [`max_waiting_requests`](crate::Limits::max_waiting_requests) until it returns. That of a refused request runs
    /// on the request's own thread, before the 503. If it was so already, it runs at once and on this thread. A second
    /// callback replaces the first.
    ///
    /// ```
    /// use wshub::Response;
    ///
    /// let (response, responder) = Response::later();
    /// responder.on_gone(|| println!("nobody waits any more"));
    /// # drop(response);
    /// ```
    pub fn on_gone(&self, callback: impl FnOnce() + Send + 'static) {
        let mut state = lock(&self.0.0);
        if !state.is_gone && !matches!(state.stage, AnswerStage::Over) {
            let callback = Contained::new(callback);
            let replaced = state.on_gone.replace(Box::new(|| callback.call()));
            drop(state);
            drop(replaced);
            return;
        }
        drop(state);
        callback();
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        // It is refused where there was an answer.
        let _ = self.0.put(LateAnswer::Dropped);
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gone = self.is_gone();
        f.debug_struct("Responder").field("is_gone", &gone).finish()
    }
}

/// What became of a promise.
pub(crate) enum LateAnswer {
    Response(Response),
    /// The responder was dropped without an answer.
    Dropped,
}

/// Tells the connection that there is an answer.
pub(crate) type Notify = Box<dyn FnOnce() + Send>;

/// Where the answer is handed over.
#[derive(Default)]
pub(crate) struct AnswerSlot(Mutex<AnswerState, ANSWER>);

#[derive(Default)]
struct AnswerState {
    stage: AnswerStage,
    /// The client has ended its side, or is answered without the application.
    is_gone: bool,
    has_no_deadline: bool,
    /// What is called when nobody waits any more.
    on_gone: Option<Callback>,
}

#[derive(Default)]
enum AnswerStage {
    /// Nobody waits yet.
    #[default]
    Promised,
    Answered(LateAnswer),
    Waiting(Notify),
    /// It was answered, or nobody waits any more.
    Over,
}

impl AnswerState {
    fn take(&mut self) -> Option<LateAnswer> {
        match std::mem::replace(&mut self.stage, AnswerStage::Over) {
            AnswerStage::Answered(answer) => Some(answer),
            before => {
                self.stage = before;
                None
            }
        }
    }
}

impl AnswerSlot {
    fn put(&self, answer: LateAnswer) -> Result<(), Response> {
        let mut state = lock(&self.0);
        if !matches!(state.stage, AnswerStage::Promised | AnswerStage::Waiting(_)) {
            drop(state);
            return match answer {
                LateAnswer::Response(response) => Err(response),
                LateAnswer::Dropped => Ok(()),
            };
        }
        let before = std::mem::replace(&mut state.stage, AnswerStage::Answered(answer));
        let callback = state.on_gone.take();
        drop(state);
        drop(callback);
        if let AnswerStage::Waiting(notify) = before {
            // The stream of a user's may be woken so.
            assert_no_lock();
            notify();
        }
        Ok(())
    }

    /// The connection waits from now on, unless the answer is there.
    pub fn wait(&self, notify: Notify) -> Option<LateAnswer> {
        let mut state = lock(&self.0);
        if matches!(state.stage, AnswerStage::Promised) {
            state.stage = AnswerStage::Waiting(notify);
            return None;
        }
        // If there is none, the promise was returned for another request.
        Some(state.take().unwrap_or(LateAnswer::Dropped))
    }

    /// How long it may take, where others may take so long.
    fn timeout(&self, usual: Duration) -> Duration {
        match lock(&self.0).has_no_deadline {
            true => YEAR,
            false => usual,
        }
    }

    /// The answer, if it is there.
    pub fn take(&self) -> Option<LateAnswer> {
        lock(&self.0).take()
    }

    /// Nobody waits any more: the answer, if it has just come.
    pub fn give_up(&self) -> Option<LateAnswer> {
        let mut state = lock(&self.0);
        let before = std::mem::replace(&mut state.stage, AnswerStage::Over);
        drop(state);
        match before {
            AnswerStage::Answered(answer) => Some(answer),
            AnswerStage::Promised | AnswerStage::Waiting(_) | AnswerStage::Over => None,
        }
    }

    /// Nobody waits any more, or the client has ended its side: what is to be called, once.
    pub fn note_gone(&self) -> Option<Callback> {
        let mut state = lock(&self.0);
        state.is_gone = true;
        state.on_gone.take()
    }
}

/// In the answer that the hook returns, and then with the request that waits. A clone stands for the same.
#[derive(Clone)]
pub(crate) struct Promise(Arc<PromiseGuard>);

impl Promise {
    pub fn slot(&self) -> &AnswerSlot {
        &self.0.0
    }

    /// How long the request waits for its answer.
    pub fn patience(&self, limits: &Limits, now: Instant) -> Patience {
        Patience::new(now, self.slot().timeout(limits.answer_timeout))
    }

    /// Tells the application, once, that the client waits no more.
    pub fn tell_gone(&self, callbacks: &Arc<Callbacks>) {
        if let Some(callback) = self.slot().note_gone() {
            callbacks.run_soon(callback);
        }
    }

    /// Tells the application on this thread, which is the request's own, that the request is refused.
    pub fn tell_refused(&self, callbacks: &Callbacks) {
        if let Some(callback) = self.slot().note_gone() {
            callbacks.run_here(callback);
        }
    }
}

impl PendingBody for Promise {
    fn again(&self) -> Box<dyn PendingBody> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The answer is over once no clone of its promise is left: the hook did not return it, or its connection has ended.
struct PromiseGuard(Arc<AnswerSlot>);

impl Drop for PromiseGuard {
    fn drop(&mut self) {
        let mut state = lock(&self.0.0);
        let unused = std::mem::replace(&mut state.stage, AnswerStage::Over);
        drop(state);
        drop(unused);
    }
}

#[cfg(test)]
mod tests;
