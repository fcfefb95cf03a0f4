//! A plain request that was in order, and what its answer depends on.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::super::callbacks::Callbacks;
use super::super::listen::ListenerSettings;
use super::super::places::Place;
use super::responder::Promise;
use crate::clock;
use crate::http::response::{Length, WireFormat};
use crate::http::{Request, Response};
use crate::stats::Counters;

pub(crate) struct PlainRequest {
    /// Without its body.
    pub request: Request,
    pub is_let_in: bool,
    pub settings: Arc<ListenerSettings>,
}

/// A request whose answer needs no thread while it waits, and its place among those.
pub(crate) struct ParkedRequest {
    pub asked: PlainRequest,
    pub place: Place,
}

/// A request that waits for its answer.
pub(crate) struct WaitingRequest {
    pub parked: ParkedRequest,
    pub promise: Promise,
}

impl PlainRequest {
    /// The answer as bytes. `keep_alive`: how long the connection is kept after it.
    pub fn encode(
        &self,
        counters: &Counters,
        response: Response,
        keep_alive: Option<Duration>,
    ) -> Vec<u8> {
        let response = self.finish(counters, response);
        response.encode_for(self.wire(keep_alive))
    }

    /// The head of an answer whose body is as long as is said.
    pub fn encode_head(
        &self,
        counters: &Counters,
        response: Response,
        keep_alive: Option<Duration>,
        length: Length,
    ) -> Vec<u8> {
        let response = self.finish(counters, response);
        response.encode_head(self.wire(keep_alive), length)
    }

    /// Adds what the rules ask for, and counts the answer.
    fn finish(&self, counters: &Counters, mut response: Response) -> Response {
        if let Some(cors) = &self.settings.rules.cors {
            match self.is_let_in {
                true => cors.grant(&self.request, &mut response),
                false => cors.withhold(&mut response),
            }
        }
        counters.http_requests.fetch_add(1, Relaxed);
        response
    }

    fn wire(&self, keep_alive: Option<Duration>) -> WireFormat {
        WireFormat {
            head_only: self.head_only(),
            date: clock::date(),
            keep_alive: keep_alive.map(|time| time.as_secs()),
        }
    }

    pub fn head_only(&self) -> bool {
        self.request.method() == "HEAD"
    }
}

impl WaitingRequest {
    /// Nobody waits for the answer any more.
    pub fn let_go(self, callbacks: &Arc<Callbacks>) {
        // At once, for its responder may look. What that has sent may take its time to drop.
        let answer = self.promise.slot().give_up();
        callbacks.run_soon(move || drop((answer, self.promise)));
    }
}
