//! Rows H21 and H22: from where, and under which name.

use super::*;

fn origin_passes(host: &str, origin: &str, origins: &[&str]) -> bool {
    // Hosts are another row: every host here is configured.
    let rules = Rules {
        hosts: list(&["h", "example.com", "xn--bcher-kva.example", "192.0.2.1"]),
        origins: list(origins),
        ..Rules::default()
    };
    let bytes = upgrade_head(&[&format!("Host: {host}"), &format!("Origin: {origin}")]);
    match upgrade(bytes, &rules) {
        Ok(_) => true,
        Err(Refusal::Origin { .. }) => false,
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
        ("h", "http://h."),
        ("h", "http://h@evil"),
        ("h", "http://evil@h"),
        ("h", "http://h:80@evil"),
        ("h", "http://evil#h"),
        ("h", "http://evil/h"),
        ("h", "http://h/"),
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
    ] {
        assert_eq!(
            origin_passes("h", origin, &[listed]),
            passes,
            "{origin} {listed}"
        );
    }
}

fn host_passes(host: &str, rules: &Rules) -> bool {
    let origin = format!("Origin: http://{host}");
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
         [::ffff:127.0.0.1]"
        .split(' ')
    {
        assert!(host_passes(host, &rules), "{host}");
    }
    for host in "attacker.tld:80 attacker.tld localhost.attacker.tld localhost. xlocalhost \
         127.0.0.1.attacker.tld 192.168.0.1 0.0.0.0 [::] [::2] printer printer.local 127.1 \
         2130706433 127.0.0.1."
        .split(' ')
    {
        assert!(!host_passes(host, &rules), "{host}");
    }
}

#[test]
fn h22_hosts_of_a_listener_on_the_network() {
    let rules = Rules::default();
    for host in "localhost 192.168.0.1:9001 8.8.8.8 [fe80::1] printer PRINTER:80 my_pc \
         printer.local a.b.LAN nas.home.arpa:81"
        .split(' ')
    {
        assert!(host_passes(host, &rules), "{host}");
    }
    for host in "attacker.tld:80 attacker.tld attacker. printer.local. printer.local.evil \
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
        let hosts = list(&[
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
             plain.example.com plain.example.com:80 [2001:DB8:0::1]:9 127.0.0.1"
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
    let refusal = negotiate::plain(&request, &rules).unwrap_err();
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

#[test]
fn rules_that_never_match_are_found() {
    let rules = |hosts: &[&str], origins: &[&str], subprotocols: &[&str]| {
        Rules {
            loopback: false,
            hosts: list(hosts),
            origins: list(origins),
            subprotocols: list(subprotocols),
            compression: None,
        }
        .check()
    };
    assert!(
        rules(
            &["a.example", "a:80", "[::1]"],
            &["https://a", "null", "*", "file://", "app://x"],
            &["v1.b"]
        )
        .is_ok()
    );
    for host in ["https://a", "a/b", "", "*", "*.a", "a b"] {
        assert!(
            rules(&[host], &[], &[])
                .unwrap_err()
                .to_string()
                .contains("is not a host"),
            "{host}"
        );
    }
    for origin in "a.example https://a/ https://  https://*.a/ 1http://a ht_tp://a ://a".split(' ')
    {
        assert!(
            rules(&[], &[origin], &[])
                .unwrap_err()
                .to_string()
                .contains("is not an origin"),
            "{origin}"
        );
    }
    for name in ["", "a b", "a\r\nb", "a,b"] {
        assert!(
            rules(&[], &[], &[name])
                .unwrap_err()
                .to_string()
                .contains("is not a token"),
            "{name:?}"
        );
    }
}
