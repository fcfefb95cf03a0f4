//! Handshakes that RFC 6455 and introductions to WebSocket show, each by its letter.
//!
//! - A: the example of RFC 6455 1.3, whose Origin is not of its Host.
//! - B: the same with another key; a scanned text shows that key with two letters misread, and it is one, too.
//! - C: the absolute form of the target, `GET ws://host/`; often shown without key and version.
//! - D: a browser's plain request with 1,200 bytes of cookies.
//! - E: header names in any case; a space before the colon.
//! - F: HTTP/1.0.
//! - G: a server that adds headers of its own to the 101.
//! - J: one port for HTTP and WebSocket.
//!
//! `tests/fuzz/corpus` has them, too: `sample_a` and so on.

use super::*;

fn assert_answer(key: &str, accept: &str) {
    let upgrade = upgrade(sample_a(key), &sample_rules()).expect("accepted");
    let answer = switching_protocols(
        &upgrade.accept_key,
        upgrade.subprotocol.as_deref(),
        None,
        &Accept::new().headers,
    );
    let wanted = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    );
    assert_eq!(text(answer), wanted);
}

#[test]
fn sample_a_is_answered_as_in_the_rfc() {
    assert_answer(KEY, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let at_defaults = upgrade(sample_a(KEY), &Rules::default()).unwrap_err();
    assert_eq!(
        (at_defaults.status(), at_defaults.reason()),
        (Some(403), "origin")
    );
}

#[test]
fn sample_b_and_its_misread_key() {
    assert_answer("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
    assert_answer("x3JJHMBDL1EzLkh9GBhXDw==", "ntUnSKj74tpJFRS3kIUvlT5CJ8k=");
    // Two letters misread.
    assert!(accept_key(b"x3JJHMBDM1YzLkh9GBhXDw==").is_some());
}

#[test]
fn sample_c_the_absolute_form() {
    let abbreviated = [
        "GET ws://websocket.example.com/ HTTP/1.1",
        "Origin: http://example.com",
        "Connection: Upgrade",
        "Host: websocket.example.com",
        "Upgrade: websocket",
    ];
    let refusal = upgrade(head(&abbreviated), &sample_rules()).unwrap_err();
    assert_eq!(refusal.status(), Some(426));
    assert!(
        refusal.to_string().contains("no Sec-WebSocket-Version"),
        "{refusal}"
    );

    let key = format!("Sec-WebSocket-Key: {KEY}");
    let with_version = [&abbreviated[..], &["Sec-WebSocket-Version: 13"]].concat();
    let refusal = upgrade(head(&with_version), &sample_rules()).unwrap_err();
    assert_eq!((refusal.status(), refusal.reason()), (Some(400), "key"));
    assert!(
        refusal.to_string().contains("Sec-WebSocket-Key is missing"),
        "{refusal}"
    );

    let whole = [&with_version[..], &[&key]].concat();
    assert!(upgrade(head(&whole), &sample_rules()).is_ok());
}

#[test]
fn sample_d_a_browsers_plain_request_with_long_cookies() {
    let cookie = format!("Cookie: a=1; session={}; z=2", "c".repeat(1200));
    let bytes = head(&[
        "GET / HTTP/1.1",
        "Host: localhost:9001",
        "Connection: keep-alive",
        "Upgrade-Insecure-Requests: 1",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
        "Accept-Language: en-US,en;q=0.9",
        &cookie,
    ]);
    let request = receive(&bytes).expect("well-formed");
    assert!(!request.wants_upgrade());
    assert!(
        negotiate::plain(
            &request,
            &Rules {
                loopback: true,
                ..Rules::default()
            },
            no_rule,
        )
        .is_ok()
    );
    assert_eq!(request.cookie("session").map(str::len), Some(1200));
    assert_eq!(request.cookie("z"), Some("2"));
    assert_eq!(upgrade_status(&[&cookie]), None);
    let without_hook = answer(&Refusal::UpgradeRequired);
    assert!(
        without_hook.starts_with("HTTP/1.1 426 Upgrade Required\r\n"),
        "{without_hook}"
    );
}

#[test]
fn sample_e_names_in_any_case_but_no_space_before_the_colon() {
    let lower = [
        "upgrade: websocket",
        "connection: Upgrade",
        "sec-websocket-version: 13",
    ];
    assert_eq!(upgrade_status(&lower), None);
    let spaced = head(&["GET / HTTP/1.1", "Host: a", "connection : Upgrade"]);
    assert_eq!(status_of(spaced), Some(400));
}

#[test]
fn sample_f_no_upgrade_over_http_1_0() {
    let mut bytes = upgrade_head(&[]);
    let version = bytes
        .windows(8)
        .position(|part| part == b"HTTP/1.1")
        .expect("a version");
    bytes[version + 7] = b'0';
    let refusal = upgrade(&bytes, &Rules::default()).unwrap_err();
    assert_eq!((refusal.status(), refusal.reason()), (Some(426), "http10"));
}

#[test]
fn sample_g_the_server_adds_headers_to_its_101() {
    let accept = Accept::new()
        .with_header("Date", "Tue, 15 Nov 1994 08:12:31 GMT")
        .expect("a header");
    let answer = text(switching_protocols(
        &[b'x'; 28],
        None,
        None,
        &accept.headers,
    ));
    assert!(
        answer.ends_with("\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\n\r\n"),
        "{answer}"
    );
    assert!(!answer.contains("Protocol:"), "{answer}");
}

#[test]
fn sample_j_one_port_tells_plain_and_upgrade_apart() {
    assert!(receive(&upgrade_head(&[])).expect("a head").wants_upgrade());
    assert!(
        !receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .expect("a head")
            .wants_upgrade()
    );
    assert!(
        !receive(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n")
            .expect("a head")
            .wants_upgrade()
    );
}
