//! Comparing what a client presents with a secret, in a time that tells the client nothing.

use core::hint::black_box;

/// Whether `given` is the secret, compared in constant time.
///
/// The time does not depend on how many bytes a client has guessed right, so it cannot guess the secret byte by byte
/// (CWE-208; CVE-2021-33880 was such a compare with `==`).
///
/// An empty secret matches nothing: a secret that was never set lets no client in. The length of the secret is not
/// hidden. Take one that cannot be guessed, 16 random bytes or more.
///
/// ```
/// use wshub::{Accept, Reject, Request, secret_matches};
///
/// fn accept(request: &Request, token: &str) -> Result<Accept, Reject> {
///     match request.cookie("token") {
///         None => Err(Reject::unauthorized().with_cause("no cookie")),
///         Some(given) if secret_matches(given, token) => Ok(Accept::new()),
///         Some(_) => Err(Reject::unauthorized().with_cause("wrong cookie")),
///     }
/// }
///
/// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: token=0badcafe\r\n\r\n")?;
/// assert!(accept(&request, "0badcafe").is_ok());
/// assert!(accept(&request, "0badcaff").is_err());
/// assert!(accept(&request, "").is_err());
/// # Ok::<(), wshub::Refusal>(())
/// ```
#[must_use]
pub fn secret_matches(given: impl AsRef<[u8]>, secret: impl AsRef<[u8]>) -> bool {
    let (given, secret) = (given.as_ref(), secret.as_ref());
    if given.len() != secret.len() || secret.is_empty() {
        return false;
    }
    let difference = given.iter().zip(secret).fold(0, |difference, (a, b)| {
        // Without the black box a compiler may stop at the first byte that differs.
        black_box(difference | (a ^ b))
    });
    difference == 0
}

#[cfg(test)]
mod tests;
