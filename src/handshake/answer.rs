//! The server's answer to an opening handshake, as a client reads it: where its head ends, what it says, and whether
//! it opens the WebSocket that was asked for (RFC 6455 4.1).

use core::fmt;

use crate::compression::config::Compression;
use crate::compression::error::InvalidExtension;
use crate::compression::negotiation::Agreed;
use crate::http::excerpt::excerpt;
use crate::http::head::{HeadLimits, split_line};
use crate::http::token::elements;

/// How the head of every answer begins (RFC 9112 4).
const BEGINNING: &[u8] = b"HTTP/1.";
/// The content type of a TLS alert record (RFC 8446 5.1): what a TLS server says to a request in clear.
const TLS_ALERT: u8 = 0x15;

/// What is wrong with a server's answer to the opening handshake.
///
/// Text of the server is escaped and cut to 64 characters. Source: RFC 6455 4.1, RFC 9112 4 and 5.
///
/// ```no_run
/// use wshub::{ClientError, InvalidAnswer};
///
/// match wshub::connect("ws://127.0.0.1:9001/") {
///     Ok(_) => println!("connected"),
///     Err(ClientError::Answer(InvalidAnswer::Tls)) => println!("that port speaks TLS: take wss://"),
///     Err(error) => println!("{error}"),
/// }
/// ```
///
/// The guide: [security](crate::guide::security).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidAnswer {
    /// The answer is not HTTP: something else listens on this port.
    NotHttp,
    /// The server speaks TLS on this port. Use a `wss://` URL and a stream that is encrypted.
    Tls,
    /// The head of the answer is longer than [`Limits::max_head`](crate::Limits::max_head).
    HeadTooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// It has more header lines than [`Limits::max_headers`](crate::Limits::max_headers).
    TooManyHeaders {
        /// Lines allowed.
        limit: usize,
    },
    /// It breaks the grammar of HTTP; the text says where.
    Malformed(&'static str),
    /// `Upgrade: websocket` is missing in a 101, or names something else beside or instead.
    Upgrade,
    /// `Connection: Upgrade` is missing in a 101.
    Connection,
    /// Sec-WebSocket-Accept is missing or does not fit the key that was sent: a cache or a proxy that does not know
    /// WebSocket answered, or an answer to another client.
    Accept,
    /// The server chose a subprotocol that was not offered.
    Subprotocol {
        /// The subprotocol, escaped and cut short.
        chosen: String,
    },
    /// The server turned an extension on that was not offered.
    Extension {
        /// The value of Sec-WebSocket-Extensions, escaped and cut short.
        chosen: String,
    },
    /// The server turned compression on with parameters that are unknown, doubled, out of range, or were not offered
    /// (RFC 7692 7.1).
    #[cfg(feature = "deflate")]
    ExtensionParameters {
        /// The value of Sec-WebSocket-Extensions, escaped and cut short.
        chosen: String,
    },
}

impl fmt::Display for InvalidAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHttp => f.write_str(
                "the answer is not HTTP: another service listens there; check host and port",
            ),
            Self::Tls => f.write_str(
                "the server speaks TLS on this port; use wss:// and an encrypted stream",
            ),
            Self::HeadTooLarge { limit } => write!(
                f,
                "the head of the answer is longer than {limit} bytes; raise max_head if that is \
                 meant"
            ),
            Self::TooManyHeaders { limit } => write!(
                f,
                "the answer has more than {limit} header lines; raise max_headers if that is meant"
            ),
            Self::Malformed(problem) => write!(f, "malformed answer: {problem}"),
            Self::Upgrade => f.write_str(
                "the server switched protocols without `Upgrade: websocket`; let proxies in \
                 between pass it on",
            ),
            Self::Connection => f.write_str(
                "the server switched protocols without `Connection: Upgrade`; let proxies in \
                 between pass it on",
            ),
            Self::Accept => f.write_str(
                "Sec-WebSocket-Accept is missing or wrong: what answered is no WebSocket server, \
                 or a cache",
            ),
            Self::Subprotocol { chosen } => write!(
                f,
                "the server chose subprotocol \"{chosen}\", which was not offered; offer it, or \
                 mend the server"
            ),
            Self::Extension { chosen } => write!(
                f,
                "the server turned extension \"{chosen}\" on, which was not offered; mend the \
                 server"
            ),
            #[cfg(feature = "deflate")]
            Self::ExtensionParameters { chosen } => write!(
                f,
                "the server turned compression on as \"{chosen}\", which it was not offered; mend \
                 the server, or offer no compression"
            ),
        }
    }
}

impl core::error::Error for InvalidAnswer {}

/// Finds the end of an answer's head while it arrives, and refuses a bad one as soon as it shows.
///
/// Every byte is looked at once, however many reads bring the head.
#[derive(Clone, Debug)]
pub(crate) struct AnswerScanner {
    limits: HeadLimits,
    seen: usize,
    line_start: usize,
    /// The number of the current line; 0 is the status line.
    line: usize,
    after_cr: bool,
}

impl AnswerScanner {
    pub(crate) fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            seen: 0,
            line_start: 0,
            line: 0,
            after_cr: false,
        }
    }

    /// Looks at what is new in `received`, which holds every byte of the answer so far. `Some(length)` is the length
    /// of the head with its blank line; `None` asks for more.
    pub(crate) fn scan(&mut self, received: &[u8]) -> Result<Option<usize>, InvalidAnswer> {
        let beginning = received.get(..BEGINNING.len()).unwrap_or(received);
        if !BEGINNING.starts_with(beginning) {
            return Err(match received.first() {
                Some(&TLS_ALERT) => InvalidAnswer::Tls,
                _ => InvalidAnswer::NotHttp,
            });
        }
        for &byte in received.get(self.seen..).unwrap_or_default() {
            self.seen += 1;
            if self.take(byte)? {
                return Ok(Some(self.seen));
            }
            if self.seen >= self.limits.max_head {
                return Err(InvalidAnswer::HeadTooLarge {
                    limit: self.limits.max_head,
                });
            }
        }
        Ok(None)
    }

    /// Takes one byte; true at the end of the head.
    fn take(&mut self, byte: u8) -> Result<bool, InvalidAnswer> {
        match (core::mem::take(&mut self.after_cr), byte) {
            (true, b'\n') => return self.end_line(),
            // RFC 9112 2.2: two parsers must not see two answers.
            (true, _) | (false, b'\n') => {
                return Err(InvalidAnswer::Malformed(
                    "a line does not end with CRLF (RFC 9112 2.2)",
                ));
            }
            (false, b'\r') => self.after_cr = true,
            (false, b'\t' | 0x20..=0x7e | 0x80..=0xff) => {}
            (false, _) => {
                return Err(InvalidAnswer::Malformed(
                    "it holds a control character (RFC 9110 5.5)",
                ));
            }
        }
        Ok(false)
    }

    fn end_line(&mut self) -> Result<bool, InvalidAnswer> {
        let empty = self.seen - self.line_start == 2;
        if empty && self.line > 0 {
            return Ok(true);
        }
        if self.line > self.limits.max_headers {
            return Err(InvalidAnswer::TooManyHeaders {
                limit: self.limits.max_headers,
            });
        }
        self.line += 1;
        self.line_start = self.seen;
        Ok(false)
    }
}

/// The minor version and the status of `HTTP/1.1 101 text`. The text may be missing, and with it the space before it.
fn status_line(line: &[u8]) -> Option<(u8, u16)> {
    let [minor, b' ', rest @ ..] = line.strip_prefix(BEGINNING)? else {
        return None;
    };
    let (status, text) = rest.split_at_checked(3)?;
    let all_digits = minor.is_ascii_digit() && status.iter().all(u8::is_ascii_digit);
    if !all_digits || !matches!(text, [] | [b' ', ..]) {
        return None;
    }
    let status = core::str::from_utf8(status).ok()?.parse().ok()?;
    Some((minor - b'0', status))
}

/// Header lines with a space in place of each fold, as a user agent reads them (RFC 9112 5.2).
fn unfold(lines: &[u8]) -> Vec<u8> {
    let mut unfolded: Vec<u8> = Vec::with_capacity(lines.len());
    for line in lines.split_inclusive(|&byte| byte == b'\n') {
        let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
        let indent = line.iter().take_while(is_blank).count();
        // There is no header that a first line goes on with (RFC 9112 2.2).
        if indent == 0 || unfolded.is_empty() {
            unfolded.extend_from_slice(line);
            continue;
        }
        unfolded.truncate(unfolded.trim_ascii_end().len());
        unfolded.push(b' ');
        unfolded.extend_from_slice(line.get(indent..).unwrap_or_default());
    }
    unfolded
}

/// The head of an answer.
#[derive(Clone)]
pub(crate) struct AnswerHead {
    pub(crate) status: u16,
    minor_version: u8,
    headers: Vec<(String, Vec<u8>)>,
}

impl AnswerHead {
    /// Reads a whole head, as [`AnswerScanner`] found it.
    pub(crate) fn parse(head: &[u8]) -> Result<Self, InvalidAnswer> {
        let (line, rest) = split_line(head);
        let (minor_version, status) = status_line(line).ok_or(InvalidAnswer::Malformed(
            "the first line is not `HTTP/1.1 101 text` (RFC 9112 4)",
        ))?;
        let rest = unfold(rest);
        let lines = rest.iter().filter(|&&byte| byte == b'\n').count();
        let mut slots = vec![httparse::EMPTY_HEADER; lines.saturating_sub(1)];
        let parsed = httparse::parse_headers(&rest, &mut slots).map_err(|_| {
            InvalidAnswer::Malformed("a header is not `Name: value` (RFC 9112 5.1)")
        })?;
        let httparse::Status::Complete((_, parsed)) = parsed else {
            return Err(InvalidAnswer::Malformed(
                "the head does not end with its blank line (RFC 9112 2.1)",
            ));
        };
        Ok(Self {
            status,
            minor_version,
            headers: parsed
                .iter()
                .map(|header| (header.name.to_owned(), header.value.trim_ascii().to_vec()))
                .collect(),
        })
    }

    /// The first value of a header, its name in any case.
    #[cfg(feature = "client")]
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// Every header, in the order sent.
    #[cfg(feature = "client")]
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let headers = self.headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Whether a 101 opens the WebSocket that was asked for; its subprotocol and its extension (RFC 6455 4.1, points 2
    /// to 6).
    ///
    /// `accept_key` is what the key that was sent makes, `offered` the subprotocols and `compression` the extension
    /// that were.
    pub(crate) fn check(
        &self,
        accept_key: &[u8; 28],
        offered: &[String],
        compression: Option<&Compression>,
    ) -> Result<(Option<String>, Option<Agreed>), InvalidAnswer> {
        if self.minor_version == 0 {
            // RFC 9110 15.2: no 101 is ever sent over HTTP/1.0.
            return Err(InvalidAnswer::Malformed(
                "it switches protocols over HTTP/1.0",
            ));
        }
        let mut upgrades = self.elements("upgrade").peekable();
        if upgrades.peek().is_none()
            || !upgrades.all(|name| name.eq_ignore_ascii_case(b"websocket"))
        {
            return Err(InvalidAnswer::Upgrade);
        }
        if !self
            .elements("connection")
            .any(|option| option.eq_ignore_ascii_case(b"upgrade"))
        {
            return Err(InvalidAnswer::Connection);
        }
        if !self.values("sec-websocket-accept").eq([accept_key]) {
            return Err(InvalidAnswer::Accept);
        }
        Ok((self.subprotocol(offered)?, self.extension(compression)?))
    }

    /// RFC 6455 9.1: only what was offered may be chosen; nothing is fine.
    fn extension(
        &self,
        compression: Option<&Compression>,
    ) -> Result<Option<Agreed>, InvalidAnswer> {
        const NAME: &str = "sec-websocket-extensions";
        let checked = match compression {
            Some(own) => own.check(self.values(NAME)),
            None if self.elements(NAME).next().is_none() => Ok(None),
            None => Err(InvalidExtension::NotOffered),
        };
        checked.map_err(|invalid| {
            let chosen = excerpt(self.values(NAME).next().unwrap_or_default());
            match invalid {
                InvalidExtension::NotOffered => InvalidAnswer::Extension { chosen },
                #[cfg(feature = "deflate")]
                InvalidExtension::Parameters => InvalidAnswer::ExtensionParameters { chosen },
            }
        })
    }

    /// RFC 6455 4.1: at most one, on one line, of those that were offered; none is fine.
    fn subprotocol(&self, offered: &[String]) -> Result<Option<String>, InvalidAnswer> {
        let mut values = self.values("sec-websocket-protocol");
        let Some(chosen) = values.next() else {
            return Ok(None);
        };
        let known = offered.iter().find(|name| name.as_bytes() == chosen);
        match (known, values.next()) {
            (Some(known), None) => Ok(Some(known.clone())),
            (Some(_), Some(second)) => Err(InvalidAnswer::Subprotocol {
                chosen: excerpt(second),
            }),
            (None, _) => Err(InvalidAnswer::Subprotocol {
                chosen: excerpt(chosen),
            }),
        }
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.headers
            .iter()
            .filter(move |(sent, _)| sent.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    fn elements(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.values(name).flat_map(elements)
    }
}
