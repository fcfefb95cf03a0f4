//! The negotiation of permessage-deflate: offers and answers in Sec-WebSocket-Extensions, and what comes of them
//! (RFC 6455 9.1, RFC 7692 5 and 7.1).

use super::config::Compression;
use super::deflater::{MAX_WINDOW_BITS, MIN_WINDOW_BITS};
use super::error::InvalidExtension;
use crate::http::quoted::{split_unquoted, unquote};
use crate::http::token::{is_token, is_token_byte};

const NAME: &str = "permessage-deflate";
const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) server: Direction,
    pub(crate) client: Direction,
    /// Our own: which messages to compress, and how hard to try.
    pub(crate) threshold: usize,
    pub(crate) level: u8,
    text: Box<str>,
}

/// How one side compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Direction {
    /// Messages refer to earlier ones.
    pub(crate) context_takeover: bool,
    /// The base-2 logarithm of its window, 8 to 15.
    pub(crate) window_bits: u8,
}

impl Agreed {
    /// The element of Sec-WebSocket-Extensions that the server answers with.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// How the server compresses.
    pub(crate) fn server(&self) -> Direction {
        self.server
    }

    /// How the client compresses.
    pub(crate) fn client(&self) -> Direction {
        self.client
    }

    fn new(server: Direction, client: Direction, own: &Compression, answer: &Parameters) -> Self {
        Self {
            server,
            client,
            threshold: own.threshold,
            level: own.level,
            text: answer.to_string().into(),
        }
    }
}

impl Compression {
    /// The server's choice: the first offer that it can take, or none (RFC 7692 5.1).
    ///
    /// An offer that cannot be understood is declined, and a line that is no list at all with everything in it.
    pub(crate) fn accept<'a>(&self, lines: impl Iterator<Item = &'a [u8]>) -> Option<Agreed> {
        lines
            .filter_map(extensions)
            .flatten()
            .filter(|extension| extension.name == NAME)
            .filter_map(|extension| Parameters::read(&extension.parameters))
            .find_map(|offer| agree(&offer, self))
    }

    /// What a client offers (RFC 7692 7.1).
    #[cfg(feature = "client")]
    pub(crate) fn offer(&self) -> String {
        let own = self.bounded();
        let smaller = |bits: u8| (bits < MAX_WINDOW_BITS).then_some(bits);
        Parameters {
            server_no_context_takeover: !own.server_context_takeover,
            client_no_context_takeover: !own.client_context_takeover,
            server_max_window_bits: smaller(own.server_max_window_bits),
            client_max_window_bits: Some(smaller(own.client_max_window_bits)),
        }
        .to_string()
    }

    /// What the server answered to the [offer](Self::offer); `None` if it declined.
    pub(crate) fn check<'a>(
        &self,
        lines: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Agreed>, InvalidExtension> {
        let mut chosen = None;
        for line in lines {
            for extension in extensions(line).ok_or(InvalidExtension::Parameters)? {
                if extension.name != NAME || chosen.is_some() {
                    return Err(InvalidExtension::NotOffered);
                }
                chosen = Some(
                    Parameters::read(&extension.parameters).ok_or(InvalidExtension::Parameters)?,
                );
            }
        }
        chosen.map(|answer| follow(&answer, self)).transpose()
    }
}

fn agree(offer: &Parameters, own: &Compression) -> Option<Agreed> {
    let own = own.bounded();
    let server = Direction {
        context_takeover: own.server_context_takeover && !offer.server_no_context_takeover,
        window_bits: offer
            .server_max_window_bits
            .map_or(own.server_max_window_bits, |most| {
                most.min(own.server_max_window_bits)
            }),
    };
    if server.window_bits < MIN_WINDOW_BITS {
        return None;
    }
    // RFC 7692 7.1.2.2: a client that does not mention its window cannot be told to make it smaller.
    let client = Direction {
        context_takeover: own.client_context_takeover && !offer.client_no_context_takeover,
        window_bits: match offer.client_max_window_bits {
            None => MAX_WINDOW_BITS,
            Some(most) => most
                .unwrap_or(MAX_WINDOW_BITS)
                .min(own.client_max_window_bits),
        },
    };
    let mentioned = offer.server_max_window_bits.is_some();
    let answer = Parameters {
        server_no_context_takeover: !server.context_takeover,
        client_no_context_takeover: !client.context_takeover,
        server_max_window_bits: (mentioned || server.window_bits < MAX_WINDOW_BITS)
            .then_some(server.window_bits),
        client_max_window_bits: (client.window_bits < MAX_WINDOW_BITS)
            .then_some(Some(client.window_bits)),
    };
    Some(Agreed::new(server, client, &own, &answer))
}

/// What an answer means for a client (RFC 7692 7.1: it MUST fail on what was not offered).
fn follow(answer: &Parameters, own: &Compression) -> Result<Agreed, InvalidExtension> {
    let own = own.bounded();
    let too_wide = answer
        .server_max_window_bits
        .is_some_and(|bits| bits > own.server_max_window_bits);
    let client_bits = match answer.client_max_window_bits {
        None => own.client_max_window_bits,
        Some(Some(bits)) if bits <= own.client_max_window_bits => bits,
        // RFC 7692 7.1.2.2: in an answer it has a value, which is not larger than the one offered.
        Some(_) => return Err(InvalidExtension::Parameters),
    };
    if too_wide {
        return Err(InvalidExtension::Parameters);
    }
    let server = Direction {
        // A server that was asked to forget and does not say so may remember: we can follow.
        context_takeover: !answer.server_no_context_takeover,
        window_bits: answer.server_max_window_bits.unwrap_or(MAX_WINDOW_BITS),
    };
    let client = Direction {
        context_takeover: own.client_context_takeover && !answer.client_no_context_takeover,
        window_bits: client_bits,
    };
    Ok(Agreed::new(server, client, &own, answer))
}

/// The parameters of one offer or answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// In an offer it may stand without a value.
    client_max_window_bits: Option<Option<u8>>,
}

impl Parameters {
    /// `None`: one of them is unknown, comes twice, or has a value that it cannot have (RFC 7692 7.1).
    fn read(parameters: &[(&str, Option<String>)]) -> Option<Self> {
        let mut read = Self::default();
        for (name, value) in parameters {
            let value = value.as_deref();
            let new = match *name {
                SERVER_NO_CONTEXT_TAKEOVER if value.is_none() => {
                    !core::mem::replace(&mut read.server_no_context_takeover, true)
                }
                CLIENT_NO_CONTEXT_TAKEOVER if value.is_none() => {
                    !core::mem::replace(&mut read.client_no_context_takeover, true)
                }
                SERVER_MAX_WINDOW_BITS => {
                    let bits = window_bits(value?)?;
                    read.server_max_window_bits.replace(bits).is_none()
                }
                CLIENT_MAX_WINDOW_BITS => {
                    let bits = match value {
                        None => None,
                        Some(value) => Some(window_bits(value)?),
                    };
                    read.client_max_window_bits.replace(bits).is_none()
                }
                _ => false,
            };
            if !new {
                return None;
            }
        }
        Some(read)
    }
}

impl core::fmt::Display for Parameters {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("permessage-deflate")?;
        if self.server_no_context_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_context_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; server_max_window_bits={bits}")?;
        }
        match self.client_max_window_bits {
            None => Ok(()),
            Some(None) => f.write_str("; client_max_window_bits"),
            Some(Some(bits)) => write!(f, "; client_max_window_bits={bits}"),
        }
    }
}

/// RFC 7692 7.1.2: a decimal number from 8 to 15 without leading zeroes.
fn window_bits(value: &str) -> Option<u8> {
    (8..=MAX_WINDOW_BITS).find(|bits| bits.to_string() == value)
}

/// One element of the list.
struct Extension<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, Option<String>)>,
}

/// The elements of one line; `None` if it breaks the grammar (RFC 6455 9.1).
fn extensions(line: &[u8]) -> Option<Vec<Extension<'_>>> {
    let elements = split_unquoted(core::str::from_utf8(line).ok()?, ',');
    // RFC 9110 5.6.1.2: empty elements are none.
    let elements = elements.filter(|element| !element.trim_ascii().is_empty());
    elements.map(Extension::parse).collect()
}

impl<'a> Extension<'a> {
    fn parse(element: &'a str) -> Option<Self> {
        let mut parts = split_unquoted(element, ';');
        Some(Self {
            name: token(parts.next()?)?,
            parameters: parts.map(parameter).collect::<Option<_>>()?,
        })
    }
}

fn parameter(text: &str) -> Option<(&str, Option<String>)> {
    let Some((name, value)) = text.split_once('=') else {
        return Some((token(text)?, None));
    };
    // RFC 6455 9.1: what quotes hold has to be a token, too.
    let value = unquote(value.trim_ascii(), is_token_byte)?;
    is_token(value.as_bytes()).then_some((token(name)?, Some(value)))
}

fn token(text: &str) -> Option<&str> {
    let text = text.trim_ascii();
    is_token(text.as_bytes()).then_some(text)
}

#[cfg(test)]
mod tests;
