//! What a client asks of an HTTP proxy: a tunnel to the server (RFC 9110 9.3.6).

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::http::headers::InvalidHeader;

const AUTHORIZATION: &str = "Proxy-Authorization";

/// An HTTP proxy that a client connects through, with the method CONNECT: it sees where the connection leads, and with
/// `wss` none of its content. For [`ClientRequest::with_proxy`](crate::ClientRequest::with_proxy).
///
/// The way to the proxy itself is not encrypted: any machine on it can read the credentials. No environment variable
/// (`HTTPS_PROXY` and the like) is ever read; a program that wants them reads them itself.
///
/// Source: RFC 9110 9.3.6; the credentials RFC 7617.
///
/// ```
/// use wshub::{ClientRequest, Proxy};
///
/// let proxy = Proxy::new("proxy.example.com", 3128).with_credentials("ada", "pa55word")?;
/// let request = ClientRequest::new("wss://example.com/")?.with_proxy(proxy);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [security](crate::guide::security).
#[derive(Clone)]
pub struct Proxy {
    host: String,
    port: u16,
    authorization: Option<String>,
}

impl Proxy {
    /// The proxy's name or address (an IPv6 one without brackets), and its port.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Proxy {
            host: host.into(),
            port,
            authorization: None,
        }
    }

    /// Sends these credentials with the first request (`Basic`, RFC 7617), without waiting to be asked. Default: none;
    /// a proxy that wants credentials answers 407.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader::Value`] if one of them holds a control character, or the user name a colon.
    pub fn with_credentials(mut self, user: &str, password: &str) -> Result<Self, InvalidHeader> {
        if user.contains(':') || user.chars().chain(password.chars()).any(char::is_control) {
            return Err(InvalidHeader::Value {
                name: AUTHORIZATION.to_owned(),
            });
        }
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        self.authorization = Some(format!("Basic {credentials}"));
        Ok(self)
    }

    /// Its name or address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The head of the request for a tunnel to `authority`, a host with its port.
    pub(crate) fn encode(&self, authority: &str) -> Vec<u8> {
        let authorization = match &self.authorization {
            Some(credentials) => format!("{AUTHORIZATION}: {credentials}\r\n"),
            None => String::new(),
        };
        format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{authorization}\r\n")
            .into_bytes()
    }
}

/// Prints whether there are credentials, never which.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("credentials", &self.authorization.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests;
