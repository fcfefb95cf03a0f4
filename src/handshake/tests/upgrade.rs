//! Rows H7 to H11, H16 to H19: what opens a WebSocket.

use super::*;

#[test]
fn h07_upgrade_is_a_token_list() {
    let accepted = [
        ["Upgrade: h2c, websocket", "Connection: Upgrade"],
        ["Upgrade: WebSocket", "Connection: keep-alive, Upgrade"],
        ["Upgrade: websocket, foo", "Connection: ,,upgrade ,"],
        ["Upgrade: WEBSOCKET", "Connection:\tkeep-alive\t,\tUPGRADE"],
    ];
    for lines in accepted {
        assert_eq!(upgrade_status(&lines), None, "{lines:?}");
    }
    let refused = [
        ["Upgrade: foo", "Connection: Upgrade"],
        ["Upgrade: websockets", "Connection: Upgrade"],
        ["Upgrade: websocket/13", "Connection: Upgrade"],
        ["Upgrade: web socket", "Connection: Upgrade"],
        ["Upgrade:", "Connection: Upgrade"],
        ["Upgrade: websocket", "Connection: keep-alive"],
        ["Upgrade: websocket", "Connection: close, upgraded"],
    ];
    for lines in refused {
        assert_eq!(upgrade_status(&lines), Some(426), "{lines:?}");
    }
}

/// One of its headers is enough to tell what a client wants.
#[test]
fn h08_who_wants_an_upgrade_is_not_answered_as_if_it_did_not() {
    for line in [
        "Upgrade: websocket",
        "Sec-WebSocket-Key: x",
        "Sec-WebSocket-Version: 13",
    ] {
        let request = receive(&head(&["GET / HTTP/1.1", "Host: a", line])).expect("a head");
        assert!(request.wants_upgrade(), "{line}");
    }
}

#[test]
fn h08_a_key_without_upgrade_or_connection() {
    for changes in [
        &["!Upgrade"][..],
        &["!Connection"],
        &["!Upgrade", "!Connection"],
    ] {
        let refusal = upgrade(upgrade_head(changes), &Rules::default()).unwrap_err();
        let answer = answer(&refusal);
        assert_eq!(
            (refusal.status(), refusal.reason()),
            (Some(426), "upgrade"),
            "{changes:?}"
        );
        assert!(answer.contains("\r\nUpgrade: websocket\r\n"), "{answer}");
        assert!(
            answer.contains("\r\nConnection: close, Upgrade\r\n"),
            "{answer}"
        );
    }
}

#[test]
fn h09_no_body_with_an_upgrade() {
    for line in [
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding:",
    ] {
        assert_eq!(upgrade_status(&[line]), Some(400), "{line}");
    }
    for line in ["Content-Length: 0", "Content-Length: 00"] {
        assert_eq!(upgrade_status(&[line]), None, "{line}");
    }
    let coded = upgrade_head(&["Transfer-Encoding: chunked"]);
    let refusal = upgrade(coded, &Rules::default()).unwrap_err();
    assert!(!refusal.to_string().contains("HTTP/1.0"), "{refusal}");
}

#[test]
fn h09_lengths_that_are_none() {
    // CVE-2023-34188 (mongoose): a negative length was parsed for ever.
    for value in ["+5", "-1", "5,6", "5, 5", "", "0x5", "5 5", "five", "5.0"] {
        let line = format!("Content-Length: {value}");
        assert_eq!(upgrade_status(&[&line]), Some(400), "{line}");
        assert_eq!(
            plain_status(
                &head(&["GET / HTTP/1.1", "Host: a", &line]),
                &Rules::default()
            ),
            Some(400),
            "{line}"
        );
    }
    let framed = |lines: &[&str]| {
        let lines = [&["GET / HTTP/1.1", "Host: a"], lines].concat();
        plain_status(&head(&lines), &Rules::default())
    };
    assert_eq!(
        framed(&["Content-Length: 5", "Transfer-Encoding: chunked"]),
        Some(400)
    );
    assert_eq!(
        framed(&["Content-Length: 5", "Content-Length: 5"]),
        Some(400)
    );
    assert_eq!(
        framed(&["Content-Length: 0", "Content-Length: 6"]),
        Some(400)
    );
    assert_eq!(framed(&["Content-Length: 5"]), None);
    let old = head(&["GET / HTTP/1.0", "Host: a", "Transfer-Encoding: chunked"]);
    assert_eq!(plain_status(&old, &Rules::default()), Some(400));
}

/// RFC 9112 6.3: where the last coding is not chunked nobody knows where the body ends.
#[test]
fn m08_codings_whose_last_is_not_chunked() {
    let coded = |lines: &[&str]| {
        let lines = [&["GET / HTTP/1.1", "Host: localhost"], lines].concat();
        plain_status(&head(&lines), &Rules::default())
    };
    for refused in [
        "identity",
        "xchunked",
        "chunked, gzip",
        "gzip",
        "",
        ",",
        "chunked, identity",
        "chunked, chunked",
        "chunked;q=1",
        "chunked x",
        "\"chunked\"",
        "a;b=\",chunked",
        "gzip chunked",
        "x\u{e4}, chunked",
    ] {
        let line = format!("Transfer-Encoding: {refused}");
        assert_eq!(coded(&[&line]), Some(400), "{refused}");
        assert_eq!(upgrade_status(&[&line]), Some(400), "{refused}");
    }
    assert_eq!(
        coded(&["Transfer-Encoding: chunked", "Transfer-Encoding: identity"]),
        Some(400)
    );
    for served in [
        &["Transfer-Encoding: chunked"][..],
        &["transfer-encoding:\tCHUNKED "],
        &["Transfer-Encoding: ,chunked,"],
    ] {
        assert_eq!(coded(served), None, "{served:?}");
    }
}

#[test]
fn h10_h11_bytes_after_the_head_are_not_looked_at() {
    for behind in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x81\x85\x00\x00\x00\x00hello",
        b"\0\n\r\n",
    ] {
        let upgrade = upgrade_head(&[]);
        let bytes = [&upgrade[..], behind].concat();
        assert_eq!(
            scan(HeadLimits::default(), &[&bytes]).expect("a head"),
            Some(upgrade.len())
        );
        assert!(
            Request::parse(&bytes).is_err(),
            "parse wants the head alone"
        );
    }
}

#[test]
fn h16_keys() {
    let status = |key: &str| upgrade_status(&[&format!("Sec-WebSocket-Key: {key}")]);
    let long = "A".repeat(4096);
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25jZ",
        "dGhlIHNhbXBsZSBub25jZQ",
        "AAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAAAA",
        "dGhlIHNhbXBsZSBub25j*Q==",
        "dGhlIHNhbXBsZSBub25j Q==",
        "dGhlIHNhbXBsZSBub25jZQ= =",
        "dGhlIHNhbXBsZSBub25j_-==",
        "dGhlIHNhbXBsZSBub25jZ===",
        "====",
        "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}",
        &long,
    ] {
        assert_eq!(status(key), Some(400), "{key}");
    }
    assert_eq!(upgrade_status(&["!Sec-WebSocket-Key"]), Some(400));
    // RFC 9110 5.5: spaces around a value are not part of it, and MUST be left out before it is looked at.
    assert_eq!(status(&format!("\t {KEY} \t")), None);
    // 22 letters at random, as some devices send: the four bits left over are not zero.
    assert_eq!(status("zzzzzzzzzzzzzzzzzzzzzz=="), None);
}

#[test]
fn h17_versions() {
    for version in ["8", "13, 8", "013", "+13", "", "1 3", "14"] {
        let line = format!("Sec-WebSocket-Version: {version}");
        let refusal = upgrade(upgrade_head(&[&line]), &Rules::default()).unwrap_err();
        let answer = answer(&refusal);
        assert_eq!(
            (refusal.status(), refusal.reason()),
            (Some(426), "version"),
            "{version}"
        );
        assert!(
            answer.contains("\r\nSec-WebSocket-Version: 13\r\n"),
            "{answer}"
        );
    }
    assert_eq!(upgrade_status(&["!Sec-WebSocket-Version"]), Some(426));
}

#[test]
fn h18_subprotocols() {
    let rules = Rules {
        subprotocols: list(&["v2", "v1"]),
        ..Rules::default()
    };
    let choose = |offers: &str| {
        let bytes = upgrade_head(&[&format!("Sec-WebSocket-Protocol: {offers}")]);
        upgrade(bytes, &rules).map(|upgrade| upgrade.subprotocol.unwrap_or_default())
    };
    for (offers, chosen) in [
        ("v1, v2", "v2"),
        ("v1", "v1"),
        ("v1,v1,v1", "v1"),
        ("V2", ""),
        ("v3", ""),
        ("", ""),
        (",", ""),
        (" , ", ""),
        (",,v1,,", "v1"),
    ] {
        assert_eq!(choose(offers).expect(offers), chosen, "{offers}");
    }
    for offers in ["v 1", "v1, (v2)", "v1;v2", "\"v1\"", "v1,\u{e4}"] {
        let refusal = choose(offers).unwrap_err();
        assert_eq!(
            (refusal.status(), refusal.reason()),
            (Some(400), "subprotocol"),
            "{offers}"
        );
    }
}

/// CVE-2021-32640 (ws), CVE-2026-45541 (esp-idf): run on 64 KiB; a quadratic parser would not come back in time.
#[test]
fn cve_2021_32640_subprotocol_lists_of_64_kib() {
    let rules = Rules {
        subprotocols: list(&["x"]),
        ..Rules::default()
    };
    let fill = 64_000;
    for value in [
        format!("b{}x", " ".repeat(fill)),
        ",".repeat(fill),
        "a,".repeat(fill / 2),
        " ,".repeat(fill / 2),
        format!("{}x", "\t".repeat(fill)),
    ] {
        let bytes = upgrade_head(&[&format!("Sec-WebSocket-Protocol: {value}")]);
        let request = Request::parse(&bytes).expect("within 65,535 bytes");
        let _ = negotiate::upgrade(&request, &rules, no_rule);
        assert!(request.subprotocols().count() <= fill);
    }
}

/// CVE-2020-7662 (websocket-extensions), ws 2017 and others: by default extensions are not parsed at all.
#[test]
fn h19_extensions_are_declined_whatever_they_say() {
    let fill = 64_000;
    for value in [
        "constructor".to_owned(),
        "permessage-deflate; server_max_window_bits=999".to_owned(),
        format!("a; b=\"{}", "\\c".repeat(fill / 2)),
        ",".repeat(fill),
        "a;".repeat(fill / 2),
    ] {
        let bytes = upgrade_head(&[&format!("Sec-WebSocket-Extensions: {value}")]);
        let request = Request::parse(&bytes).expect("within 65,535 bytes");
        assert!(negotiate::upgrade(&request, &Rules::default(), no_rule).is_ok());
    }
}

/// GHSA-jc97-h3h9-7xh6 (Deno): long Upgrade and Connection lists.
#[test]
fn ghsa_jc97_h3h9_7xh6_long_connection_lists() {
    let long = format!("Connection: {}Upgrade", "a, ".repeat(20_000));
    let request = Request::parse(&upgrade_head(&[&long])).expect("within 65,535 bytes");
    assert!(negotiate::upgrade(&request, &Rules::default(), no_rule).is_ok());
}

/// What the log says when none of the offers was chosen: credentials are sent as subprotocols, too.
#[test]
fn h18_offers_are_told_unless_they_may_be_credentials() {
    let told = |offers: &str| {
        let bytes = upgrade_head(&[&format!("Sec-WebSocket-Protocol: {offers}")]);
        NoCommonSubprotocol(&receive(&bytes).expect("a head")).to_string()
    };
    for (offers, shown) in [
        ("chat", "\"chat\", and"),
        ("ocpp2.0.1, v12.stomp", "\"ocpp2.0.1\", \"v12.stomp\", and"),
        (
            "a, b, c, d, e, f, g, h, i, j",
            "\"h\" (and 2 not shown), and",
        ),
        ("mqtt, 0123456789abcdef", "\"mqtt\" (and 1 not shown), and"),
        ("chat, bearer, HIDDEN", "\"chat\" (and 2 not shown), and"),
        (
            "hub.auth, token.HIDDEN",
            "(2, not shown: they may be credentials), and",
        ),
        (
            "base64url.bearer.authorization.k8s.io.HIDDEN",
            "(1, not shown",
        ),
        (
            "Authorization, HIDDEN, chat",
            "\"chat\" (and 2 not shown), and",
        ),
        ("eyJhbGciOiJIUzI1NiJ9.HIDDENHIDDENHIDDEN", "(1, not shown"),
    ] {
        let told = told(offers);
        assert!(told.contains(shown), "{told}");
        assert!(!told.contains("HIDDEN"), "{told}");
    }
    assert!(told("bearer, chat, v1").contains(".subprotocols([\"v1\"])"));
    assert!(told("bearer, chat").contains("name it in .subprotocols on"));
}
