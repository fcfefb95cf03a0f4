use super::*;

#[test]
fn requests_are_refused_with_the_protocols_numbers() {
    use EngineError::*;
    for (method, query, upgrade, error) in [
        ("GET", "", false, UnknownTransport),
        ("GET", "EIO=4", false, UnknownTransport),
        ("GET", "EIO=4&transport=abc", false, UnknownTransport),
        (
            "GET",
            "EIO=4&transport=polling&transport=abc",
            false,
            UnknownTransport,
        ),
        ("GET", "transport=polling", false, UnsupportedVersion),
        ("GET", "EIO=3&transport=polling", false, UnsupportedVersion),
        (
            "GET",
            "EIO=abc&transport=websocket",
            true,
            UnsupportedVersion,
        ),
        ("POST", "EIO=4&transport=polling", false, BadMethod),
        ("PUT", "EIO=3&transport=polling", false, BadMethod),
        ("GET", "EIO=4&transport=websocket", false, BadRequest),
        ("GET", "EIO=4&transport=polling", true, BadRequest),
    ] {
        assert_eq!(
            check(method, query, upgrade),
            Err(error),
            "{method} {query}"
        );
    }
}

#[test]
fn requests_are_understood_whatever_else_is_in_the_query() {
    for (query, upgrade, asked) in [
        (
            "EIO=4&transport=polling",
            false,
            SessionRequest::Open(Carrier::Polling),
        ),
        (
            "t=x&b64=1&transport=polling&EIO=4",
            false,
            SessionRequest::Open(Carrier::Polling),
        ),
        (
            "EIO=4&transport=polling&sid=",
            false,
            SessionRequest::Open(Carrier::Polling),
        ),
        (
            "EIO=4&transport=websocket",
            true,
            SessionRequest::Open(Carrier::WebSocket),
        ),
        (
            "EIO=4&transport=polling&sid=ab",
            false,
            SessionRequest::Continue {
                sid: "ab",
                fits: true,
            },
        ),
        (
            "EIO=4&transport=websocket&sid=ab",
            true,
            SessionRequest::Continue {
                sid: "ab",
                fits: true,
            },
        ),
        (
            "EIO=4&transport=websocket&sid=ab",
            false,
            SessionRequest::Continue {
                sid: "ab",
                fits: false,
            },
        ),
        (
            "EIO=3&transport=polling&sid=ab",
            false,
            SessionRequest::Continue {
                sid: "ab",
                fits: false,
            },
        ),
    ] {
        assert_eq!(check("GET", query, upgrade), Ok(asked), "{query}");
    }
}
