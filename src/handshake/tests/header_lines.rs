//! Lines of headers, how they end, and which may come twice: rows H3 to H6.

use super::*;

#[test]
fn h03_folded_lines() {
    assert_eq!(
        status_of("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
        Some(400)
    );
    assert_eq!(
        status_of("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n"),
        Some(400)
    );
}

#[test]
fn h04_line_ends_and_control_characters() {
    let refused: [&[u8]; 9] = [
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x07b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    for bytes in refused {
        assert_eq!(status_of(bytes), Some(400), "{:?}", excerpt(bytes));
    }
    let request =
        receive(b"GET / HTTP/1.1\r\nHost: a\r\nX:\ta\tb\xff \r\n\r\n").expect("obs-text passes");
    assert_eq!(request.header_bytes("x"), Some(&b"a\tb\xff"[..]));
    assert_eq!(request.header("x"), None);
}

/// RFC 9112 2.2: what some clients send after the body of the request before.
#[test]
fn m08_one_empty_line_in_front_is_ignored() {
    let request = receive(b"\r\nGET /a?b HTTP/1.1\r\nHost: h\r\n\r\n").expect("a head");
    assert_eq!(
        (request.method(), request.target(), request.host()),
        ("GET", "/a?b", "h")
    );
    let answer = upgrade(
        [b"\r\n", &upgrade_head(&[])[..]].concat(),
        &Rules::default(),
    );
    assert!(answer.is_ok(), "{answer:?}");
    for bytes in [
        &b"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"[..],
        b"\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\rGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b" \r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\r\n GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\r\n\x16\x03\x01",
    ] {
        assert_eq!(status_of(bytes), Some(400), "{:?}", excerpt(bytes));
    }
}

#[test]
fn m08_the_empty_line_in_front_counts() {
    let bytes = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let limits = |max_head| HeadLimits {
        max_head,
        ..HeadLimits::default()
    };
    let fits = scan(limits(bytes.len()), &[bytes]).expect("fits");
    assert_eq!(fits, Some(bytes.len()));
    let refusal = scan(limits(bytes.len() - 1), &[bytes]).unwrap_err();
    assert_eq!(refusal.reason(), "head_too_large");
    // The other limits are counted from the request line on.
    let target = format!("\r\nGET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "t".repeat(7_999));
    assert_eq!(
        receive(target.as_bytes()).expect("fits").target().len(),
        8_000
    );
}

#[test]
fn h05_header_names() {
    for line in [
        "Name : v",
        "Name\t: v",
        ": v",
        "Na me: v",
        "Na(me: v",
        "N\u{e4}me: v",
        "no colon",
        "Na\"me: v",
    ] {
        assert_eq!(
            status_of(head(&["GET / HTTP/1.1", "Host: a", line])),
            Some(400),
            "{line}"
        );
    }
    let refusal = receive(&head(&["GET / HTTP/1.1", "Host: a", "Name : v"])).unwrap_err();
    assert!(refusal.to_string().contains("RFC 9112 5.1"), "{refusal}");
    assert_eq!(status_of("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), Some(400));
}

#[test]
fn h06_single_headers_sent_twice() {
    let (key, host) = (
        format!("Sec-WebSocket-Key: {KEY}"),
        "Host: server.example.com",
    );
    for line in [&key, "sec-websocket-version: 13", host, "HOST: other"] {
        let mut bytes = upgrade_head(&[]);
        bytes.truncate(bytes.len() - 2);
        bytes.extend_from_slice(format!("{line}\r\n\r\n").as_bytes());
        assert_eq!(status_of(&bytes), Some(400), "{line}");
    }
    let origins = [
        "GET / HTTP/1.1",
        "Host: a",
        "Origin: http://a",
        "Origin: http://a",
    ];
    assert_eq!(status_of(head(&origins)), Some(400));
}

#[test]
fn h06_lists_are_joined_over_their_lines() {
    let bytes = head(&[
        "GET / HTTP/1.1",
        "Host: a",
        "Upgrade: h2c",
        "Upgrade: websocket",
        "Connection: keep-alive",
        "Connection: Upgrade",
        "Sec-WebSocket-Protocol: one",
        "Sec-WebSocket-Protocol: two,three",
        "Sec-WebSocket-Version: 13",
        &format!("Sec-WebSocket-Key: {KEY}"),
    ]);
    assert!(
        receive(&bytes)
            .expect("a head")
            .subprotocols()
            .eq(["one", "two", "three"])
    );
    let rules = Rules {
        subprotocols: list(&["three"]),
        ..Rules::default()
    };
    assert_eq!(
        upgrade(&bytes, &rules)
            .expect("accepted")
            .subprotocol
            .as_deref(),
        Some("three")
    );
}
