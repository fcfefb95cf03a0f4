//! permessage-deflate in the handshake: offers in a request, and what the 101 says.

use super::*;
use crate::compression::Compression;
use crate::overflow::Overflow;

const PLAIN: &str = "permessage-deflate";
const DEFAULT: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// CVE-2020-7662 (websocket-extensions): time is linear in the length, whatever is in it.
#[test]
fn h19_long_offers_are_read_once() {
    let fill = 64_000;
    for value in [
        format!("a; b=\"{}", "\\c".repeat(fill / 2)),
        ",".repeat(fill),
        "a;".repeat(fill / 2),
        "a,".repeat(fill / 2),
        format!("{PLAIN}{}", ";a".repeat(fill / 2)),
        format!("{PLAIN}; server_max_window_bits={}", "1".repeat(fill)),
        format!("{PLAIN}, ").repeat(fill / 20),
    ] {
        let bytes = upgrade_head(&[&format!("Sec-WebSocket-Extensions: {value}")]);
        let request = Request::parse(&bytes).expect("within 65,535 bytes");
        let rules = Rules {
            compression: Some(Compression::default()),
            ..Rules::default()
        };
        assert!(negotiate::upgrade(&request, &rules, no_rule).is_ok());
        let _ = negotiate::extension(&request, &rules, Overflow::Disconnect);
    }
}

#[test]
fn the_101_says_what_was_agreed() {
    let rules = Rules {
        compression: Some(Compression::default()),
        ..Rules::default()
    };
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";
    let upgraded = upgrade(upgrade_head(&[offer]), &rules).unwrap();
    let agreed = extension(&[offer], &rules, Overflow::Disconnect);
    let answer = text(switching_protocols(
        &upgraded.accept_key,
        None,
        agreed.as_deref(),
        &Accept::new().headers,
    ));
    let line = format!("\r\nSec-WebSocket-Extensions: {DEFAULT}\r\n");
    assert!(answer.contains(&line), "{answer}");
    // Without the offer, or without the wish, there is no such line.
    assert_eq!(extension(&[], &rules, Overflow::Disconnect), None);
    let silent = extension(&[offer], &Rules::default(), Overflow::Disconnect);
    assert_eq!(silent, None);
}

/// Where messages may be missing from what the peer gets, none refers to an earlier one.
#[test]
fn a_policy_that_leaves_gaps_agrees_on_no_context() {
    let rules = Rules {
        compression: Some(Compression {
            server_context_takeover: true,
            client_context_takeover: true,
            ..Compression::default()
        }),
        ..Rules::default()
    };
    let offer = "Sec-WebSocket-Extensions: permessage-deflate";
    let agreed = |overflow| extension(&[offer], &rules, overflow).unwrap();
    assert_eq!(agreed(Overflow::Disconnect), PLAIN);
    let forgets = format!("{PLAIN}; server_no_context_takeover");
    for overflow in [Overflow::DropNewest, Overflow::DropOldest, Overflow::Refuse] {
        assert_eq!(agreed(overflow), forgets);
    }
}

/// What the 101 says of compression.
fn extension(offers: &[&str], rules: &Rules, overflow: Overflow) -> Option<String> {
    let request = Request::parse(&upgrade_head(offers)).unwrap();
    let agreed = negotiate::extension(&request, rules, overflow);
    agreed.map(|agreed| agreed.as_str().to_owned())
}

// ---- the client's side
