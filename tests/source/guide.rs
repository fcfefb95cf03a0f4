//! What the guide quotes is what wshub says: its messages, and the defaults of its limits.

use std::time::Duration;

use wshub::{Error, Limits, RecvError, Refusal, SendErrorKind, Violation};

const MESSAGES: &str = include_str!("../../src/guide/troubleshooting.md");
const LIMITS: &str = include_str!("../../src/guide/limits.md");

/// The quoted text up to where it is cut short.
fn assert_quoted(message: &str) {
    let quoted = MESSAGES.split('`').any(|code| {
        let begin = code.split('…').next().unwrap_or(code).trim();
        begin.len() >= 6 && message.starts_with(begin)
    });
    assert!(quoted, "the guide does not explain: {message}");
}

#[test]
fn the_messages_it_explains_are_those_of_the_code() {
    let origin = "https://app.example.com".to_owned();
    let host = "device.example.com".to_owned();
    for refusal in [
        Refusal::UpgradeRequired,
        Refusal::TlsOnPlainPort,
        Refusal::PlainOnTlsPort,
        Refusal::Full,
        Refusal::Timeout,
        Refusal::Silence,
        Refusal::Origin {
            origin,
            host: "127.0.0.1:9101".to_owned(),
        },
        Refusal::Host {
            host,
            loopback: false,
        },
        Refusal::OriginSyntax {
            origin: String::new(),
            problem: "it is empty",
        },
    ] {
        assert_quoted(&refusal.to_string());
    }
    let limits = Limits::default();
    for violation in [
        Violation::MessageTooBig {
            limit: limits.max_message,
        },
        Violation::TooManyFragments {
            limit: limits.max_fragments,
        },
    ] {
        assert_quoted(&violation.to_string());
    }
    let too_large = Refusal::HeadTooLarge {
        limit: limits.max_head,
    };
    assert_quoted(&too_large.to_string());
    assert_quoted(&Error::SlowConsumer.to_string());
    assert_quoted(&Error::PongTimeout.to_string());
    assert_quoted(&Error::OutOfMemory.to_string());
    assert_quoted(&SendErrorKind::Closed.to_string());
    assert_quoted(&SendErrorKind::Full.to_string());
    // The log says it of `events()`, the error of each call.
    assert!(
        RecvError::InUse
            .to_string()
            .contains("another Events of this server is alive")
    );
    // It quotes backticks itself.
    assert!(MESSAGES.contains(&Refusal::UpgradeMissing.to_string()[..48]));
}

#[test]
fn the_table_of_limits_holds_the_defaults() {
    for (field, value) in defaults() {
        let row = format!("| `{field}` | {value}");
        assert!(LIMITS.contains(&row), "the guide lacks: {row}");
    }
    let rows = LIMITS
        .lines()
        .filter(|line| line.starts_with("| `"))
        .count();
    assert!(rows >= 21, "{rows} rows");
}

#[test]
fn the_docs_of_limits_hold_the_defaults() {
    let source = include_str!("../../src/limits.rs");
    for (field, value) in defaults() {
        let (before, _) = source.split_once(&format!("\n    pub {field}: ")).unwrap();
        let doc = before
            .lines()
            .rev()
            .take_while(|line| line.trim_start().starts_with("///"));
        let lines: Vec<_> = doc
            .map(|line| line.trim_start_matches([' ', '/']))
            .collect();
        let doc = lines.into_iter().rev().collect::<Vec<_>>().join(" ");
        // A count of bytes stands without the word, and nothing is marked as code.
        let value = value
            .trim_end_matches(" bytes")
            .trim_matches(['`', ':', ' ']);
        let defaults = [format!("Default {value}"), format!("Default (`{value}`)")];
        assert!(defaults.iter().any(|it| doc.contains(it)), "{field}: {doc}");
    }
}

fn defaults() -> Vec<(&'static str, String)> {
    let limits = Limits::default();
    vec![
        // Where there are descriptors enough, which this machine may not have.
        ("max_connections", grouped(10_000)),
        ("max_handshakes", grouped(limits.max_handshakes)),
        ("max_http_requests", grouped(limits.max_http_requests)),
        ("max_per_address", none(limits.max_per_address)),
        ("max_head", bytes(limits.max_head)),
        (
            "max_target",
            format!("{} bytes", grouped(limits.max_target)),
        ),
        ("max_headers", grouped(limits.max_headers)),
        ("handshake_timeout", time(limits.handshake_timeout)),
        ("max_body", bytes(limits.max_body)),
        ("body_timeout", time(limits.body_timeout)),
        ("keep_alive", time(limits.keep_alive.unwrap())),
        (
            "max_requests_per_connection",
            grouped(limits.max_requests_per_connection as usize),
        ),
        ("max_idle_connections", grouped(limits.max_idle_connections)),
        ("max_waiting_requests", grouped(limits.max_waiting_requests)),
        ("answer_timeout", time(limits.answer_timeout)),
        ("max_message", bytes(limits.max_message)),
        ("max_fragments", grouped(limits.max_fragments as usize)),
        ("assembly_timeout", time(limits.assembly_timeout)),
        (
            "accept_non_minimal_lengths",
            format!("`{}`", limits.accept_non_minimal_lengths),
        ),
        ("inbound_total", bytes(limits.inbound_total)),
        (
            "inbound_per_connection",
            bytes(limits.inbound_per_connection),
        ),
        ("outbound_per_connection", "`None`: ".to_owned()),
        ("write_timeout", time(limits.write_timeout)),
        ("min_rate", bytes(limits.min_rate)),
        ("ping_interval", time(limits.ping_interval.unwrap())),
        ("pong_timeout", time(limits.pong_timeout)),
        ("close_timeout", time(limits.close_timeout)),
        ("stack_size", bytes(limits.stack_size)),
        ("idle_thread_timeout", time(limits.idle_thread_timeout)),
    ]
}

fn none(value: Option<usize>) -> String {
    value.map_or_else(|| "none".to_owned(), grouped)
}

fn time(value: Duration) -> String {
    format!("{} s", value.as_secs())
}

fn bytes(value: usize) -> String {
    match value >> 20 {
        0 => format!("{} KiB", value >> 10),
        mebibytes => format!("{mebibytes} MiB"),
    }
}

fn grouped(value: usize) -> String {
    match value / 1000 {
        0 => value.to_string(),
        thousands => format!("{thousands},{:03}", value % 1000),
    }
}

/// A program of the guide is pasted as it stands: the file shows hidden lines, and the page leaves them out.
#[test]
fn its_programs_have_no_hidden_lines() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide");
    let mut programs = 0;
    for chapter in std::fs::read_dir(folder).unwrap() {
        let path = chapter.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for block in text.split("\n```rust").skip(1) {
            let program = block.split("\n```\n").next().unwrap();
            let hidden = |line: &str| line == "#" || line.starts_with("# ");
            assert!(
                !program.lines().any(hidden),
                "{}: {program}",
                path.display()
            );
            programs += 1;
        }
    }
    assert!(programs > 20, "{programs}");
}

/// The strings of the `Display` of errors, and of the lines of the log but those for debugging.
fn messages(source: &str) -> Vec<String> {
    let tokens = crate::tokens::lexed(source);
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let starts = |words: &[&str]| tokens[at..].iter().zip(words).all(|(it, word)| it == word);
        let is_line = starts(&["log_line", "!", "("]) || starts(&["line_for_later", "!", "("]);
        let is_debug = |token: &String| token == "Debug" || token == "$";
        let ends = match () {
            () if is_line && !tokens.get(at + 3).is_some_and(is_debug) => ("(", ")"),
            () if starts(&["Display", "for"]) => ("{", "}"),
            () => continue,
        };
        let mut depth = 0;
        for token in &tokens[at..] {
            depth += i32::from(token == ends.0) - i32::from(token == ends.1);
            if token.starts_with('"') {
                found.push(token.trim_matches('"').to_owned());
            }
            if token == ends.1 && depth == 0 {
                break;
            }
        }
    }
    found
}

/// What one looks a message up by: its longest part without a value of its own, up to the remedy.
fn searched(message: &str) -> String {
    let lines = message.split("\\\n").map(str::trim_start);
    let text = lines.collect::<String>().replace("\\\"", "\"");
    let parts = text.split(['{', '}']).step_by(2);
    let longest = parts.max_by_key(|part| part.len()).unwrap_or_default();
    let before_remedy = longest.trim_start_matches("; ").split("; ").next();
    before_remedy
        .unwrap_or_default()
        .trim_matches([' ', ',', ':', ';'])
        .to_owned()
}

#[test]
fn every_message_of_the_code_is_found_in_the_guide() {
    let guide = format!("{MESSAGES}{}", include_str!("../../src/guide/messages.md"));
    let found: Vec<String> = crate::files::sources()
        .filter(|(path, _)| !path.contains("tests") && !path.starts_with("fuzzing"))
        .flat_map(|(_, source)| messages(&source))
        .map(|message| searched(&message))
        .filter(|text| text.split(' ').count() > 2)
        .collect();
    assert!(found.len() > 200, "{} messages are found", found.len());
    let is_missing = |text: &&String| !guide.contains(text.as_str());
    let missing: Vec<&String> = found.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
