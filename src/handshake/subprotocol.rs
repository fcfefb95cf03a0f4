//! Which subprotocol is spoken (RFC 6455 1.9), and what the log says of a client for which there is none.

use core::fmt;

use crate::http::refusal::Refusal;
use crate::http::request::Request;
use crate::http::token::is_token;

/// Offers that the log shows of one client.
const MOST_SHOWN: usize = 8;
/// The longest offer that the log shows, and the most digits in one: clients send tokens and keys as subprotocols.
const LONGEST_SHOWN: usize = 32;
const MOST_DIGITS: usize = 4;
/// Parts of names whose value may be a credential, or that of the offer after it.
const CREDENTIALS: [&str; 7] = ["auth", "bearer", "jwt", "key", "pass", "secret", "token"];

/// RFC 6455 4.2.2: one of those that the client offers, the server's favourite, or none. One pass over the offers.
pub(crate) fn choose(request: &Request, own: &[String]) -> Result<Option<String>, Refusal> {
    let mut best: Option<usize> = None;
    for offered in request.elements("sec-websocket-protocol") {
        // RFC 6455 4.1: each is a token.
        if !is_token(offered) {
            return Err(Refusal::SubprotocolSyntax);
        }
        let rank = own.iter().position(|own| own.as_bytes() == offered);
        best = rank.into_iter().chain(best).min();
    }
    Ok(best.and_then(|rank| own.get(rank)).cloned())
}

/// What the log says of a request whose offers the server speaks none of: a browser gives the connection up, and its
/// page is not told why.
pub(crate) struct NoCommonSubprotocol<'a>(pub(crate) &'a Request);

impl fmt::Display for NoCommonSubprotocol<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, left_out) = self.offers();
        f.write_str("the client offered the subprotocols ")?;
        for (i, name) in shown.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}\"{name}\"")?;
        }
        match (shown.len(), left_out) {
            (_, 0) => {}
            (0, more) => write!(f, "({more}, not shown: they may be credentials)")?,
            (_, more) => write!(f, " (and {more} not shown)")?,
        }
        f.write_str(", and none was chosen: a browser gives such a connection up; to speak one, ")?;
        match shown.first() {
            Some(name) => write!(f, "add .subprotocols([\"{name}\"]) to the server's builder")?,
            None => f.write_str("name it in .subprotocols on the server's builder")?,
        }
        f.write_str(", or choose it in the accept hook")
    }
}

impl NoCommonSubprotocol<'_> {
    /// The offers that may be shown, and how many besides.
    fn offers(&self) -> (Vec<&str>, usize) {
        let (mut shown, mut left_out) = (Vec::new(), 0);
        let mut before = "";
        for name in self.0.subprotocols() {
            match shown.len() < MOST_SHOWN && is_plain(name) && !names_credential(before) {
                true => shown.push(name),
                false => left_out += 1,
            }
            before = name;
        }
        (shown, left_out)
    }
}

/// Whether an offer is a name to all appearance, and no credential.
fn is_plain(name: &str) -> bool {
    name.len() <= LONGEST_SHOWN
        && name.bytes().filter(u8::is_ascii_digit).count() <= MOST_DIGITS
        && !names_credential(name)
}

fn names_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    CREDENTIALS.iter().any(|part| name.contains(part))
}
