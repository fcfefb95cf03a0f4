//! Which headers let a page read an answer, and which keep it from a cache.

use super::*;

fn request(method: &str, lines: &str) -> Request {
    let head = format!("{method} / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    Request::parse(head.as_bytes()).expect("a head")
}

const ORIGIN: &str = "Origin: https://app.example\r\n";

fn granted(cors: &Cors, mut response: Response) -> Response {
    cors.grant(&request("GET", ORIGIN), &mut response);
    response
}

fn assert_headers(response: &Response, wanted: [Option<&str>; 3]) {
    let names = [ALLOW_ORIGIN, "Access-Control-Allow-Credentials", "Vary"];
    assert_eq!(names.map(|name| response.header(name)), wanted);
}

#[test]
fn the_origin_is_named_and_caches_are_told() {
    let origin = Some("https://app.example");
    let answer = granted(&Cors::new(), Response::ok());
    assert_headers(&answer, [origin, None, Some("Origin")]);
    let answer = granted(&Cors::new().with_credentials(), Response::ok());
    assert_headers(&answer, [origin, Some("true"), Some("Origin")]);
    let answer = granted(&Cors::public().with_credentials(), Response::ok());
    assert_headers(&answer, [Some("*"), None, None]);
}

#[test]
fn what_the_hook_says_stays() {
    let vary = |value| Response::ok().with_header("Vary", value).expect("a header");
    for (said, wanted) in [
        ("Cookie", "Cookie, Origin"),
        ("cookie, ORIGIN", "cookie, ORIGIN"),
        ("*", "*"),
    ] {
        let answer = granted(&Cors::new(), vary(said));
        assert_eq!(answer.header("vary"), Some(wanted));
    }
    let own = || {
        let response = Response::ok();
        response
            .with_header(ALLOW_ORIGIN, "https://b")
            .expect("a header")
    };
    let answer = granted(&Cors::new().with_credentials(), own());
    assert_headers(&answer, [Some("https://b"), None, None]);
}

#[test]
fn who_may_not_read_and_who_says_no_origin_only_keep_caches_apart() {
    let mut answer = Response::ok();
    Cors::new().withhold(&mut answer);
    assert_headers(&answer, [None, None, Some("Origin")]);
    let mut answer = Response::ok();
    Cors::new().grant(&request("GET", ""), &mut answer);
    assert_headers(&answer, [None, None, Some("Origin")]);
}

#[test]
fn a_preflight_is_told_what_it_asked_for() {
    let asks = |more: &str| {
        let lines = format!("{ORIGIN}Access-Control-Request-Method: PUT\r\n{more}");
        let request = request("OPTIONS", &lines);
        assert!(Cors::is_preflight(&request));
        Cors::new().preflight(&request)
    };
    let answer = asks("Access-Control-Request-Headers: x-token, content-type\r\n");
    assert_eq!(answer.status(), 204);
    assert_headers(&answer, [Some("https://app.example"), None, Some("Origin")]);
    let header = |name| answer.header(name);
    assert_eq!(header("Access-Control-Allow-Methods"), Some("PUT"));
    assert_eq!(
        header("Access-Control-Allow-Headers"),
        Some("x-token, content-type")
    );
    assert_eq!(header("Access-Control-Max-Age"), Some("7200"));
    // What could not be sent back.
    let answer = asks("Access-Control-Request-Headers: \u{e4}\r\n");
    assert_eq!(answer.header("Access-Control-Allow-Headers"), None);
    for (method, lines) in [
        ("OPTIONS", ORIGIN),
        ("OPTIONS", "Access-Control-Request-Method: PUT\r\n"),
        (
            "GET",
            "Origin: https://a\r\nAccess-Control-Request-Method: PUT\r\n",
        ),
    ] {
        assert!(
            !Cors::is_preflight(&request(method, lines)),
            "{method} {lines}"
        );
    }
}
