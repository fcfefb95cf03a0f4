//! Rows H21 and H22: from where, and under which name.

use super::*;

fn origin_passes(host: &str, origin: &str, listed: &[&str]) -> bool {
    // Hosts are another row: every host here is configured.
    let rules = Rules {
        hosts: hosts(&["h", "example.com", "xn--bcher-kva.example", "192.0.2.1"]),
        origins: origins(listed),
        ..Rules::default()
    };
    let bytes = upgrade_head(&[&format!("Host: {host}"), &format!("Origin: {origin}")]);
    match upgrade(bytes, &rules) {
        Ok(_) => true,
        Err(Refusal::Origin { .. } | Refusal::OriginSyntax { .. }) => false,
        Err(other) => panic!("{host} {origin}: {other}"),
    }
}

#[test]
fn h21_same_host_origins_pass() {
    for (host, origin) in [
        ("h", "http://h"),
        ("h", "HTTP://H"),
        ("H", "http://h"),
        ("h", "http://h:80"),
        ("h:80", "http://h"),
        ("h:", "http://h"),
        ("h", "https://h"),
        ("h", "https://h:443"),
        ("h:443", "https://h"),
        ("h:9001", "http://h:9001"),
        ("example.com", "https://Example.COM"),
        ("xn--bcher-kva.example", "https://XN--bcher-kva.example"),
        ("192.0.2.1:81", "http://192.0.2.1:81"),
        ("[::1]:9001", "http://[::1]:9001"),
        ("[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("h", "http://h/"),
        ("h:9001", "http://h:9001/"),
        ("h", "http://h."),
        ("h.", "http://h"),
        ("h.:81", "http://h.:81/"),
        ("192.0.2.1.", "http://192.0.2.1"),
    ] {
        assert!(origin_passes(host, origin, &[]), "{host} {origin}");
    }
    assert_eq!(
        upgrade_status(&["Host: anything.example"]),
        None,
        "no Origin: not a browser"
    );
}

#[test]
fn h21_foreign_origins_are_refused() {
    for (host, origin) in [
        ("h", "https://evil"),
        ("h", "null"),
        ("h", ""),
        ("h", "h"),
        ("h", "http://h:81"),
        ("h:81", "http://h"),
        ("h:80", "https://h"),
        ("h", "http://h:443"),
        ("h", "http://h.evil"),
        ("h", "http://evil-h"),
        ("h", "http://evil.h"),
        ("h", "http://h.."),
        ("h", "http://."),
        ("h", "http://h@evil"),
        ("h", "http://evil@h"),
        ("h", "http://h:80@evil"),
        ("h", "http://evil#h"),
        ("h", "http://evil/h"),
        ("h", "http://h//"),
        ("h", "http://h/a"),
        ("h", "http://h/a/"),
        ("h", "http:///"),
        ("h", "http://h?"),
        ("h", "http://h http://h"),
        ("h", "http://evil, http://h"),
        ("h", "http://h:+80"),
        ("h", "http://h:65616"),
        ("h", "http://"),
        ("h", "//h"),
        ("h", "file://"),
        ("h", "file://h"),
        ("h", "chrome-extension://h"),
        ("h", "javascript://h"),
        ("h", "://h"),
        ("h", "ht tp://h"),
        ("example.com", "https://evil-example.com"),
        ("example.com", "https://example.com.evil"),
        ("example.com", "https://example.co"),
        ("example.com", "https://example.com%00.evil"),
        ("example.com", "https://ex\u{e4}mple.com"),
        ("xn--bcher-kva.example", "https://b\u{fc}cher.example"),
        ("192.0.2.1", "http://192.0.2.10"),
        ("[::1]", "http://[::2]"),
        ("[::1]", "http://::1"),
        ("[::1]", "http://[::1"),
    ] {
        assert!(!origin_passes(host, origin, &[]), "{host} {origin}");
    }
    let not_utf8 = [
        &upgrade_head(&[])[..upgrade_head(&[]).len() - 2],
        b"Origin: \xff\r\n\r\n",
    ]
    .concat();
    assert_eq!(
        upgrade(not_utf8, &Rules::default()).unwrap_err().reason(),
        "origin",
        "bad is not absent"
    );
}

#[test]
fn h21_listed_origins_pass() {
    for (origin, listed, passes) in [
        ("https://app.example", "https://app.example", true),
        ("https://APP.example:443", "https://app.example", true),
        ("https://app.example", "HTTPS://app.EXAMPLE:443", true),
        ("https://app.example:8443", "https://app.example", false),
        ("http://app.example", "https://app.example", false),
        ("https://x.app.example", "https://app.example", false),
        ("https://app.example.evil", "https://app.example", false),
        ("https://app.example@evil", "https://app.example", false),
        ("null", "null", true),
        ("file://", "file://", true),
        ("null", "https://app.example", false),
        (
            "chrome-extension://abcdef",
            "chrome-extension://abcdef",
            true,
        ),
        (
            "chrome-extension://abcdefg",
            "chrome-extension://abcdef",
            false,
        ),
        ("https://evil", "*", true),
        ("null", "*", true),
        ("\u{e4}", "*", true),
        ("*", "https://app.example", false),
        ("https://app.example/", "https://app.example", true),
        ("https://app.example", "https://app.example/", true),
        ("https://app.example//", "https://app.example/", false),
        ("https://app.example.", "https://app.example", true),
        ("https://app.example", "https://app.example.", true),
        ("file:///", "file://", true),
        ("FILE://", "file://", true),
        ("file://", "file:///", true),
        ("file://h", "file://", false),
        ("file://", "file://h", false),
        ("qrc://", "qrc://", true),
        ("qrc://", "file://", false),
        ("app://.", "app://.", true),
        ("app://x", "app://.", false),
    ] {
        assert_eq!(
            origin_passes("h", origin, &[listed]),
            passes,
            "{origin} {listed}"
        );
    }
}

/// A star, or a dot in its place, stands for one or more whole labels.
#[test]
fn h21_h22_names_below_a_listed_one_pass() {
    let long = format!("https://{}.example.com", "a".repeat(240));
    for (origin, listed, passes) in [
        ("https://a.example.com", "https://*.example.com", true),
        ("https://A.b.Example.COM", "https://*.example.com", true),
        (
            "https://a_b-1.example.com:443",
            "https://*.example.com",
            true,
        ),
        ("https://a.example.com.", "https://*.example.com/", true),
        ("https://a.example.com", "HTTPS://.Example.com.", true),
        (&long, "https://*.example.com", true),
        (
            "https://a.example.com:8443",
            "https://*.example.com:8443",
            true,
        ),
        ("https://a.example.com", "https://*.example.com:8443", false),
        ("https://a.example.com:8443", "https://*.example.com", false),
        ("http://a.example.com", "https://*.example.com", false),
        ("https://example.com", "https://*.example.com", false),
        ("https://.example.com", "https://*.example.com", false),
        ("https://a..example.com", "https://*.example.com", false),
        ("https://*.example.com", "https://*.example.com", false),
        ("https://a%2e.example.com", "https://*.example.com", false),
        ("https://evilexample.com", "https://*.example.com", false),
        ("https://evil-example.com", "https://.example.com", false),
        ("https://a.example.com.evil", "https://*.example.com", false),
        ("https://evil/a.example.com", "https://*.example.com", false),
        ("https://evil@a.example.com", "https://*.example.com", false),
        ("http://1.localhost:5173", "http://*.localhost:5173", true),
    ] {
        assert_eq!(
            origin_passes("h", origin, &[listed]),
            passes,
            "{origin} {listed}"
        );
    }
    for (host, listed, passes) in [
        ("x.ngrok.app", ".ngrok.app", true),
        ("x.y.NGROK.app:81", "*.ngrok.app", true),
        ("x.ngrok.app.", "*.ngrok.app", true),
        ("x.ngrok.app:8080", "*.ngrok.app:8080", true),
        ("x.ngrok.app:8081", "*.ngrok.app:8080", false),
        ("ngrok.app", ".ngrok.app", false),
        (".ngrok.app", ".ngrok.app", false),
        ("xngrok.app", ".ngrok.app", false),
        ("x.ngrok.app.evil.tld", ".ngrok.app", false),
        ("*.ngrok.app", "*.ngrok.app", false),
    ] {
        let rules = Rules {
            hosts: hosts(&[listed]),
            ..Rules::default()
        };
        assert_eq!(host_passes(host, &rules), passes, "{host} {listed}");
    }
}

/// What a server that listens at `addr` says to a page of `origin` that connects to `host`.
fn aliased_passes(addr: &str, v6_only: bool, host: &str, origin: &str) -> bool {
    let addr: SocketAddr = addr.parse().expect("an address");
    let rules = Rules {
        loopback: addr.ip().is_loopback(),
        own_loopback: Some(OwnLoopback::of(addr, v6_only)),
        ..Rules::default()
    };
    let bytes = upgrade_head(&[&format!("Host: {host}"), &format!("Origin: {origin}")]);
    upgrade(bytes, &rules).is_ok()
}

#[test]
fn h21_the_loopback_names_of_one_server_are_one_site() {
    const V4: &str = "127.0.0.1:9001";
    for (addr, host, origin) in [
        (V4, "127.0.0.1:9001", "http://localhost:9001"),
        (V4, "localhost:9001", "http://127.0.0.1:9001"),
        (V4, "LOCALHOST.:9001", "HTTP://127.0.0.1:9001/"),
        (V4, "127.0.0.1:9001", "https://localhost:9001"),
        ("127.0.0.1:80", "127.0.0.1", "http://localhost"),
        ("127.0.0.1:443", "127.0.0.1", "https://localhost:443"),
        ("[::1]:9001", "[::1]:9001", "http://localhost:9001"),
        ("[::1]:9001", "localhost:9001", "http://[::1]:9001"),
        ("0.0.0.0:9001", "127.0.0.1:9001", "http://localhost:9001"),
        ("0.0.0.0:9001", "localhost:9001", "http://127.0.0.1:9001"),
        ("[::]:9001", "[::1]:9001", "http://localhost:9001"),
        ("[::]:9001", "[::1]:9001", "http://127.0.0.1:9001"),
        ("[::]:9001", "127.0.0.1:9001", "http://[::1]:9001"),
        (
            "[::]:9001",
            "[::ffff:127.0.0.1]:9001",
            "http://localhost:9001",
        ),
    ] {
        assert!(
            aliased_passes(addr, false, host, origin),
            "{addr} {host} {origin}"
        );
    }
    for (addr, host, origin) in [
        // Another program's port.
        (V4, "127.0.0.1:9001", "http://localhost:3000"),
        (V4, "127.0.0.1:9001", "http://localhost"),
        (V4, "127.0.0.1", "http://localhost"),
        (V4, "127.0.0.1:3000", "http://localhost:3000"),
        ("127.0.0.1:80", "127.0.0.1", "https://localhost"),
        // Another program may listen there.
        (V4, "127.0.0.1:9001", "http://[::1]:9001"),
        (V4, "localhost:9001", "http://[::1]:9001"),
        (V4, "127.0.0.1:9001", "http://127.0.0.2:9001"),
        ("127.0.0.2:9001", "127.0.0.2:9001", "http://localhost:9001"),
        ("[::1]:9001", "localhost:9001", "http://127.0.0.1:9001"),
        ("0.0.0.0:9001", "127.0.0.1:9001", "http://[::1]:9001"),
        ("192.0.2.1:9001", "192.0.2.1:9001", "http://localhost:9001"),
        // Names that a proxy may give to several servers.
        (V4, "127.0.0.1:9001", "http://foo.localhost:9001"),
        (V4, "a.localhost:9001", "http://localhost:9001"),
        ("0.0.0.0:9001", "192.0.2.1:9001", "http://localhost:9001"),
        ("0.0.0.0:9001", "localhost:9001", "http://192.0.2.1:9001"),
        (V4, "127.0.0.1:9001", "app://localhost:9001"),
    ] {
        assert!(
            !aliased_passes(addr, false, host, origin),
            "{addr} {host} {origin}"
        );
    }
    let v4_page =
        |v6_only| aliased_passes("[::]:9001", v6_only, "[::1]:9001", "http://127.0.0.1:9001");
    assert!(
        v4_page(false) && !v4_page(true),
        "where IPv4 gets there, too"
    );
}

fn host_passes(host: &str, rules: &Rules) -> bool {
    // An origin that is one, so that it is the host that is judged.
    let page = ["http://", host].concat();
    let origin = match OriginPattern::parse(&page) {
        Some(_) => format!("Origin: {page}"),
        None => "Origin: http://localhost".to_owned(),
    };
    let plain = plain_status(&head(&["GET / HTTP/1.1", &format!("Host: {host}")]), rules);
    let upgraded = upgrade(upgrade_head(&[&format!("Host: {host}"), &origin]), rules);
    assert!(plain.is_none_or(|status| status == 403));
    assert_eq!(plain.is_none(), upgraded.is_ok(), "{host}: {upgraded:?}");
    plain.is_none()
}

#[test]
fn h22_hosts_of_a_loopback_listener() {
    let rules = Rules {
        loopback: true,
        ..Rules::default()
    };
    for host in "localhost LocalHost:9001 127.0.0.1 127.8.9.1:80 [::1] [::1]:9001 \
         [::ffff:127.0.0.1] localhost. localhost.:9001 127.0.0.1. foo.localhost \
         a.b-c.LOCALHOST:9001 foo.localhost."
        .split(' ')
    {
        assert!(host_passes(host, &rules), "{host}");
    }
    for host in "attacker.tld:80 attacker.tld localhost.attacker.tld localhost.. xlocalhost \
         127.0.0.1.attacker.tld 192.168.0.1 0.0.0.0 [::] [::2] printer printer.local 127.1 \
         2130706433 .localhost a..localhost a%2elocalhost x-localhost attacker.tld. ."
        .split(' ')
    {
        assert!(!host_passes(host, &rules), "{host}");
    }
}

#[test]
fn h22_hosts_of_a_listener_on_the_network() {
    let rules = Rules::default();
    for host in "localhost 192.168.0.1:9001 8.8.8.8 [fe80::1] printer PRINTER:80 my_pc \
         printer.local a.b.LAN nas.home.arpa:81 printer.local. printer. foo.localhost:81"
        .split(' ')
    {
        assert!(host_passes(host, &rules), "{host}");
    }
    for host in "attacker.tld:80 attacker.tld attacker.tld. printer.local.. printer.local.evil \
         printerlocal.evil evil-home.arpa .local .lan a..local home.arpa a%2eb evil%2elocal \
         a,b 127.1"
        .split(' ')
    {
        assert!(!host_passes(host, &rules), "{host}");
    }
}

#[test]
fn h22_configured_hosts_are_added_in_both_cases() {
    for loopback in [true, false] {
        let hosts = hosts(&[
            "dotted.example.com.",
            "device.example.com",
            "ported.example.com:8080",
            "plain.example.com:80",
            "[2001:db8::1]",
        ]);
        let rules = Rules {
            loopback,
            hosts,
            ..Rules::default()
        };
        for host in "device.example.com DEVICE.example.com:1234 ported.example.com:8080 \
             plain.example.com plain.example.com:80 [2001:DB8:0::1]:9 127.0.0.1 \
             dotted.example.com dotted.example.com.:81 device.example.com."
            .split(' ')
        {
            assert!(host_passes(host, &rules), "{host}");
        }
        for host in [
            "ported.example.com",
            "ported.example.com:8081",
            "plain.example.com:81",
            "x.device.example.com",
            "device.example.com.evil",
            "evil-device.example.com",
        ] {
            assert!(!host_passes(host, &rules), "{host}");
        }
    }
}

#[test]
fn h22_the_refusal_says_what_to_set() {
    let rules = Rules {
        loopback: true,
        ..Rules::default()
    };
    let request =
        receive(b"GET / HTTP/1.1\r\nHost: device.example.com:9001\r\n\r\n").expect("a head");
    let refusal = negotiate::plain(&request, &rules, no_rule).unwrap_err();
    assert!(
        refusal
            .to_string()
            .contains(".hosts([\"device.example.com\"])"),
        "{refusal}"
    );
    let origin = upgrade(upgrade_head(&["Origin: https://app.example.com"]), &rules).unwrap_err();
    assert!(
        answer(&origin).contains(".origins([\"https://app.example.com\"])"),
        "{origin}"
    );
}

/// A program that sends no Origin is served under any name; the absolute form does not get around the check.
#[test]
fn h22_without_an_origin_and_in_absolute_form() {
    let rules = Rules {
        loopback: true,
        ..Rules::default()
    };
    assert!(upgrade(upgrade_head(&["Host: attacker.tld"]), &rules).is_ok());
    let absolute = head(&["GET http://attacker.tld/ HTTP/1.1", "Host: localhost"]);
    assert_eq!(plain_status(&absolute, &rules), Some(403));
}

/// The only remedy is one that a server takes, and that lets the request in.
#[test]
fn h21_h22_no_remedy_is_printed_that_would_not_work() {
    let rules = Rules::default();
    let told = |host: &str, origin: &str| {
        let lines = [format!("Host: {host}"), format!("Origin: {origin}")];
        let refusal = upgrade(upgrade_head(&[&lines[0], &lines[1]]), &rules).unwrap_err();
        assert_eq!(refusal.status(), Some(403), "{refusal}");
        (refusal.reason(), refusal.to_string())
    };
    let too_long = format!("{}.example.com", "a".repeat(300));
    for (host, origin, reason, part) in [
        ("h", "", "origin", "malformed origin \"\": it is empty"),
        ("h", "h", "origin", "does not begin with a scheme"),
        ("h", "*", "origin", "does not begin with a scheme"),
        ("h", "http://", "origin", "has no host"),
        ("h", "http://user@h", "origin", "holds a user name"),
        (
            "h",
            "http://h/chat",
            "origin",
            "something follows its host and port",
        ),
        (
            "h",
            "http://a http://b",
            "origin",
            "something follows its host and port",
        ),
        ("h", "http://h:65536", "origin", "its host or port is none"),
        ("h", "http://b\u{fc}cher.example", "origin", "is not ASCII"),
        ("h", "http://*.h", "origin", "no name that DNS could have"),
        ("h", "http://.h", "origin", "no name that DNS could have"),
        (
            "h",
            &format!("https://{too_long}"),
            "origin",
            "no name that DNS could have",
        ),
        (
            &too_long,
            &format!("https://{too_long}"),
            "host",
            "no name that DNS could have",
        ),
        (
            "*.tld",
            "http://evil",
            "host",
            "no name that DNS could have",
        ),
        (".tld", "http://.tld", "host", "no name that DNS could have"),
    ] {
        let (told_reason, told) = told(host, origin);
        assert_eq!(told_reason, reason, "{told}");
        assert!(told.contains(part), "{told}");
        assert!(
            !told.contains(".origins(") && !told.contains(".hosts("),
            "{told}"
        );
        assert!(told.len() < 300, "{told}");
    }
    let (reason, told) = told("a.tld:81", "http://b.tld");
    assert_eq!(reason, "origin");
    assert!(
        told.contains(r#".origins(["http://b.tld"]).hosts(["a.tld"])"#),
        "{told}"
    );
}

#[test]
fn rules_that_never_match_are_found() {
    let check = |hosts: &[&str], origins: &[&str], subprotocols: &[&str]| {
        let mut rules = Rules::default();
        hosts.iter().for_each(|entry| rules.add_host(entry));
        origins.iter().for_each(|entry| rules.add_origin(entry));
        subprotocols
            .iter()
            .for_each(|&entry| rules.add_subprotocol(entry.to_owned()));
        rules.check().map_err(|error| error.to_string())
    };
    let hosts = ["a.example", "a:80", "[::1]", "*.a", ".a.b:80", "a."];
    let origins = [
        "https://a",
        "null",
        "*",
        "file://",
        "app://x",
        "https://*.a.b:8443",
        "https://a/",
    ];
    assert_eq!(check(&hosts, &origins, &["v1.b"]), Ok(()));
    for host in [
        "https://a",
        "a/b",
        "",
        "*",
        "*.",
        "..a",
        "*.*.a",
        "a.*",
        "*a",
        "a*.b",
        "a.*.b",
        "**.a",
        "*.a:b",
        "*.127.0.0.1",
        ".127.0.0.1",
        "*.[::1]",
        "::1",
        "a b",
        "*:80",
        "b\u{fc}cher.example",
    ] {
        let error = check(&[host], &[], &[]).unwrap_err();
        assert!(error.contains("is not a host"), "{host}");
        assert!(error.contains("*.example.com"), "what is possible: {error}");
    }
    for origin in
        "a.example https://  https:/// 1http://a ht_tp://a ://a https://* http://localhost:* \
         *://a https://*a.b https://a.*.b https://*.*.b https://*. https://*.127.0.0.1 https://a/b \
         https://*.a/b https://a?b https://u@a https://b\u{fc}cher.example nothing **"
            .split(' ')
    {
        let error = check(&[], &[origin], &[]).unwrap_err();
        assert!(error.contains("is not an origin"), "{origin}");
        assert!(
            error.contains("https://*.example.com"),
            "what is possible: {error}"
        );
    }
    for name in ["", "a b", "a\r\nb", "a,b"] {
        let error = check(&[], &[], &[name]).unwrap_err();
        assert!(error.contains("is not a token"), "{name:?}");
    }
    let first = check(&["a b"], &["c"], &[""]).unwrap_err();
    assert!(first.starts_with("hosts: \"a b\""), "{first}");
}
