//! How long a head may be, and what reading it may cost: rows H2 and M8, and advisories of others.

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
