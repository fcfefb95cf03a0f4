//! A connection on a thread of its own that belongs to the user's handler.

use std::error::Error as StdError;
use std::sync::atomic::Ordering;

use super::log_lines::{log_failure, log_open};
use super::open_connection::OpenConnection;
use crate::error::{SendError, SendErrorKind};
use crate::panics;
use crate::protocol::close::CloseCode;
use crate::server::ServerHandle;
use crate::server::driver::Driver;
use crate::server::session::{Session, SessionHandler};

pub(crate) fn run(
    mut open: OpenConnection,
    handler: &SessionHandler,
    mut driver: Box<Driver>,
    handle: ServerHandle,
) {
    let connections = &open.connections.clone();
    let driver = &mut *driver;
    connections.members.announce(&driver.connection);
    log_open(&connections.limited_log, open.connection());
    let mut ended = None;
    let session = Session::new(driver, connections, handle, &mut ended);
    // The panic is reported, and what it may have left half done ends with the connection.
    let outcome = panics::catch(|| {
        handler(session).map_err(|error| (error.to_string(), says_closed(&*error)))
    });
    let (failure, saw_closed) = match outcome {
        Ok(Ok(())) => (None, false),
        Ok(Err((failure, saw_closed))) => (Some(failure), saw_closed),
        Err(_) => (Some("the handler panicked".to_owned()), false),
    };
    // An error that a handler returns for a connection that is closed or closing is no failure of the handler.
    let gone = saw_closed || ended.is_some() || driver.connection.outbox().failure().is_some();
    if failure.is_some() && !gone {
        let failures = &connections.counters.handler_failures;
        failures.fetch_add(1, Ordering::Relaxed);
    }
    let lingering = match ended {
        Some(ended) => {
            let (close, lingering) = ended.part(&driver.closing(connections.limits()));
            open.end(None, close);
            log_failure(open.connection(), failure.as_deref(), gone);
            lingering
        }
        None => {
            let code = match failure {
                Some(_) => CloseCode::INTERNAL_ERROR,
                None => CloseCode::NORMAL,
            };
            let _ = driver.connection.outbox().close(Some(code), "");
            log_failure(open.connection(), failure.as_deref(), gone);
            let end = driver.run_out();
            open.finish(driver, end)
        }
    };
    lingering.linger(&connections.lingering_places);
}

/// True for the error of a `send` on a connection that closes, which the handler passed on.
fn says_closed(error: &(dyn StdError + Send + Sync + 'static)) -> bool {
    let sending = error.downcast_ref::<SendError>();
    sending.is_some_and(|error| error.kind() == SendErrorKind::Closed)
}
