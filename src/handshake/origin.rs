//! The Origin header: which page, or program, asks for a WebSocket (RFC 6454 7, RFC 6455 4.2.2).

use core::fmt;

use crate::http::authority::{Authority, Host};
use crate::http::scheme;

/// The longest scheme that is taken for one: reversed domain names of apps are the longest in use.
const MAX_SCHEME: usize = 128;

/// An origin as browsers write it (RFC 6454 6.2).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin<'a> {
    /// `null`: a page without an origin that it could tell, as one that was opened as a file.
    Null,
    /// `scheme://host`, `scheme://host:port`, or `scheme://` where the scheme has no hosts.
    Tuple {
        /// The scheme, case as sent.
        scheme: &'a str,
        /// The host, without its final dot, and the port; `None` for `file://` and its like.
        authority: Option<Authority<'a>>,
    },
}

impl<'a> Origin<'a> {
    /// Reads an origin. One final slash is none of it: programs take theirs from a URL.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, to stand behind a colon.
    pub(crate) fn parse(text: &'a str) -> Result<Self, &'static str> {
        match text {
            "" => return Err("it is empty"),
            "null" => return Ok(Self::Null),
            _ => {}
        }
        let (scheme, rest) = text
            .split_once("://")
            .filter(|(scheme, _)| is_scheme(scheme.as_bytes()))
            .ok_or("it does not begin with a scheme and ://")?;
        let authority = match rest.strip_suffix('/').unwrap_or(rest) {
            "" if scheme::is_secure(scheme).is_some() => return Err("it has no host"),
            "" => None,
            authority => Some(parse_authority(authority)?),
        };
        Ok(Self::Tuple { scheme, authority })
    }

    /// The host; `None` for `null`, and where the scheme has no hosts.
    pub(crate) fn host(&self) -> Option<Host<'a>> {
        self.authority().map(|authority| authority.host)
    }

    /// The port, written or of the scheme.
    pub(crate) fn port(&self) -> Option<u16> {
        let written = self.authority()?.port;
        written.or_else(|| self.default_port())
    }

    /// Whether a page of this origin came from the host and port that it connects to.
    pub(crate) fn is_same_host(&self, target: Authority<'_>) -> bool {
        self.is_same_port(target) && self.host() == Some(target.host)
    }

    /// Whether a page of this origin came from the port that it connects to. A port that Host leaves out is that of
    /// the page's scheme, so that `https://h` is at home on Host `h` behind a proxy that ends TLS.
    pub(crate) fn is_same_port(&self, target: Authority<'_>) -> bool {
        // A scheme without a default port is no web page's.
        self.default_port()
            .is_some_and(|default| self.port() == Some(target.port.unwrap_or(default)))
    }

    /// Whether its scheme is one with TLS; `None` where it is no web page's.
    pub(crate) fn is_secure(&self) -> Option<bool> {
        match self {
            Self::Tuple { scheme, .. } => scheme::is_secure(scheme),
            Self::Null => None,
        }
    }

    fn authority(&self) -> Option<Authority<'a>> {
        match *self {
            Self::Tuple { authority, .. } => authority,
            Self::Null => None,
        }
    }

    fn default_port(&self) -> Option<u16> {
        self.is_secure().map(scheme::default_port)
    }
}

/// As a list of origins takes it: without a final slash or dot.
impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Tuple { scheme, authority } = self else {
            return f.write_str("null");
        };
        write!(f, "{scheme}://")?;
        let Some(Authority { host, port }) = authority else {
            return Ok(());
        };
        host.fmt(f)?;
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn parse_authority(text: &str) -> Result<Authority<'_>, &'static str> {
    if text.contains(['/', '?', '#']) {
        return Err("something follows its host and port");
    }
    if text.contains('@') {
        return Err("it holds a user name");
    }
    if !text.is_ascii() {
        return Err("its host is not ASCII; browsers send such a name as xn--");
    }
    Authority::parse(text)
        .map(Authority::without_final_dot)
        .ok_or("its host or port is none")
}

/// RFC 3986 3.1.
fn is_scheme(text: &[u8]) -> bool {
    text.len() <= MAX_SCHEME
        && text.first().is_some_and(u8::is_ascii_alphabetic)
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}
