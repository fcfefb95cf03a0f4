//! Bodies of requests: however the bytes arrive, the answer is the same; what is taken is what a plain reading of the
//! chunks gives; and nothing is kept beyond the limit.

use super::head::check_answer;
use super::pieces;
use crate::http::Refusal;
use crate::http::body::{BodyDecoder, BodyLimits, Framing};
use crate::http::head::HeadLimits;

const LIMITS: BodyLimits = BodyLimits {
    max_body: 5000,
    head: HeadLimits {
        max_head: 200,
        max_target: 20,
        max_headers: 4,
    },
};

/// Decodes `data` as chunks, and as a body of the length that its first two bytes say.
pub fn body(data: &[u8]) {
    check(Framing::Chunked, data);
    if let [high, low, data @ ..] = data {
        match u16::from_be_bytes([*high, *low]) {
            0 => check(Framing::Empty, data),
            length => check(Framing::Length(length.into()), data),
        }
    }
}

fn check(framing: Framing, data: &[u8]) {
    let whole = decode(framing, &[data]);
    let said = format!("{whole:?}");
    assert_eq!(said, format!("{:?}", decode(framing, &pieces(data))));
    let bytes: Vec<&[u8]> = data.chunks(1).collect();
    assert_eq!(said, format!("{:?}", decode(framing, &bytes)));
    match whole {
        Ok(Some((body, length))) => {
            assert!(body.len() <= LIMITS.max_body);
            let plainly = match framing {
                Framing::Chunked => read_chunks(&data[..length]),
                Framing::Empty | Framing::Length(_) => Some(data[..length].to_vec()),
            };
            assert_eq!(plainly, Some(body));
        }
        Ok(None) => {}
        Err(refusal) => check_answer(&refusal),
    }
}

/// The body, and how many bytes it took; `None` where more is asked for.
fn decode(framing: Framing, reads: &[&[u8]]) -> Result<Option<(Vec<u8>, usize)>, Refusal> {
    let mut decoder = BodyDecoder::new(framing, LIMITS)?;
    let mut length = 0;
    for read in reads {
        length += decoder.decode(read)?;
    }
    let is_complete = decoder.is_complete();
    Ok(is_complete.then(|| (decoder.into_body(), length)))
}

/// Chunks as somebody reads them who knows that they are well-formed, to the last byte.
fn read_chunks(mut data: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let (line, rest) = data.split_at_checked(find_crlf(data)?)?;
        let digits = line.split(|byte| b"; \t".contains(byte)).next()?;
        let size = usize::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()?;
        let rest = rest.strip_prefix(b"\r\n")?;
        if size == 0 {
            return read_trailers(rest).then_some(body);
        }
        let (chunk, rest) = rest.split_at_checked(size)?;
        body.extend_from_slice(chunk);
        data = rest.strip_prefix(b"\r\n")?;
    }
}

fn read_trailers(mut data: &[u8]) -> bool {
    while let Some(end) = find_crlf(data) {
        let (line, rest) = (&data[..end], &data[end + 2..]);
        if line.is_empty() {
            return rest.is_empty();
        }
        assert!(line.contains(&b':'), "a line with a name");
        data = rest;
    }
    false
}

fn find_crlf(data: &[u8]) -> Option<usize> {
    data.windows(2).position(|pair| pair == b"\r\n")
}
