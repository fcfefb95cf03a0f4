//! The request for a tunnel, and credentials in every length.

use super::*;

#[test]
fn the_request_for_a_tunnel() {
    let proxy = Proxy::new("proxy", 3128);
    assert_eq!((proxy.host(), proxy.port()), ("proxy", 3128));
    assert_eq!(
        proxy.encode("[::1]:9001"),
        b"CONNECT [::1]:9001 HTTP/1.1\r\nHost: [::1]:9001\r\n\r\n"
    );
    // The example of RFC 7617 2.
    let proxy = proxy.with_credentials("Aladdin", "open sesame").unwrap();
    assert_eq!(
        proxy.encode("h:80"),
        b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\
          Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
    );
}

#[test]
fn credentials_of_every_length_are_sent_whole() {
    for (password, encoded) in [
        ("", "YTo="),
        ("b", "YTpi"),
        ("bc", "YTpiYw=="),
        ("é", "YTrDqQ=="),
    ] {
        let proxy = Proxy::new("proxy", 1)
            .with_credentials("a", password)
            .unwrap();
        let head = String::from_utf8(proxy.encode("h:80")).unwrap();
        assert!(
            head.contains(&format!(": Basic {encoded}\r\n\r\n")),
            "{head}"
        );
    }
}

#[test]
fn credentials_that_cannot_be_sent_are_refused_and_none_are_printed() {
    for (user, password) in [
        ("a:b", "c"),
        ("a\r\nX: y", "c"),
        ("a", "c\n"),
        ("a", "\u{7f}"),
    ] {
        assert!(
            Proxy::new("proxy", 1)
                .with_credentials(user, password)
                .is_err()
        );
    }
    let proxy = Proxy::new("proxy", 1)
        .with_credentials("ada", "secret")
        .unwrap();
    let printed = format!("{proxy:?}");
    assert!(
        printed.contains("credentials: true") && !printed.contains("YWRh"),
        "{printed}"
    );
}
