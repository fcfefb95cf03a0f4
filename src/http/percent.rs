//! Percent-encoding undone: of paths (RFC 3986 2.1), and of queries as forms and browsers write them (URL Standard
//! 5.1).

use std::borrow::Cow;

/// The segments of a path: one after each of its slashes.
pub(crate) fn segments(path: &str) -> impl Iterator<Item = Cow<'_, str>> {
    path.split('/')
        .skip(1)
        .map(|segment| decoded(segment, false))
}

/// The names and values of a query. URL Standard 5.1: what lies between two `&` is a pair, unless it is empty; without
/// a `=` its value is.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name, true), decoded(value, true))
    })
}

/// What is no percent sign with two digits after it stays as it is; what is no UTF-8 then becomes U+FFFD. So nothing
/// grows.
fn decoded(text: &str, plus_is_space: bool) -> Cow<'_, str> {
    let is_encoded = |byte| byte == b'%' || (plus_is_space && byte == b'+');
    if !text.bytes().any(is_encoded) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        match (first, behind) {
            (b'+', _) if plus_is_space => bytes.push(b' '),
            (b'%', &[high, low, ref behind @ ..]) => match byte(high, low) {
                Some(byte) => {
                    bytes.push(byte);
                    rest = behind;
                }
                None => bytes.push(first),
            },
            _ => bytes.push(first),
        }
    }
    let text = String::from_utf8(bytes);
    Cow::Owned(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The byte of the two digits after a percent sign.
pub(crate) fn byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests;
