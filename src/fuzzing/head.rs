//! Request heads: however the bytes arrive, the answer is the same, and what is accepted says what a plain reading of
//! its lines says.

use super::pieces;
use crate::http::head::{HeadLimits, HeadScanner};
use crate::http::{Refusal, Request};

/// Scans and parses `data` as a request.
pub fn head(data: &[u8]) {
    let narrow = HeadLimits {
        max_head: 200,
        max_target: 20,
        max_headers: 4,
    };
    for limits in [HeadLimits::default(), narrow] {
        let whole = scan(limits, &[data]);
        let said = format!("{whole:?}");
        assert_eq!(said, format!("{:?}", scan(limits, &pieces(data))));
        let bytes: Vec<&[u8]> = data.chunks(1).collect();
        assert_eq!(said, format!("{:?}", scan(limits, &bytes)));
        match whole {
            Ok(Some(length)) => parse(&data[..length]),
            Ok(None) => assert!(
                data.len() < limits.max_head,
                "more is asked for than allowed"
            ),
            Err(refusal) => check_answer(&refusal),
        }
    }
}

/// The first answer that is not "more", as a server asks for it after each read.
fn scan(limits: HeadLimits, reads: &[&[u8]]) -> Result<Option<usize>, Refusal> {
    let mut scanner = HeadScanner::new(limits);
    let mut received = Vec::new();
    for read in reads {
        received.extend_from_slice(read);
        if let Some(length) = scanner.scan(&received)? {
            return Ok(Some(length));
        }
    }
    Ok(None)
}

fn parse(head: &[u8]) {
    match Request::parse(head) {
        Ok(request) => check_request(&request, head),
        Err(refusal) => check_answer(&refusal),
    }
}

fn check_request(request: &Request, head: &[u8]) {
    let Lines { first, headers } = Lines::of(head);
    let [method, target, version] = first[..] else {
        panic!("{first:?}");
    };
    assert_eq!(request.method().as_bytes(), method);
    assert_eq!(request.target().as_bytes(), target);
    let minor = version.strip_prefix(b"HTTP/1.");
    assert!(matches!(minor, Some([b'0'..=b'9'])));
    let parsed: Vec<_> = request
        .headers()
        .map(|(name, value)| (name.as_bytes(), value))
        .collect();
    assert_eq!(parsed, headers);
    let path = request.path();
    assert!(path.starts_with('/') && !path.contains(['?', '#']));
    let told = format!("{request:?}");
    assert!(!told.contains(['\r', '\n']), "{told}");
    // Whatever is asked of it has an answer.
    assert!(request.cookies().count() <= head.len());
    assert!(request.subprotocols().all(|name| !name.is_empty()));
}

/// A head as somebody reads it who knows only that it is well-formed.
pub(crate) struct Lines<'a> {
    pub first: Vec<&'a [u8]>,
    pub headers: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Lines<'a> {
    pub fn of(head: &'a [u8]) -> Self {
        // RFC 9112 2.2: an empty line in front is ignored.
        let head = head.strip_prefix(b"\r\n").unwrap_or(head);
        let mut lines = head
            .split(|&byte| byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = lines.next().unwrap_or_default();
        let headers = lines.filter(|line| !line.is_empty()).map(|line| {
            let colon = line.iter().position(|&byte| byte == b':').expect("a colon");
            (&line[..colon], line[colon + 1..].trim_ascii())
        });
        Lines {
            first: first.split(|&byte| byte == b' ').collect(),
            headers: headers.collect(),
        }
    }
}

/// Every refusal is answered with one complete HTTP response, or with nothing.
pub(crate) fn check_answer(refusal: &Refusal) {
    let answer = String::from_utf8(refusal.encode(false, None)).expect("an answer is text");
    let Some(status) = refusal.status() else {
        return assert!(answer.is_empty());
    };
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    assert!((300..=599).contains(&status));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    let lines: Vec<&str> = head.split("\r\n").collect();
    assert!(
        lines.iter().all(|line| !line.contains(['\r', '\n'])),
        "{head}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("Connection: close")),
        "{head}"
    );
    let length = format!("Content-Length: {}", body.len());
    assert!(lines.contains(&&length[..]), "{head}");
    let line = body.strip_suffix('\n').expect("a line");
    assert!(!line.contains(char::is_control), "{line:?}");
}
