//! Comparing what a client presents with a secret, in a time that tells the client nothing.

use core::hint::black_box;

/// Whether `given` is the secret, compared in constant time: however many bytes a client has guessed right, the
/// answer takes as long, so that it cannot guess the secret byte by byte (CWE-208; CVE-2021-33880 was such a compare
/// with `==`).
///
/// An empty secret matches nothing: one that somebody forgot to set lets nobody in. The length of the secret is not
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
mod tests {
    use super::secret_matches;

    #[test]
    fn cve_2021_33880_every_bit_of_every_byte_counts() {
        let secret = *b"0123456789abcdef";
        assert!(secret_matches(secret, secret));
        for at in 0..secret.len() {
            for bit in 0..8 {
                let mut given = secret;
                given[at] ^= 1 << bit;
                assert!(!secret_matches(given, secret), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn cve_2021_33880_two_differences_do_not_cancel_out() {
        assert!(!secret_matches([1, 1], [0, 0]));
        assert!(!secret_matches("ba", "ab"));
    }

    #[test]
    fn cve_2021_33880_a_part_or_nothing_is_not_the_secret() {
        for given in ["", "0", "012", "01234"] {
            assert!(!secret_matches(given, "0123"), "{given:?}");
        }
        assert!(!secret_matches("", ""), "an empty secret matches nothing");
    }
}
