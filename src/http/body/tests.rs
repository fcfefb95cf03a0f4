//! Every framing of RFC 9112 6 and 7, as a table: what the head says, what comes, and what is made of it.

use super::*;
use crate::http::head::HeadLimits;

const LIMITS: BodyLimits = BodyLimits {
    max_body: 1000,
    head: HeadLimits {
        max_head: 300,
        max_target: 100,
        max_headers: 4,
    },
};

fn request(method: &str, version: &str, lines: &[&str]) -> Request {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("{method} / HTTP/{version}\r\nHost: a\r\n{lines}\r\n");
    Request::parse(head.as_bytes()).expect("a head")
}

fn framing(lines: &[&str]) -> Result<Framing, Refusal> {
    Framing::of(&request("POST", "1.1", lines))
}

fn status<T>(result: Result<T, Refusal>) -> Option<u16> {
    result.err().and_then(|refusal| refusal.status())
}

/// The body and what comes after it; `None` where more is asked for.
type Decoded = Result<Option<(Vec<u8>, Vec<u8>)>, Refusal>;

fn decode_in_pieces(framing: Framing, pieces: &[&[u8]]) -> Decoded {
    let mut decoder = BodyDecoder::new(framing, LIMITS)?;
    let mut behind = Vec::new();
    for piece in pieces {
        let taken = decoder.decode(piece)?;
        behind.extend_from_slice(&piece[taken..]);
    }
    let is_complete = decoder.is_complete();
    assert!(
        is_complete || behind.is_empty(),
        "it leaves what is its own"
    );
    Ok(is_complete.then(|| (decoder.into_body(), behind)))
}

/// Decodes in one piece, in two at every place, and byte by byte: all say the same.
fn decode(framing: Framing, bytes: &[u8]) -> Decoded {
    let whole = decode_in_pieces(framing, &[bytes]);
    let told = format!("{whole:?}");
    for cut in 0..bytes.len().min(600) {
        let (one, two) = bytes.split_at(cut);
        let halves = decode_in_pieces(framing, &[one, two]);
        assert_eq!(told, format!("{halves:?}"), "cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(told, format!("{:?}", decode_in_pieces(framing, &single)));
    whole
}

#[test]
fn h09_where_a_body_ends_by_its_head() {
    for (lines, wanted) in [
        (&[][..], Framing::Empty),
        (&["Content-Length: 0"], Framing::Empty),
        (&["Content-Length: 000"], Framing::Empty),
        (&["Content-Length: 5"], Framing::Length(5)),
        (&["content-length:\t0005 "], Framing::Length(5)),
        // Larger than any number, and refused where it is read.
        (
            &["Content-Length: 99999999999999999999999"],
            Framing::Length(u64::MAX),
        ),
        (&["Transfer-Encoding: chunked"], Framing::Chunked),
        (&["TRANSFER-ENCODING:  CHUNKED"], Framing::Chunked),
        (&["Transfer-Encoding: ,chunked,"], Framing::Chunked),
    ] {
        assert_eq!(framing(lines).expect("framed"), wanted, "{lines:?}");
    }
}

#[test]
fn h09_heads_that_do_not_say_where_a_body_ends() {
    for (lines, wanted) in [
        (&["Content-Length: 5", "Content-Length: 5"][..], 400),
        (&["Content-Length: 5", "Content-Length: 6"], 400),
        (&["Content-Length: 5, 5"], 400),
        (&["Content-Length: 5,6"], 400),
        (&["Content-Length: +5"], 400),
        (&["Content-Length: -5"], 400),
        (&["Content-Length: 0x5"], 400),
        (&["Content-Length: 5 5"], 400),
        (&["Content-Length: 5.0"], 400),
        (&["Content-Length: 5;"], 400),
        (&["Content-Length: \u{662}"], 400),
        (&["Content-Length:"], 400),
        (&["Content-Length: chunked"], 400),
        (&["Content-Length: 5", "Transfer-Encoding: chunked"], 400),
        (&["Transfer-Encoding: chunked", "Content-Length: 0"], 400),
        (&["Transfer-Encoding: identity", "Content-Length: 5"], 400),
        (&["Transfer-Encoding:"], 400),
        (&["Transfer-Encoding: identity"], 400),
        (&["Transfer-Encoding: xchunked"], 400),
        (&["Transfer-Encoding: chunked, gzip"], 400),
        (&["Transfer-Encoding: chunked, chunked"], 400),
        (
            &["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
            400,
        ),
        (
            &["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
            400,
        ),
        (&["Transfer-Encoding: chunked;q=1"], 400),
        (&["Transfer-Encoding: \"chunked\""], 400),
        (&["Transfer-Encoding: gzip chunked"], 400),
        (&["Transfer-Encoding: gzip;a=\"b, chunked"], 400),
        // Framed, and not understood.
        (&["Transfer-Encoding: gzip, chunked"], 501),
        (
            &["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"],
            501,
        ),
    ] {
        assert_eq!(status(framing(lines)), Some(wanted), "{lines:?}");
    }
    let old = |lines: &[&str]| Framing::of(&request("GET", "1.0", lines));
    assert_eq!(status(old(&["Transfer-Encoding: chunked"])), Some(400));
    assert_eq!(status(old(&["Content-Length: 5"])), None);
}

/// RFC 1945 8.3: over HTTP/1.0 the end of the stream might be meant.
#[test]
fn a_body_over_http_1_0_has_a_length() {
    for method in ["POST", "PUT", "PATCH"] {
        let old = |lines: &[&str]| Framing::of(&request(method, "1.0", lines));
        assert_eq!(status(old(&[])), Some(411), "{method}");
        assert_eq!(status(old(&["Content-Length: 0"])), None, "{method}");
        let now = Framing::of(&request(method, "1.1", &[]));
        assert_eq!(now.expect("framed"), Framing::Empty, "{method}");
    }
    for method in ["GET", "DELETE", "OPTIONS"] {
        let old = Framing::of(&request(method, "1.0", &[]));
        assert_eq!(old.expect("framed"), Framing::Empty, "{method}");
    }
}

#[test]
fn a_word_before_the_body_where_it_is_waited_for() {
    let length = "Content-Length: 5";
    for (version, lines, wanted) in [
        ("1.1", &["Expect: 100-continue", length][..], Ok(true)),
        ("1.1", &["expect:100-CONTINUE", length], Ok(true)),
        ("1.1", &[length], Ok(false)),
        ("1.1", &["Expect:", length], Ok(false)),
        // RFC 9110 10.1.1: without a body, and from 1.0, it is ignored.
        ("1.1", &["Expect: 100-continue"], Ok(false)),
        ("1.0", &["Expect: 100-continue", length], Ok(false)),
        ("1.1", &["Expect: 200-ok", length], Err(417)),
        ("1.1", &["Expect: 100-continue, x", length], Err(417)),
    ] {
        let request = request("POST", version, lines);
        let framing = Framing::of(&request).expect("framed");
        let waited = framing.is_waited_for(&request);
        let waited = waited.map_err(|refusal| refusal.status().expect("a status"));
        assert_eq!(waited, wanted, "{version} {lines:?}");
    }
}

#[test]
fn h09_a_body_of_a_length_is_that_long() {
    let behind = b"GET /next HTTP/1.1\r\n".as_slice();
    let bytes = [b"hello", behind].concat();
    let decoded = decode(Framing::Length(5), &bytes).expect("decoded");
    assert_eq!(decoded, Some((b"hello".to_vec(), behind.to_vec())));
    assert_eq!(decode(Framing::Length(5), b"hell").expect("more"), None);
    let empty = decode(Framing::Empty, behind).expect("decoded");
    assert_eq!(empty, Some((Vec::new(), behind.to_vec())));
    let most = vec![b'x'; 1000];
    assert!(
        decode(Framing::Length(1000), &most)
            .expect("decoded")
            .is_some()
    );
    for length in [1001, u64::MAX - 1, u64::MAX] {
        let refused = BodyDecoder::new(Framing::Length(length), LIMITS);
        assert_eq!(status(refused), Some(413), "{length}");
    }
}

#[test]
fn h09_chunks_that_are_in_order() {
    for (bytes, body) in [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", "hello"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("a\r\n0123456789\r\n000\r\n\r\n", "0123456789"),
        (
            "0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n",
            "hello",
        ),
        // What looks like framing inside a chunk is data.
        ("7\r\n0\r\n\r\nxx\r\n0\r\n\r\n", "0\r\n\r\nxx"),
        ("5;a=b\r\nhello\r\n0;c\r\n\r\n", "hello"),
        ("5 ; a = \"b;c\"\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\t;a\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;\u{e4}\r\nhello\r\n0\r\n\r\n", "hello"),
        ("0\r\nX: y\r\nExpires:\r\n\r\n", ""),
        // A trailer changes nothing: no length, no host, no cookie.
        (
            "1\r\nx\r\n0\r\nContent-Length: 5\r\nHost: evil\r\n\r\n",
            "x",
        ),
    ] {
        let behind = "POST / HTTP/1.1\r\n";
        let sent = format!("{bytes}{behind}");
        let decoded = decode(Framing::Chunked, sent.as_bytes());
        let wanted = (body.as_bytes().to_vec(), behind.as_bytes().to_vec());
        assert_eq!(decoded.expect("decoded"), Some(wanted), "{bytes:?}");
        for cut in 0..bytes.len() {
            let part = decode_in_pieces(Framing::Chunked, &[&bytes.as_bytes()[..cut]]);
            assert_eq!(part.expect("more"), None, "{bytes:?} up to {cut}");
        }
    }
}

#[test]
fn h09_chunks_that_are_not() {
    for bytes in [
        // Sizes.
        "\r\n",
        "\n",
        " 5\r\nhello\r\n",
        "-5\r\n",
        "+5\r\n",
        "0x5\r\n",
        "g\r\n",
        "5h\r\n",
        "5_\r\n",
        "5,5\r\n",
        "5 5\r\n",
        "5 \r\n",
        "5\t\r\n",
        ";a\r\n",
        "five\r\n",
        "00000000000000005\r\n",
        "10000000000000000\r\n",
        "\u{665}\r\n",
        // Ends of lines.
        "5\nhello\r\n",
        "5\rhello",
        "5\r\r\n",
        "5;a\nhello",
        "5;a\rb\r\n",
        "5;a\0\r\n",
        "5;\u{7f}\r\n",
        // Ends of chunks.
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
        "1\r\nx\r\n\r\n0\r\n\r\n",
        // Trailers.
        "0\r\n\n",
        "0\r\n\rx",
        "0\r\nX\r\n\r\n",
        "0\r\n: y\r\n\r\n",
        "0\r\n X: y\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\nX: y\r\n folded\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\nX: y\rz\r\n\r\n",
        "0\r\nX: \0\r\n\r\n",
        "0\r\nGET / HTTP/1.1\r\n\r\n",
    ] {
        let decoded = decode(Framing::Chunked, bytes.as_bytes());
        assert_eq!(status(decoded), Some(400), "{bytes:?}");
    }
}

#[test]
fn h09_chunks_that_are_too_much() {
    let chunked = |bytes: &str| status(decode(Framing::Chunked, bytes.as_bytes()));
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    assert_eq!(chunked(&format!("{chunk}{chunk}0\r\n\r\n")), None);
    assert_eq!(chunked(&format!("{chunk}{chunk}1\r\n")), Some(413));
    // By what it announces, and without room for it.
    for size in ["3e9", "7fffffffffffffff", "ffffffffffffffff"] {
        assert_eq!(chunked(&format!("{size}\r\n")), Some(413), "{size}");
    }
    let trailer = |line: &str, times| chunked(&format!("0\r\n{}\r\n", line.repeat(times)));
    assert_eq!(trailer("X: y\r\n", 4), None);
    assert_eq!(trailer("X: y\r\n", 5), Some(431));
    assert_eq!(trailer(&format!("X: {}\r\n", "y".repeat(290)), 1), None);
    assert_eq!(
        trailer(&format!("X: {}\r\n", "y".repeat(300)), 1),
        Some(431)
    );
}

/// The kind of CVE-2023-39326 and CVE-2024-22019: megabytes of extensions around nothing.
#[test]
fn h09_extensions_are_no_longer_than_the_body() {
    let chunked = |bytes: &str| decode_in_pieces(Framing::Chunked, &[bytes.as_bytes()]);
    let signature = format!(";chunk-signature={}", "0".repeat(64));
    let signed = format!("64{signature}\r\n{}\r\n", "x".repeat(100)).repeat(10);
    assert!(chunked(&format!("{signed}0{signature}\r\n\r\n")).is_ok());
    let long = "x".repeat(FREE_EXTENSIONS - 1);
    assert!(chunked(&format!("0;{long}\r\n\r\n")).is_ok());
    assert_eq!(status(chunked(&format!("0;{long}x"))), Some(400));
    let many = format!("1;{}\r\nx\r\n", "y".repeat(99)).repeat(900);
    assert_eq!(status(chunked(&many)), Some(400));
}

/// What is announced takes no memory.
#[test]
fn f06_a_body_grows_with_what_arrives() {
    let limits = BodyLimits {
        max_body: usize::MAX,
        ..LIMITS
    };
    let announced = usize::MAX / 2;
    for (framing, first) in [
        (Framing::Length(announced as u64), String::new()),
        (Framing::Chunked, format!("{announced:x}\r\n")),
    ] {
        let mut decoder = BodyDecoder::new(framing, limits).expect("room");
        decoder.decode(first.as_bytes()).expect("more");
        decoder.decode(&[7; 1000]).expect("more");
        assert!(decoder.into_body().capacity() <= 2000);
    }
}
