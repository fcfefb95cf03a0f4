//! Masking keys differ, and there are none where there is no randomness.

use super::*;
use std::collections::HashSet;

#[test]
fn keys_differ() {
    let mut keys = Keys::new(from_system);
    let given: HashSet<[u8; 4]> = (0..10_000).map(|_| keys.next().unwrap()).collect();
    // Of 10,000 random keys of 32 bits about 0.01 pairs are equal.
    assert!(given.len() > 9_990, "{}", given.len());
}

#[test]
fn no_key_is_given_where_the_source_fails() {
    let mut keys = Keys::new(|_| Err(io::ErrorKind::Unsupported.into()));
    for _ in 0..3 {
        assert_eq!(keys.next().unwrap_err().kind(), io::ErrorKind::Unsupported);
    }
}
