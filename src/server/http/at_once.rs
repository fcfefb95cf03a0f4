//! A request that is answered on the thread that watches: all of it is there, and the application says that its answer
//! takes no time.

use std::sync::Arc;

use super::super::ServerHandle;
use super::super::hooks::{HookRequest, Hooks};
use super::super::hub::Hub;
use super::connection::HttpConnection;
use super::plain_request::{ParkedRequest, PlainRequest};
use crate::handshake::negotiate;
use crate::http::body::Framing;
use crate::http::head::HeadScanner;
use crate::http::{Refusal, Request, Response};
use crate::limits::Limits;

/// The answer to the request in the buffer, which is taken out of it and has a place among the requests that wait: its
/// answer may be promised only, read from somewhere, or longer than the peer takes. `None`: a thread is to look at it,
/// which also says what is wrong with it.
pub(crate) fn answer(
    hub: &Arc<Hub>,
    connection: &mut HttpConnection,
) -> Option<(ParkedRequest, Result<Response, Refusal>)> {
    let hooks = &hub.hooks;
    if !hooks.may_answer_at_once(connection.buffer.filled()) {
        return None;
    }
    let (request, length) = whole_request(&hub.options.limits, connection)?;
    let request = connection.identify(request).ok()?;
    let is_let_in = is_let_in(hooks, connection, &request)?;
    let place = hub.waiting_places.take()?;
    let server = ServerHandle::new(hub);
    let asked = HookRequest::new(&request, &server);
    let answer = hooks.answer_at_once(asked, &hub.counters).transpose()?;
    connection.buffer.discard(length);
    let asked = PlainRequest {
        request: request.with_body(Vec::new()),
        is_let_in,
        settings: connection.settings.clone(),
    };
    Some((ParkedRequest { asked, place }, answer))
}

/// The request with its body, and its bytes in the buffer, if all of them are there.
fn whole_request(limits: &Limits, connection: &mut HttpConnection) -> Option<(Request, usize)> {
    let received = &*connection.buffer.filled();
    let head = HeadScanner::new(limits.head()).scan(received).ok()??;
    let request = Request::of_scanned(received.get(..head)?).ok()?;
    let framing = Framing::of(&request).ok()?;
    let length = match framing {
        Framing::Empty => 0,
        Framing::Length(length) => usize::try_from(length).ok()?,
        Framing::Chunked => return None,
    };
    let body = received.get(head..head.checked_add(length)?)?;
    let is_usual = length <= limits.max_body
        && matches!(framing.is_waited_for(&request), Ok(false))
        && !request.wants_upgrade();
    is_usual.then(|| (request.with_body(body), head + length))
}

/// As the rules see it. Where the application has to be asked about its origin, that may take time.
fn is_let_in(hooks: &Hooks, connection: &HttpConnection, request: &Request) -> Option<bool> {
    let asks = hooks.origin.is_some() && request.header_bytes("origin").is_some();
    if asks {
        return None;
    }
    let plain = negotiate::plain(request, &connection.settings.rules, |_| Ok(false)).ok()?;
    Some(plain.is_let_in)
}
