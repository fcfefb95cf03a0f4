//! Pages of other sites that ask the `http` hook: who may read, and who is told what to set.

use crate::support::app::App;
use crate::support::exchange;
use wshub::{Cors, Response, Server, ServerBuilder};

fn server() -> ServerBuilder {
    Server::builder()
        .origins(["https://app.example"])
        .http(|request| Response::json(format!("\"{}\"", request.method())))
}

fn ask(app: &App, method: &str, headers: &str) -> String {
    let head = format!("{method} /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    exchange(app.addr, format!("{head}{headers}\r\n"))
}

/// The status, and the value of a header.
fn said<'a>(answer: &'a str, name: &str) -> (&'a str, Option<&'a str>) {
    let status = answer.split(' ').nth(1).unwrap_or_default();
    let mut lines = answer.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    (status, value)
}

const ALLOW: &str = "Access-Control-Allow-Origin";
const OWN: &str = "Origin: https://app.example\r\n";
const FOREIGN: &str = "Origin: https://evil.example\r\n";
const ASKS: &str = "Access-Control-Request-Method: PUT\r\n";

#[test]
fn without_a_rule_the_hook_sees_every_method_and_no_page_reads() {
    let app = App::echo(server());
    for origin in [OWN, FOREIGN] {
        let answer = ask(&app, "OPTIONS", &format!("{origin}{ASKS}"));
        assert_eq!(said(&answer, ALLOW), ("200", None), "{answer}");
        assert!(answer.ends_with("\"OPTIONS\""), "{answer}");
    }
    assert_eq!(said(&ask(&app, "GET", OWN), "Vary"), ("200", None));
}

#[test]
fn a_rule_lets_those_read_who_may_open_a_websocket() {
    let app = App::echo(server().cors(Cors::new()));
    for method in ["GET", "POST", "PUT"] {
        let answer = ask(&app, method, OWN);
        assert_eq!(said(&answer, ALLOW), ("200", Some("https://app.example")));
        assert_eq!(said(&answer, "Vary").1, Some("Origin"));
    }
    let answer = ask(&app, "GET", FOREIGN);
    assert_eq!(said(&answer, ALLOW), ("200", None));
    assert_eq!(said(&answer, "Vary").1, Some("Origin"));
    assert_eq!(said(&ask(&app, "PUT", FOREIGN), ALLOW), ("403", None));
    // Who sends none is no page.
    assert_eq!(said(&ask(&app, "PUT", ""), ALLOW), ("200", None));
}

#[test]
fn a_preflight_is_answered_without_the_hook() {
    let app = App::echo(server().cors(Cors::new().with_credentials()));
    let answer = ask(&app, "OPTIONS", &format!("{OWN}{ASKS}"));
    assert_eq!(said(&answer, ALLOW), ("204", Some("https://app.example")));
    assert_eq!(said(&answer, "Access-Control-Allow-Methods").1, Some("PUT"));
    assert_eq!(
        said(&answer, "Access-Control-Allow-Credentials").1,
        Some("true")
    );
    assert!(answer.ends_with("\r\n\r\n"), "no body: {answer}");
    let answer = ask(&app, "OPTIONS", &format!("{FOREIGN}{ASKS}"));
    assert_eq!(said(&answer, ALLOW), ("403", None));
    for word in ["PUT", r#".origins(["https://evil.example"])"#] {
        assert!(answer.contains(word), "{answer}");
    }
    assert_eq!(app.handle.stats().refused["cross_site"], 1);
    // An OPTIONS that is none is the hook's.
    assert!(ask(&app, "OPTIONS", OWN).ends_with("\"OPTIONS\""));
}

#[test]
fn the_rule_of_an_origin_is_asked_for_plain_requests_too() {
    let rule = |origin: &str, _: &wshub::HookRequest<'_>| origin.ends_with(".test");
    let app = App::echo(server().cors(Cors::new()).origin_rule(rule));
    let answer = ask(&app, "GET", "Origin: http://a.test\r\n");
    assert_eq!(said(&answer, ALLOW), ("200", Some("http://a.test")));
    assert_eq!(said(&ask(&app, "GET", FOREIGN), ALLOW), ("200", None));
}

#[test]
fn a_public_answer_is_everybodys() {
    let app = App::echo(server().cors(Cors::public()));
    for method in ["GET", "POST"] {
        assert_eq!(said(&ask(&app, method, FOREIGN), ALLOW), ("200", Some("*")));
    }
    let answer = ask(&app, "OPTIONS", &format!("{FOREIGN}{ASKS}"));
    assert_eq!(said(&answer, ALLOW), ("204", Some("*")));
    // The guard against rebinding stays.
    let rebound = "GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: https://evil.example\r\n\r\n";
    assert!(exchange(app.addr, rebound).starts_with("HTTP/1.1 403 "));
}
