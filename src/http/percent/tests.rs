//! Percent-encoding: the samples of the URL Standard and of RFC 3986, and what peers make of it.

use super::*;

fn query(text: &str) -> Vec<(String, String)> {
    pairs(text)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

fn path(text: &str) -> Vec<String> {
    segments(text).map(Cow::into_owned).collect()
}

#[test]
fn pairs_are_those_of_a_browser() {
    for (text, expected) in [
        ("", &[][..]),
        ("a=1&b=2", &[("a", "1"), ("b", "2")]),
        ("a=1&a=2", &[("a", "1"), ("a", "2")]),
        ("a", &[("a", "")]),
        ("a=", &[("a", "")]),
        ("=a", &[("", "a")]),
        ("=", &[("", "")]),
        ("&&a=1&", &[("a", "1")]),
        ("a=b=c", &[("a", "b=c")]),
        ("a=x+y%2Bz", &[("a", "x y+z")]),
        ("a%3Db=c%26d", &[("a=b", "c&d")]),
        ("+a+=+", &[(" a ", " ")]),
        ("a=%E2%82%AC", &[("a", "€")]),
        ("a=%e2%82%ac", &[("a", "€")]),
        ("a=1;b=2", &[("a", "1;b=2")]),
    ] {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(query(text), expected, "{text}");
    }
}

#[test]
fn what_is_not_encoded_right_stays() {
    for (text, expected) in [
        ("%", "%"),
        ("%4", "%4"),
        ("%4G", "%4G"),
        ("%G4", "%G4"),
        ("%%41", "%A"),
        ("%2%35", "%25"),
        ("100%", "100%"),
        // Once, not twice.
        ("%2541", "%41"),
        ("%FF", "\u{fffd}"),
        ("%E2%82", "\u{fffd}"),
        ("%00", "\0"),
    ] {
        assert_eq!(decoded(text, true), expected, "{text}");
        assert_eq!(decoded(text, false), expected, "{text}");
    }
}

#[test]
fn there_are_as_many_segments_as_slashes() {
    for (text, expected) in [
        ("/", &[""][..]),
        ("/a", &["a"]),
        ("/a/", &["a", ""]),
        ("/a//b", &["a", "", "b"]),
        ("/rooms/two%20words", &["rooms", "two words"]),
        ("/a%2Fb/c", &["a/b", "c"]),
        ("/%2e%2e/..", &["..", ".."]),
        // A plus is a plus here.
        ("/a+b", &["a+b"]),
    ] {
        assert_eq!(path(text), expected, "{text}");
    }
}

#[test]
fn what_needs_no_decoding_is_not_copied() {
    assert!(matches!(decoded("plain", true), Cow::Borrowed("plain")));
    assert!(matches!(decoded("a+b", false), Cow::Borrowed("a+b")));
}

/// A head is bounded, and what is decoded of it is no longer than that.
#[test]
fn nothing_grows() {
    for text in ["%FF%FF%FF", "%E2%82%E2%82", "+++", "%41%FF+"] {
        assert!(decoded(text, true).len() <= text.len(), "{text}");
    }
}
