//! permessage-deflate in the handshake: offers in a request, and what the 101 says.

use super::*;
use crate::compression::{Agreed, Compression};

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
    let extension = upgraded.extension.as_ref().map(Agreed::as_str);
    let answer = text(switching_protocols(
        &upgraded.accept_key,
        None,
        extension,
        Accept::new().headers(),
    ));
    let line = format!("\r\nSec-WebSocket-Extensions: {DEFAULT}\r\n");
    assert!(answer.contains(&line), "{answer}");
    // Without the offer, or without the wish, there is no such line.
    assert_eq!(upgrade(upgrade_head(&[]), &rules).unwrap().extension, None);
    assert_eq!(
        upgrade(upgrade_head(&[offer]), &Rules::default())
            .unwrap()
            .extension,
        None
    );
}

// ---- the client's side
