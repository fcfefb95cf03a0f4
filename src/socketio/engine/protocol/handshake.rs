//! What a request of Engine.IO asks for, by its method and query, and how it is refused.

/// What carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    Polling,
    WebSocket,
}

/// A request, as far as its query tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionRequest<'a> {
    /// A new session.
    Open(Carrier),
    /// A session that there is, or was. `fits` is false where the request is wrong for any session; that is said where
    /// the session is known.
    Continue { sid: &'a str, fits: bool },
}

/// Why a request is refused, with the protocol's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineError {
    UnknownTransport = 0,
    UnknownSession = 1,
    BadMethod = 2,
    BadRequest = 3,
    Forbidden = 4,
    UnsupportedVersion = 5,
}

impl EngineError {
    /// The text that the protocol's clients know.
    pub fn message(self) -> &'static str {
        match self {
            EngineError::UnknownTransport => "Transport unknown",
            EngineError::UnknownSession => "Session ID unknown",
            EngineError::BadMethod => "Bad handshake method",
            EngineError::BadRequest => "Bad request",
            EngineError::Forbidden => "Forbidden",
            EngineError::UnsupportedVersion => "Unsupported protocol version",
        }
    }
}

/// Looks at a request in the order of the reference server, so that a client with two mistakes hears of the same one.
/// `upgrade`: it asks for a WebSocket.
pub fn check<'a>(
    method: &str,
    query: &'a str,
    upgrade: bool,
) -> Result<SessionRequest<'a>, EngineError> {
    let carrier = match parameter(query, "transport") {
        Some("polling") => Carrier::Polling,
        Some("websocket") => Carrier::WebSocket,
        _ => return Err(EngineError::UnknownTransport),
    };
    let is_version_4 = parameter(query, "EIO") == Some("4");
    let fits = upgrade == (carrier == Carrier::WebSocket);
    match parameter(query, "sid").filter(|sid| !sid.is_empty()) {
        Some(sid) => Ok(SessionRequest::Continue {
            sid,
            fits: fits && is_version_4,
        }),
        None if method != "GET" => Err(EngineError::BadMethod),
        None if !fits => Err(EngineError::BadRequest),
        None if !is_version_4 => Err(EngineError::UnsupportedVersion),
        None => Ok(SessionRequest::Open(carrier)),
    }
}

/// The value of a key; of several the last one counts. None of these has characters that would be percent-encoded.
pub fn parameter<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    let pairs = query.rsplit('&').map(|pair| pair.split_once('='));
    pairs
        .flatten()
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests;
