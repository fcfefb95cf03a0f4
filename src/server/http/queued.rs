//! An answer whose body is read on a thread: it waits for a place among the plain requests, and is given there.

use std::sync::Arc;

use super::super::admission::Seat;
use super::super::callbacks::Callbacks;
use super::super::hub::Hub;
use super::super::lifecycle::Presence;
use super::super::threads::NotStarted;
use super::connection::HttpConnection;
use super::plain_request::ParkedRequest;
use super::streamed::Streamed;
use super::{give, go_on};
use crate::http::Response;

pub(crate) struct QueuedAnswer {
    pub parked: ParkedRequest,
    pub response: Response,
    /// In the line; it has its place, so that a thread may give the answer, once it is served.
    pub seat: Seat,
}

impl QueuedAnswer {
    /// Gives the answer up; its request can still be told why.
    pub fn cancel(self, callbacks: &Arc<Callbacks>) -> ParkedRequest {
        let response = self.response;
        // The reader of its body is the application's.
        callbacks.run_soon(move || drop(response));
        self.parked
    }

    /// Gives the answer on a thread, and then goes on with the connection.
    pub fn start(
        self: Box<Self>,
        hub: &Arc<Hub>,
        stream: Presence,
        mut connection: HttpConnection,
    ) -> Result<(), NotStarted> {
        let body = self.response.pending::<Streamed>().cloned();
        let own = hub.clone();
        let started = hub.workers.run(move || {
            let QueuedAnswer {
                parked: ParkedRequest { asked, place },
                response,
                seat,
            } = *self;
            // It has one among the plain requests.
            drop(place);
            let awaited = give(&own, &seat, &mut connection, &asked, response);
            drop(seat);
            go_on(&own, stream, connection, awaited);
        });
        if started.is_err() {
            // The reader is the application's.
            hub.callbacks.run_soon(move || drop(body));
        }
        started
    }
}
