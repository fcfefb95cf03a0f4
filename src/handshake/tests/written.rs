//! What is written, shown and kept.

use core::time::Duration;

use super::*;
use crate::http::date::Date;

fn every_refusal() -> Vec<Refusal> {
    let sent = "x".to_owned();
    vec![
        Refusal::HeadTooLarge { limit: 1 },
        Refusal::TooManyHeaders { limit: 1 },
        Refusal::TargetTooLong { limit: 1 },
        Refusal::Malformed("bad"),
        Refusal::HttpVersion,
        Refusal::Method {
            method: sent.clone(),
        },
        Refusal::UpgradeOverHttp10,
        Refusal::UpgradeMissing,
        Refusal::UpgradeRequired,
        Refusal::BodyOnUpgrade,
        Refusal::BodyTooLarge { limit: 1 },
        Refusal::BodyTooSlow,
        Refusal::LengthRequired,
        Refusal::Expectation,
        Refusal::TransferCoding,
        Refusal::WebSocketVersion {
            sent: Some(sent.clone()),
        },
        Refusal::WebSocketVersion { sent: None },
        Refusal::Key,
        Refusal::SubprotocolSyntax,
        Refusal::Origin {
            origin: sent.clone(),
            host: sent.clone(),
        },
        Refusal::OriginSyntax {
            origin: sent.clone(),
            problem: "bad",
        },
        Refusal::Host {
            host: sent.clone(),
            loopback: true,
        },
        Refusal::HostSyntax { host: sent.clone() },
        Refusal::OriginAndHost {
            origin: sent.clone(),
            host: sent.clone(),
        },
        Refusal::CrossSite {
            method: sent.clone(),
            origin: sent.clone(),
            host: sent.clone(),
        },
        Refusal::ProxyProtocol { problem: "bad" },
        Refusal::UntrustedProxy { peer: sent.clone() },
        Refusal::Forwarded { problem: "bad" },
        Refusal::Timeout,
        Refusal::Full,
        Refusal::Evicted,
        Refusal::HandshakesFull,
        Refusal::HttpRequestsFull,
        Refusal::WaitingRequestsFull,
        Refusal::AnswerTimeout,
        Refusal::NoAnswer,
        Refusal::ShuttingDown,
        Refusal::HookPanicked,
        Refusal::SubprotocolNotOffered { chosen: sent },
        Refusal::HookRejected(Reject::unauthorized()),
    ]
}

#[test]
fn every_refusal_is_a_complete_answer_that_closes() {
    for refusal in every_refusal() {
        let answer = answer(&refusal);
        let (head, body) = answer.split_once("\r\n\r\n").expect("a blank line");
        let status = refusal.status().expect("a status");
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(
            !head.starts_with(&format!("HTTP/1.1 {status} \r")),
            "no phrase: {head}"
        );
        assert!(head.contains("\r\nConnection: close"), "{head}");
        assert!(
            head.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"),
            "{head}"
        );
        assert!(
            head.contains(&format!("\r\nContent-Length: {}", body.len())),
            "{head}"
        );
        assert_eq!(
            head.contains("\r\nRetry-After: 1\r\n"),
            status == 503,
            "{head}"
        );
        assert_eq!(body.matches('\n').count(), 1, "one line: {body}");
        assert!(
            refusal
                .reason()
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        );
        assert!(!refusal.to_string().contains("  "), "{refusal}");
    }
    assert!(
        answer(&Refusal::HookRejected(Reject::unauthorized()))
            .contains("\r\nWWW-Authenticate: Bearer\r\n")
    );
    assert_eq!(
        (Refusal::PeerLeft.status(), answer(&Refusal::PeerLeft)),
        (None, String::new())
    );
}

#[test]
fn a_rejection_is_written_as_the_hook_says() {
    let reject = Reject::unauthorized()
        .with_header("www-authenticate", "Basic realm=\"a\"")
        .expect("a header");
    let answer = answer(&Refusal::HookRejected(reject.with_body("no\n")));
    assert_eq!(
        answer
            .to_ascii_lowercase()
            .matches("www-authenticate")
            .count(),
        1,
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\nno\n"), "{answer}");
}

#[test]
fn responses_for_get_head_and_without_content() {
    let page = Response::html("<p>hi");
    let whole = text(page.encode(false, None));
    assert_eq!(
        whole,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html; charset=utf-8\r\n\
         X-Content-Type-Options: nosniff\r\nContent-Length: 5\r\n\r\n<p>hi"
    );
    assert_eq!(
        text(page.encode(true, None)),
        whole.trim_end_matches("<p>hi")
    );
    for (status, length) in [(204, None), (304, None), (205, Some("0"))] {
        let answer = text(
            Response::new(status)
                .expect("a status")
                .with_body("body")
                .encode(false, None),
        );
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        let sent = answer
            .split("Content-Length: ")
            .nth(1)
            .map(|rest| rest.trim_end());
        assert_eq!(sent, length, "{answer}");
    }
    assert!(
        text(Response::new(299).expect("a status").encode(false, None))
            .starts_with("HTTP/1.1 299 \r\n")
    );
    let missing = Response::not_found();
    assert_eq!(
        (missing.status(), missing.header("content-type")),
        (404, Some("text/plain; charset=utf-8"))
    );
}

/// RFC 9110 6.6.1, 9.3.2: HEAD gets the Date of GET.
#[test]
fn m08_an_answer_says_when_it_was_made() {
    let date = Date::new(Duration::from_secs(784_111_777));
    let line = "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    for head_only in [true, false] {
        assert!(text(Response::ok().encode(head_only, date)).contains(line));
        assert!(text(Response::ok().encode(head_only, None)).starts_with("HTTP/1.1 200 OK\r\nC"));
        for refusal in every_refusal() {
            let answer = text(refusal.encode(head_only, date));
            assert_eq!(answer.matches(line).count(), 1, "{answer}");
        }
    }
    let own = Response::ok()
        .with_header("DATE", "of the hook")
        .expect("a header");
    let answer = text(own.encode(false, date)).to_ascii_lowercase();
    assert!(answer.contains("\r\ndate: of the hook\r\n"), "{answer}");
    assert_eq!(answer.matches("\r\ndate:").count(), 1, "{answer}");
}

#[test]
fn peer_text_is_escaped_and_cut_short() {
    assert_eq!(excerpt(b"a\r\n\x1b[31m\"\0"), "a\\r\\n\\u{1b}[31m\\\"\\0");
    assert_eq!(excerpt(&[b'x'; 64]), "x".repeat(64));
    assert_eq!(excerpt(&[b'x'; 5000]), format!("{}...", "x".repeat(64)));
    assert_eq!(
        excerpt("\u{1f600}".repeat(1000).as_bytes()).chars().count(),
        67
    );
    assert_eq!(excerpt("\u{202e}".as_bytes()), "\\u{202e}");
    let origin = format!("Origin: http://{}", "e".repeat(7000));
    let refusal = upgrade(upgrade_head(&[&origin]), &Rules::default()).unwrap_err();
    assert!(answer(&refusal).len() < 1024, "{refusal}");
}

#[test]
fn debug_prints_no_secret() {
    let bytes = head(&[
        "GET /chat?token=SECRET1 HTTP/1.1",
        "Host: a",
        "Cookie: id=SECRET2",
        "Authorization: Bearer SECRET3",
    ]);
    let request = receive(&bytes).expect("a head");
    let shown = format!("{request:?}");
    assert!(
        shown.contains("/chat") && shown.contains("Cookie"),
        "{shown}"
    );
    assert!(!shown.contains("SECRET"), "{shown}");
    let accept = Accept::new()
        .with_header("Set-Cookie", "id=SECRET")
        .expect("a header");
    let reject = Reject::forbidden()
        .with_header("Set-Cookie", "id=SECRET")
        .expect("a header")
        .with_body("SECRET");
    let shown = format!("{accept:?} {reject:?} {:?}", Response::text("SECRET"));
    assert!(!shown.contains("SECRET"), "{shown}");
    for told in ["Set-Cookie", "status: 403", "body_len: 6"] {
        assert!(shown.contains(told), "{told} in {shown}");
    }
}

#[test]
fn requests_say_what_was_sent() {
    let bytes = head(&[
        "GET /a%20b?x=1&y HTTP/1.1",
        "Host: h:9001",
        "X-Two: one",
        "Cookie: a=1;b=2 ; c ; =d; e=f=g; q=\"v\"",
        "x-two: two",
        "Cookie: a=3",
        "Origin: http://h",
    ]);
    let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4711);
    let request = receive(&bytes).expect("a head").with_peer_addr(Some(peer));
    assert_eq!(
        (request.method(), request.version()),
        ("GET", Version::Http11)
    );
    assert_eq!(
        (request.path(), request.query_string(), request.host()),
        ("/a%20b", Some("x=1&y"), "h:9001")
    );
    assert_eq!(
        (request.header("X-TWO"), request.origin()),
        (Some("one"), Some("http://h"))
    );
    assert_eq!(
        request.headers().map(|(name, _)| name).collect::<Vec<_>>(),
        ["Host", "X-Two", "Cookie", "x-two", "Cookie", "Origin"]
    );
    let cookies: Vec<_> = request.cookies().collect();
    assert_eq!(
        cookies,
        [
            ("a", "1"),
            ("b", "2"),
            ("", "d"),
            ("e", "f=g"),
            ("q", "\"v\""),
            ("a", "3")
        ]
    );
    assert_eq!(
        (request.cookie("a"), request.cookie("c")),
        (Some("1"), None)
    );
    assert_eq!(request.peer_addr(), Some(peer));
    assert!(request.client_certificates().is_empty());
    let request = request.with_client_certificates([b"DER".to_vec()]);
    assert_eq!(request.client_certificates(), [b"DER"]);
    assert_eq!(request.path(), "/a%20b");
}

#[test]
fn every_status_of_a_refusal_has_its_name_and_one_without_has_none() {
    use crate::http::status::reason_phrase;
    let names = [
        (101, "Switching Protocols"),
        (200, "OK"),
        (201, "Created"),
        (202, "Accepted"),
        (204, "No Content"),
        (301, "Moved Permanently"),
        (302, "Found"),
        (303, "See Other"),
        (304, "Not Modified"),
        (307, "Temporary Redirect"),
        (308, "Permanent Redirect"),
        (400, "Bad Request"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (408, "Request Timeout"),
        (409, "Conflict"),
        (410, "Gone"),
        (206, "Partial Content"),
        (406, "Not Acceptable"),
        (411, "Length Required"),
        (412, "Precondition Failed"),
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (415, "Unsupported Media Type"),
        (416, "Range Not Satisfiable"),
        (417, "Expectation Failed"),
        (422, "Unprocessable Content"),
        (426, "Upgrade Required"),
        (429, "Too Many Requests"),
        (431, "Request Header Fields Too Large"),
        (500, "Internal Server Error"),
        (501, "Not Implemented"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
        (504, "Gateway Timeout"),
        (505, "HTTP Version Not Supported"),
        (418, ""),
    ];
    for (status, name) in names {
        assert_eq!(reason_phrase(status), name, "{status}");
    }
}

#[test]
fn a_hooks_refusals_carry_their_status_and_its_name() {
    let refusals = [
        (Reject::unauthorized(), 401, "401 Unauthorized\n"),
        (Reject::forbidden(), 403, "403 Forbidden\n"),
        (Reject::not_found(), 404, "404 Not Found\n"),
        (Reject::too_many_requests(), 429, "429 Too Many Requests\n"),
        (
            Reject::service_unavailable(),
            503,
            "503 Service Unavailable\n",
        ),
    ];
    for (reject, status, body) in refusals {
        assert_eq!(reject.status(), status);
        assert_eq!(Response::from(reject).body(), body.as_bytes());
    }
}

#[test]
fn an_error_in_a_hook_is_500_and_its_text_is_for_the_log() {
    let status = Reject::new(200).expect_err("200 refuses nothing");
    let text = status.to_string();
    let reject = Reject::from(status);
    assert_eq!(
        (reject.status(), reject.cause()),
        (500, Some(text.as_str()))
    );
    let body = Response::from(reject);
    assert_eq!(body.body(), b"500 Internal Server Error\n");
}

#[test]
fn an_invalid_header_says_which_and_what_to_do() {
    use crate::http::InvalidHeader;
    let name = || "x y".to_owned();
    let errors = [
        (
            InvalidHeader::Name { name: name() },
            "not a token (RFC 9110 5.6.2); use letters",
        ),
        (InvalidHeader::Value { name: name() }, "percent-encode it"),
        (InvalidHeader::Reserved { name: name() }, "wshub writes it"),
        (
            InvalidHeader::Subprotocol { name: name() },
            "not a token (RFC 6455 4.1)",
        ),
    ];
    for (error, words) in errors {
        let text = error.to_string();
        assert!(text.contains("\"x y\"") && text.contains(words), "{text}");
    }
}

#[test]
fn refusals_for_want_of_room_or_time_have_status_key_and_words() {
    let refusals = [
        (Refusal::HttpVersion, Some(505), "http_version", "HTTP/1.1"),
        (Refusal::TlsOnPlainPort, None, "tls", "ws://"),
        (Refusal::Timeout, Some(408), "timeout", "in time"),
        (Refusal::Silence, None, "silence", "nothing was sent"),
        (Refusal::Full, Some(503), "full", "full"),
        (Refusal::Evicted, Some(503), "evicted", "max_handshakes"),
        (
            Refusal::HandshakesFull,
            Some(503),
            "handshakes_full",
            "max_handshakes",
        ),
        (
            Refusal::HttpRequestsFull,
            Some(503),
            "http_requests_full",
            "max_http_requests",
        ),
        (
            Refusal::TooManyFromAddress,
            Some(429),
            "address",
            "max_per_address",
        ),
        (
            Refusal::ShuttingDown,
            Some(503),
            "shutting_down",
            "shutting down",
        ),
        (Refusal::PeerLeft, None, "peer_left", "left"),
        (
            Refusal::HookPanicked,
            Some(500),
            "hook_panicked",
            "panicked",
        ),
    ];
    for (refusal, status, reason, words) in refusals {
        let text = refusal.to_string();
        assert_eq!((refusal.status(), refusal.reason()), (status, reason));
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn what_a_hook_accepted_can_be_read_back() {
    let plain = Accept::new();
    assert_eq!(plain.subprotocol(), None);
    let chosen = Accept::new().with_subprotocol("chat").expect("a token");
    assert_eq!(chosen.subprotocol(), Some("chat"));
}

#[cfg(feature = "client")]
#[test]
fn every_answer_that_opens_nothing_says_what_to_do() {
    let chosen = || "v9".to_owned();
    for (answer, words) in [
        (InvalidAnswer::NotHttp, "check host and port"),
        (InvalidAnswer::Tls, "use wss://"),
        (
            InvalidAnswer::HeadTooLarge { limit: 7 },
            "7 bytes; raise max_head",
        ),
        (
            InvalidAnswer::TooManyHeaders { limit: 7 },
            "7 header lines; raise max_headers",
        ),
        (InvalidAnswer::Malformed("no status"), "no status"),
        (InvalidAnswer::Upgrade, "`Upgrade: websocket`"),
        (InvalidAnswer::Connection, "`Connection: Upgrade`"),
        (InvalidAnswer::Accept, "no WebSocket server"),
        (
            InvalidAnswer::Subprotocol { chosen: chosen() },
            "subprotocol \"v9\"",
        ),
        (
            InvalidAnswer::Extension { chosen: chosen() },
            "extension \"v9\"",
        ),
    ] {
        assert!(answer.to_string().contains(words), "{answer}");
    }
}
