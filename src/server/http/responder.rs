//! An answer that comes later: the promise that the hook returns, and the responder that keeps it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::http::Response;
use crate::http::response::PendingBody;
use crate::lock::{ANSWER, Mutex, lock, none_is_held};

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
    /// What the hook returns now, and what answers later. The status, the headers and the body that count are those of
    /// the answer that [`Responder::send`] is given; those of what is returned here mean nothing.
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
    /// Gives the answer back if nobody waits for it any more: the deadline has passed, the server has shut down, or the
    /// hook did not return the promise. That it is taken does not say that the client will read it.
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

    /// True once nobody waits for the answer: the deadline has passed, or the server has shut down; or once the client
    /// has ended its side of the connection. It may have left, or only say that it will ask nothing more, so an answer
    /// is still tried then.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        let state = lock(&self.0.0);
        state.left || matches!(state.stage, AnswerStage::Over)
    }

    /// Calls `callback` once, when the client has ended its side or the deadline has passed without an answer; not when
    /// the server shuts down. It runs on a thread of the server; at once and on this one if it was so already. A second
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
        if !state.left && !matches!(state.stage, AnswerStage::Over) {
            let replaced = state.on_gone.replace(Box::new(callback));
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
pub(super) enum LateAnswer {
    Response(Response),
    /// The responder was dropped without an answer.
    Dropped,
}

/// What is called when nobody waits any more.
pub(super) type OnGone = Box<dyn FnOnce() + Send>;
/// Tells the connection that there is an answer.
pub(super) type Notify = Box<dyn FnOnce() + Send>;

/// Where the answer is handed over.
#[derive(Default)]
pub(super) struct AnswerSlot(Mutex<AnswerState, ANSWER>);

#[derive(Default)]
struct AnswerState {
    stage: AnswerStage,
    /// The client has ended its side.
    left: bool,
    on_gone: Option<OnGone>,
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
            none_is_held();
            notify();
        }
        Ok(())
    }

    /// The connection waits from now on, unless the answer is there.
    pub fn wait(&self, notify: Notify) -> Option<LateAnswer> {
        let mut state = lock(&self.0);
        match std::mem::replace(&mut state.stage, AnswerStage::Over) {
            AnswerStage::Promised => {
                state.stage = AnswerStage::Waiting(notify);
                None
            }
            AnswerStage::Answered(answer) => Some(answer),
            // It was returned for another request.
            before => {
                state.stage = before;
                Some(LateAnswer::Dropped)
            }
        }
    }

    /// The answer, if it is there.
    pub fn take(&self) -> Option<LateAnswer> {
        let mut state = lock(&self.0);
        match std::mem::replace(&mut state.stage, AnswerStage::Over) {
            AnswerStage::Answered(answer) => Some(answer),
            before => {
                state.stage = before;
                None
            }
        }
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

    /// The client has ended its side.
    pub fn note_left(&self) {
        lock(&self.0).left = true;
    }

    /// What is to be called, once, if nobody waits any more or the client has left.
    pub fn take_on_gone(&self) -> Option<OnGone> {
        lock(&self.0).on_gone.take()
    }
}

/// In the answer that the hook returns, and then with the request that waits. A clone stands for the same.
#[derive(Clone)]
pub(super) struct Promise(Arc<PromiseGuard>);

impl Promise {
    pub fn slot(&self) -> &AnswerSlot {
        &self.0.0
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
