//! The target of a request: its forms (RFC 9112 3.2), and what each is made of.

use crate::http::authority::Authority;
use crate::http::refusal::Refusal;
use crate::http::scheme;

/// What a request target is made of.
pub(crate) struct RequestTarget<'a> {
    pub(crate) authority: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
}

/// The part of the server that a request is about. `*` stands for the whole server, and only with OPTIONS.
///
/// CONNECT is refused with every target: what follows a 2xx would be a tunnel to whoever passed it on (RFC 9110 9.3.6).
pub(crate) fn parse<'a>(method: &str, target: &'a str) -> Result<RequestTarget<'a>, Refusal> {
    match (method, target) {
        ("OPTIONS", "*") => Ok(RequestTarget {
            authority: None,
            path: target,
            query: None,
        }),
        ("CONNECT", _) => Err(Refusal::Method {
            method: method.to_owned(),
        }),
        _ => split(target).ok_or(Refusal::Malformed(
            "the target is neither a path nor an absolute URL (RFC 9112 3.2)",
        )),
    }
}

/// Origin form or absolute form (RFC 9112 3.2); a fragment is never sent (RFC 9110 7.1).
fn split(target: &str) -> Option<RequestTarget<'_>> {
    if target.contains('#') {
        return None;
    }
    let (authority, rest) = match target.starts_with('/') {
        true => (None, target),
        false => split_absolute(target).map(|(authority, rest)| (Some(authority), rest))?,
    };
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    Some(RequestTarget {
        authority,
        path,
        query,
    })
}

fn split_absolute(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once("://")?;
    scheme::is_secure(scheme)?;
    let (authority, rest) = rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len()))?;
    Authority::parse(authority)?;
    Some((authority, rest))
}
