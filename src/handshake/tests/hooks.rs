//! Rows H18, H20 and H24: what the application says.

use super::*;

#[test]
fn h20_headers_that_cannot_be_sent() {
    let error = |name: &str, value: &str| {
        Response::ok()
            .with_header(name, value)
            .map(drop)
            .unwrap_err()
    };
    for value in [
        "a\r\nSet-Cookie: x=y",
        "a\n",
        "\r",
        "\0",
        "\x07",
        "\x7f",
        "\u{e4}",
        "\u{85}",
    ] {
        assert!(
            matches!(error("X", value), InvalidHeader::Value { .. }),
            "{value:?}"
        );
        assert!(Accept::new().with_header("X", value).is_err());
        assert!(Reject::forbidden().with_header("X", value).is_err());
    }
    for name in ["", "X:", "X Y", "X\r\nY", "\u{e4}"] {
        assert!(
            matches!(error(name, "v"), InvalidHeader::Name { .. }),
            "{name:?}"
        );
    }
    for name in [
        "Content-Length",
        "transfer-encoding",
        "CONNECTION",
        "Upgrade",
        "Sec-WebSocket-Accept",
        "sec-websocket-x",
    ] {
        let reserved = error(name, "v");
        assert!(
            matches!(reserved, InvalidHeader::Reserved { .. }),
            "{name:?}"
        );
        assert!(
            reserved.to_string().contains("wshub writes it"),
            "{reserved}"
        );
    }
    for name in ["", "a b", "a\r\nX: y", "a,b", "\u{e4}"] {
        assert!(
            matches!(
                Accept::new().with_subprotocol(name),
                Err(InvalidHeader::Subprotocol { .. })
            ),
            "{name:?}"
        );
    }
}

#[test]
fn h20_set_cookie_adds_and_others_replace() {
    let response = Response::html("x")
        .with_header("Set-Cookie", "a=1")
        .and_then(|response| response.with_header("set-cookie", "b=2"))
        .and_then(|response| response.with_header("content-type", "image/svg+xml"))
        .expect("headers");
    let answer = text(response.encode(false, None));
    assert!(
        answer.contains("Set-Cookie: a=1\r\nset-cookie: b=2\r\n"),
        "{answer}"
    );
    assert!(!answer.contains("text/html"), "{answer}");
}

#[test]
fn h18_a_hook_chooses_among_the_offers() {
    let bytes = upgrade_head(&["Sec-WebSocket-Protocol: v1, v2"]);
    let request = receive(&bytes).expect("a head");
    let rules = Rules {
        subprotocols: list(&["v1"]),
        ..Rules::default()
    };
    let mut upgrade = negotiate::upgrade(&request, &rules, no_rule).expect("accepted");
    Accept::new()
        .settle(&request, &mut upgrade)
        .expect("no choice");
    assert_eq!(upgrade.subprotocol.as_deref(), Some("v1"));
    let accept = |name| Accept::new().with_subprotocol(name).expect("a token");
    accept("v2")
        .settle(&request, &mut upgrade)
        .expect("offered");
    assert_eq!(upgrade.subprotocol.as_deref(), Some("v2"));
    let refusal = accept("v3").settle(&request, &mut upgrade).unwrap_err();
    assert_eq!(
        (refusal.status(), refusal.reason()),
        (Some(500), "hook_subprotocol")
    );
    assert_eq!(upgrade.subprotocol.as_deref(), Some("v2"));
}

#[test]
fn h24_statuses_that_cannot_be_answered() {
    for status in [0, 99, 100, 101, 199, 600, u16::MAX] {
        assert!(Response::new(status).is_err(), "{status}");
    }
    for status in [0, 101, 200, 204, 299, 600] {
        let error = Reject::new(status).map(drop).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("status {status} is not possible here; use one from 300 to 599")
        );
    }
    for status in [200, 299, 300, 599] {
        assert!(Response::new(status).is_ok(), "{status}");
    }
    for status in [300, 404, 599] {
        assert!(Reject::new(status).is_ok(), "{status}");
    }
}

#[test]
fn h24_an_error_of_a_hook_becomes_a_500_with_its_text_in_the_log() {
    let hook = || -> Result<Accept, Reject> { Ok(Accept::new().with_header("X", "\r\n")?) };
    let refusal = Refusal::HookRejected(hook().unwrap_err());
    assert_eq!((refusal.status(), refusal.reason()), (Some(500), "hook"));
    assert!(
        refusal.to_string().contains("the value of header \"X\""),
        "{refusal}"
    );
    assert!(!answer(&refusal).contains("\"X\""));
}

#[test]
fn h24_a_cause_is_for_the_log_only_escaped_and_cut_short() {
    let reject = Reject::unauthorized().with_cause(format!("wrong\r\ntoken{}", "!".repeat(99)));
    let refusal = Refusal::HookRejected(reject);
    let logged = refusal.to_string();
    assert!(logged.contains(": wrong\\r\\ntoken!!!"), "{logged}");
    assert!(
        !logged.contains('\n') && !logged.contains(&"!".repeat(60)),
        "{logged}"
    );
    assert!(!answer(&refusal).contains("wrong"));
}
