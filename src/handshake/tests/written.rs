//! What is written, shown and kept.

use super::*;

fn every_refusal() -> Vec<Refusal> {
    let sent = "x".to_owned();
    vec![
        Refusal::HeadTooLarge { limit: 1 },
        Refusal::LineTooLong { limit: 1 },
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
        Refusal::Host {
            host: sent.clone(),
            loopback: true,
        },
        Refusal::Timeout,
        Refusal::Full,
        Refusal::Evicted,
        Refusal::ShuttingDown,
        Refusal::HookPanicked,
        Refusal::SubprotocolNotOffered { chosen: sent },
        Refusal::HookRejected(Reject::unauthorized()),
    ]
}

#[test]
fn every_refusal_is_a_complete_answer_that_closes() {
    for refusal in every_refusal() {
        let answer = text(refusal.encode());
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
        text(Refusal::HookRejected(Reject::unauthorized()).encode())
            .contains("\r\nWWW-Authenticate: Bearer\r\n")
    );
    assert_eq!(
        (Refusal::PeerLeft.status(), Refusal::PeerLeft.encode()),
        (None, Vec::new())
    );
}

#[test]
fn a_rejection_is_written_as_the_hook_says() {
    let reject = Reject::unauthorized()
        .with_header("www-authenticate", "Basic realm=\"a\"")
        .expect("a header");
    let answer = text(Refusal::HookRejected(reject.with_body("no\n")).encode());
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
    let whole = text(page.encode(false));
    assert_eq!(
        whole,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html; charset=utf-8\r\n\
         X-Content-Type-Options: nosniff\r\nContent-Length: 5\r\n\r\n<p>hi"
    );
    assert_eq!(text(page.encode(true)), whole.trim_end_matches("<p>hi"));
    for (status, length) in [(204, None), (304, None), (205, Some("0"))] {
        let answer = text(
            Response::new(status)
                .expect("a status")
                .with_body("body")
                .encode(false),
        );
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        let sent = answer
            .split("Content-Length: ")
            .nth(1)
            .map(|rest| rest.trim_end());
        assert_eq!(sent, length, "{answer}");
    }
    assert!(
        text(Response::new(299).expect("a status").encode(false)).starts_with("HTTP/1.1 299 \r\n")
    );
    let missing = Response::not_found();
    assert_eq!(
        (missing.status(), missing.header("content-type")),
        (404, Some("text/plain; charset=utf-8"))
    );
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
    assert!(refusal.encode().len() < 1024, "{refusal}");
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
    ]);
    let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4711);
    let request = receive(&bytes).expect("a head").with_peer_addr(Some(peer));
    assert_eq!(
        (request.method(), request.version()),
        ("GET", Version::Http11)
    );
    assert_eq!(
        (request.path(), request.query(), request.host()),
        ("/a%20b", Some("x=1&y"), "h:9001")
    );
    assert_eq!(
        (request.header("X-TWO"), request.origin()),
        (Some("one"), None)
    );
    assert_eq!(
        request.headers().map(|(name, _)| name).collect::<Vec<_>>(),
        ["Host", "X-Two", "Cookie", "x-two", "Cookie"]
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
}
