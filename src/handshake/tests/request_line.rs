//! The first line of a request, and its Host: rows H12 to H15 and H21.

use super::*;

#[test]
fn h12_versions_and_other_protocols() {
    assert_eq!(status_of("GET /\r\n\r\n"), Some(400));
    assert_eq!(status_of("GET / \r\n\r\n"), Some(400));
    assert_eq!(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Some(505));
    assert_eq!(status_of("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), Some(505));
    assert_eq!(status_of("GET / HTTP/1.10\r\nHost: a\r\n\r\n"), Some(400));
    assert_eq!(status_of("GET / HTTP/11\r\nHost: a\r\n\r\n"), Some(400));
    assert_eq!(status_of("GET / http/1.1\r\nHost: a\r\n\r\n"), Some(400));
    assert_eq!(status_of("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), Some(400));

    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let refusal = receive(hello).unwrap_err();
    assert!(matches!(refusal, Refusal::TlsOnPlainPort));
    assert_eq!(
        (refusal.status(), refusal.reason(), answer(&refusal)),
        (None, "tls", String::new())
    );
    assert!(
        scan(HeadLimits::default(), &[b"\x16"])
            .expect("undecided")
            .is_none()
    );
    assert_eq!(status_of(b"\x16\x04"), Some(400));
    assert_eq!(status_of(b"\x16\r\n"), Some(400));
    assert_eq!(status_of(b"G\x16\x03"), Some(400));

    let old = receive(b"GET /page HTTP/1.0\r\n\r\n").expect("HTTP/1.0 needs no Host");
    assert_eq!(
        (old.version(), old.host(), old.path()),
        (Version::Http10, "", "/page")
    );
    assert!(negotiate::plain(&old, &Rules::default(), no_rule).is_ok());
}

/// RFC 9110 2.5: a minor version that is not known yet is taken for the latest that is.
#[test]
fn m08_a_later_minor_version_is_served_as_1_1() {
    for minor in 1..=9 {
        let line = format!("GET /chat HTTP/1.{minor}");
        let request = receive(&head(&[&line, "Host: localhost"])).expect(&line);
        assert_eq!(
            (request.version(), request.path(), request.host()),
            (Version::Http11, "/chat", "localhost")
        );
        assert!(negotiate::plain(&request, &Rules::default(), no_rule).is_ok());
        assert_eq!(upgrade_status(&[&line]), None, "{line}");
        let no_host = receive(&head(&[&line])).unwrap_err();
        assert_eq!(no_host.status(), Some(400), "{line}");
    }
}

#[test]
fn h13_methods() {
    let request = |line: &str| receive(&head(&[line, "Host: localhost"]));
    for line in ["POST / HTTP/1.1", "OPTIONS / HTTP/1.1", "get / HTTP/1.1"] {
        let request = request(line).expect("a head");
        let framing = negotiate::plain(&request, &Rules::default(), no_rule);
        assert_eq!(framing.expect("served").framing, Framing::Empty, "{line}");
        // Where nothing answers it.
        let refusal = negotiate::unserved(&request);
        let answer = answer(&refusal);
        assert_eq!(refusal.status(), Some(405), "{line}");
        assert!(answer.contains("\r\nAllow: GET, HEAD\r\n"), "{answer}");
    }
    for target in ["a:443", "/", "http://a/", "*"] {
        let refusal = request(&format!("CONNECT {target} HTTP/1.1")).unwrap_err();
        assert_eq!(refusal.status(), Some(405), "{target}");
    }
    assert!(request("OPTIONS * HTTP/1.1").unwrap().is_about_server());
    assert!(!request("OPTIONS / HTTP/1.1").unwrap().is_about_server());
    // Another method would not help.
    for line in [
        "POST a HTTP/1.1",
        "PUT /a#b HTTP/1.1",
        "OPTIONS a HTTP/1.1",
        "POST * HTTP/1.1",
        "GET * HTTP/1.1",
        "OPTIONS *?a HTTP/1.1",
        "OPTIONS ** HTTP/1.1",
        "options * HTTP/1.1",
    ] {
        assert_eq!(request(line).unwrap_err().status(), Some(400), "{line}");
    }
    for line in ["GET / HTTP/1.1", "HEAD / HTTP/1.1"] {
        let refusal = negotiate::unserved(&request(line).expect("a head"));
        assert_eq!(refusal.status(), Some(426), "{line}");
    }
}

/// A page anywhere can have a browser send a form here: its Origin tells.
#[test]
fn h21_who_may_change_something_is_who_may_open_a_websocket() {
    let rules = Rules {
        origins: origins(&["https://app.example.com"]),
        ..Rules::default()
    };
    let ask = |method: &str, origin: &str| {
        let lines = [&format!("{method} / HTTP/1.1"), "Host: h.local", origin];
        let request = receive(&head(&lines)).expect("a head");
        negotiate::plain(&request, &rules, no_rule).err()
    };
    for method in ["POST", "PUT", "PATCH", "DELETE", "post", "GETS"] {
        assert!(ask(method, "X: no origin").is_none(), "{method}");
        assert!(ask(method, "Origin: http://h.local").is_none(), "{method}");
        assert!(ask(method, "Origin: https://app.example.com").is_none());
        let refusal = ask(method, "Origin: https://evil.example").expect("refused");
        assert_eq!(
            (refusal.status(), refusal.reason()),
            (Some(403), "cross_site")
        );
        let text = refusal.to_string();
        assert!(
            text.contains(".origins([\"https://evil.example\"])"),
            "{text}"
        );
        assert_eq!(
            ask(method, "Origin: null").and_then(|it| it.status()),
            Some(403)
        );
    }
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert!(
            ask(method, "Origin: https://evil.example").is_none(),
            "{method}"
        );
    }
}

#[test]
fn h13_an_upgrade_is_a_get_and_head_never_is_one() {
    let with_method = |method: &str| {
        text(upgrade_head(&[]))
            .replacen("GET", method, 1)
            .into_bytes()
    };
    assert_eq!(
        upgrade(with_method("POST"), &Rules::default())
            .unwrap_err()
            .status(),
        Some(405)
    );
    assert!(
        !receive(&with_method("HEAD"))
            .expect("a head")
            .wants_upgrade()
    );
}

#[test]
fn h14_target_forms() {
    let get = |target: &str| receive(&head(&[&format!("GET {target} HTTP/1.1"), "Host: h"]));
    for target in [
        "http://other/p?q=1",
        "ws://other/p?q=1",
        "wss://other/p?q=1",
        "HTTPS://other/p?q=1",
    ] {
        let request = get(target).expect(target);
        assert_eq!(
            (request.host(), request.path(), request.query_string()),
            ("other", "/p", Some("q=1")),
            "{target}"
        );
        assert_eq!(request.target(), target);
        assert_eq!(request.header("host"), Some("h"));
    }
    let bare = get("http://other:81").expect("no path");
    assert_eq!(
        (bare.host(), bare.path(), bare.query_string()),
        ("other:81", "/", None)
    );
    assert_eq!(
        get("http://other?q").expect("no path").query_string(),
        Some("q")
    );
    assert_eq!(get("/?").expect("an empty query").query_string(), Some(""));
    assert_eq!(
        get("/a?b?c").expect("two marks").query_string(),
        Some("b?c")
    );
    for target in [
        "*",
        "h:443",
        "/a#b",
        "#",
        "a",
        "?",
        "http://",
        "http:///p",
        "http://u@h/",
        "ftp://h/",
        "http://h:70000/",
        "http:/h",
        "://h",
        "/\u{e4}",
        "/a b",
        "",
    ] {
        assert_eq!(get(target).unwrap_err().status(), Some(400), "{target}");
    }
}

/// RFC 9110 4.1: an empty segment is a segment. Pages that join "host/" and "/path" ask for these.
#[test]
fn m08_a_path_may_begin_with_two_slashes() {
    let get = |target: &str| receive(&head(&[&format!("GET {target} HTTP/1.1"), "Host: h"]));
    for (target, host, path, query) in [
        ("//path", "h", "//path", None),
        ("//", "h", "//", None),
        ("///a//b?c=//d", "h", "///a//b", Some("c=//d")),
        ("//other:80/?", "h", "//other:80/", Some("")),
        ("//u@other/", "h", "//u@other/", None),
        ("http://other//path?q", "other", "//path", Some("q")),
    ] {
        let request = get(target).expect(target);
        assert_eq!(
            (request.host(), request.path(), request.query_string()),
            (host, path, query),
            "{target}"
        );
        assert_eq!(request.target(), target);
    }
}

#[test]
fn h15_host() {
    let host = |host: &str| status_of(head(&["GET / HTTP/1.1", &format!("Host: {host}")]));
    for bad in [
        "",
        " ",
        "a b",
        "[::1",
        "[::1]x",
        "[::1]:x",
        "::1",
        "a:70000",
        "a:+1",
        "a:-1",
        "a:1:2",
        "u@a",
        "a/b",
        "a?b",
        "a\\b",
        "[]",
        "[fe80::1%eth0]",
        "[1.2.3.4]",
        "a%zz",
        "a%4z",
        "a%z4",
        "a%4",
        "\u{e4}",
        "a\"b",
        "<a>",
        ":80",
        "a, b",
    ] {
        assert_eq!(host(bad), Some(400), "{bad}");
    }
    for good in
        "a a:80 a: A.Example.:65535 [::1] [::1]:9001 127.0.0.1:1 a_b a%41 999.1.1.1".split(' ')
    {
        assert_eq!(host(good), None, "{good}");
    }
    assert_eq!(status_of("GET / HTTP/1.1\r\n\r\n"), Some(400));
    assert_eq!(status_of("GET http://a/ HTTP/1.1\r\n\r\n"), Some(400));
    assert_eq!(
        status_of(b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n"),
        Some(400)
    );
}
