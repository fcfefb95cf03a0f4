//! Rows H2 to H6, H12 to H15: what a head may look like.

use super::*;

#[test]
fn h02_limits_of_target_lines_and_head() {
    let long = head(&[
        "GET / HTTP/1.1",
        "Host: a",
        &format!("X: {}", "x".repeat(17 * 1024)),
    ]);
    let lines: Vec<String> = (0..100).map(|number| format!("X{number}: y")).collect();
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    lines.splice(0..0, ["GET / HTTP/1.1", "Host: a"]);
    let target = |length: usize| {
        head(&[
            &format!("GET /{} HTTP/1.1", "t".repeat(length - 1)),
            "Host: a",
        ])
    };
    assert_eq!(status_of(&long), Some(431));
    assert_eq!(status_of(head(&lines)), Some(431));
    assert_eq!(status_of(head(&lines[..101])), None);
    assert_eq!(status_of(target(8001)), Some(414));
    assert_eq!(
        receive(&target(8000)).expect("at the limit").target().len(),
        8000
    );
    assert_eq!(status_of("G".repeat(17 * 1024)), Some(431));
}

#[test]
fn h02_refused_at_the_first_byte_too_many() {
    let refused_at = |bytes: &[u8], limits: HeadLimits| {
        (1..=bytes.len())
            .find(|&end| scan(limits, &[&bytes[..end]]).is_err())
            .expect("refused")
    };
    let limits = HeadLimits {
        max_head: 60,
        max_target: 10,
        max_headers: 2,
    };
    assert_eq!(
        refused_at(b"GET /123456789A HTTP/1.1", limits),
        "GET /123456789A".len()
    );
    assert_eq!(refused_at(&[b'A'; 70], limits), 60);
    assert_eq!(
        refused_at(b"GET / HTTP/1.1\r\na: b\r\nc: d\r\ne: f", limits),
        "GET / HTTP/1.1\r\na: b\r\nc: d\r\ne".len()
    );
    assert_eq!(
        refused_at(
            format!("GET / HTTP/1.1\r\na: {}", "b".repeat(90)).as_bytes(),
            limits
        ),
        60
    );
}

#[test]
fn h02_a_head_of_exactly_the_limit_passes() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let limits = |max_head| HeadLimits {
        max_head,
        ..HeadLimits::default()
    };
    assert_eq!(
        scan(limits(bytes.len()), &[bytes]).expect("fits"),
        Some(bytes.len())
    );
    assert_eq!(
        scan(limits(bytes.len() - 1), &[bytes])
            .unwrap_err()
            .reason(),
        "head_too_large"
    );
}

#[test]
fn h02_a_head_limit_beyond_16_bits_is_cut_to_them() {
    let limits = HeadLimits {
        max_head: usize::MAX,
        ..HeadLimits::default()
    };
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(70_000));
    assert!(matches!(
        scan(limits, &[endless.as_bytes()]),
        Err(Refusal::HeadTooLarge { limit: 65_535 })
    ));
    assert!(Request::parse(format!("{endless}\r\nHost: a\r\n\r\n").as_bytes()).is_err());
}

/// RFC 6265 6.1: a host may have 50 cookies of 4,096 bytes each, and all its ports get them, on one line.
#[test]
fn m08_one_line_may_fill_the_head() {
    let with_cookies = |length: usize| {
        let start = "Cookie: session=";
        let line = format!("{start}{}", "c".repeat(length - start.len()));
        head(&["GET / HTTP/1.1", "Host: a", &line])
    };
    for length in [8 * 1024 + 1, 9 * 1024, 16_000] {
        let request = receive(&with_cookies(length)).expect("cookies");
        let value = request.cookie("session").expect("a cookie");
        assert_eq!(value.len(), length - "Cookie: session=".len());
    }
    let limits = HeadLimits {
        max_head: 65_535,
        ..HeadLimits::default()
    };
    let bytes = with_cookies(65_000);
    let found = scan(limits, &[&bytes]).expect("fits");
    assert_eq!(found, Some(bytes.len()));
    assert!(Request::parse(&bytes).is_ok());
}

/// A limit that the log names can be raised.
#[test]
fn m08_what_is_too_long_names_its_limit() {
    let limits = HeadLimits {
        max_target: 10,
        max_headers: 2,
        max_head: 200,
    };
    let named = |bytes: &[u8], limits| {
        let refusal = scan(limits, &[bytes]).unwrap_err();
        let answer = answer(&refusal);
        assert!(
            answer.ends_with(&format!("\r\n\r\n{refusal}\n")),
            "{answer}"
        );
        (refusal.status(), refusal.to_string())
    };
    let (status, said) = named(&[b'A'; 200], limits);
    assert_eq!(status, Some(431));
    assert!(
        said.contains("200 bytes") && said.contains("raise max_head"),
        "{said}"
    );
    let (status, said) = named(b"GET / HTTP/1.1\r\na: b\r\nc: d\r\ne: f", limits);
    assert_eq!(status, Some(431));
    assert!(
        said.contains("2 header lines") && said.contains("raise max_headers"),
        "{said}"
    );
    let (status, said) = named(b"GET /2345678901", limits);
    assert_eq!(status, Some(414));
    assert!(
        said.contains("10 bytes") && said.contains("raise max_target"),
        "{said}"
    );
    // Nothing is raised beyond what a head can be.
    let widest = HeadLimits {
        max_head: usize::MAX,
        ..limits
    };
    let (_, said) = named(&[b'A'; 65_535], widest);
    assert!(
        said.contains("65535 bytes") && !said.contains("raise"),
        "{said}"
    );
}

/// Each call sees the bytes before it gone bad: were they looked at again, the scan would fail.
#[test]
fn cve_2023_43669_header_dribble_is_never_scanned_twice() {
    let bytes = head(&[
        "GET / HTTP/1.1",
        "Host: a",
        &format!("X: {}", "x".repeat(7000)),
    ]);
    let mut scanner = HeadScanner::new(HeadLimits::default());
    let mut received = Vec::new();
    let mut found = None;
    for chunk in bytes.chunks(3) {
        // The version is read at the end of its line, so the first line stays.
        received.iter_mut().skip(16).for_each(|byte| *byte = 0);
        received.extend_from_slice(chunk);
        found = scanner
            .scan(&received)
            .expect("old bytes are not looked at");
    }
    assert_eq!(found, Some(bytes.len()));
}

#[test]
fn cve_2023_43669_seventy_kilobytes_in_31_packets() {
    let bytes = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}",
        "X-Long: yyyyyyyyyyyyyyyy\r\n".repeat(2800)
    );
    let reads: Vec<&[u8]> = (1..=31)
        .map(|packet| &bytes.as_bytes()[..bytes.len() * packet / 31])
        .collect();
    assert_eq!(
        scan(HeadLimits::default(), &reads).unwrap_err().status(),
        Some(431)
    );
}

#[test]
fn cve_2024_37890_two_thousand_headers() {
    let lines = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "a:b\r\n".repeat(2000)
    );
    assert_eq!(status_of(lines), Some(431));
}

/// Nobody has to send the rest of a head that is lost.
#[test]
fn what_cannot_become_a_head_is_refused_at_its_byte() {
    for start in [
        "G(",
        " ",
        "GET  ",
        "GET / HTTP/1.1 ",
        "G\x16",
        "GET / HTTP/1.1\r\n ",
        "GET / HTTP/1.1\r\nHost: a\r\n\t",
    ] {
        let (before, _) = start.split_at(start.len() - 1);
        let limits = HeadLimits::default();
        assert_eq!(told(&scan(limits, &[before.as_bytes()])), "Ok(None)");
        assert!(scan(limits, &[start.as_bytes()]).is_err(), "{start:?}");
    }
}

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

/// RFC 9112 2.2: what some clients send behind the body of the request before.
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
    let refusal = request("CONNECT a:443 HTTP/1.1").unwrap_err();
    assert_eq!(refusal.status(), Some(405));
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
