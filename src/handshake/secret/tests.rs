//! A secret is told from everything that differs from it, wherever it differs.

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
