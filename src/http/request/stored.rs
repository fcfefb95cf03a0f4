//! The head of a request as it is kept: one copy of it, and where its parts lie.

use super::spans::Span;
use super::{Version, fields, target};
use crate::http::head::{HeadLimits, HeadScanner, NOT_A_REQUEST_LINE, split_line};
use crate::http::refusal::Refusal;

#[derive(Clone)]
pub(crate) struct StoredHead {
    /// The head as it came, and after it where its headers are, each from its name to the end of its value: one
    /// allocation that an idle connection holds.
    bytes: Box<[u8]>,
    /// Where the head ends.
    end: u16,
    pub method: Span,
    pub target: Span,
    pub path: Span,
    /// Empty at the start of the head, where no query can be: there is none.
    query: Span,
    pub host: Span,
    pub version: Version,
}

impl StoredHead {
    pub fn parse(head: &[u8]) -> Result<Self, Refusal> {
        check_is_one_head(head)?;
        Self::of_scanned(head)
    }

    /// Of a head that a scanner has found to be one.
    pub fn of_scanned(head: &[u8]) -> Result<Self, Refusal> {
        let (line, rest) = split_line(head.strip_prefix(b"\r\n").unwrap_or(head));
        let (method, raw_target, version) = request_line(line).ok_or(NOT_A_REQUEST_LINE)?;
        // The last line is no header; the array is on the heap, for threads have small stacks.
        let lines = rest.iter().filter(|&&byte| byte == b'\n').count();
        let mut slots = vec![httparse::EMPTY_HEADER; lines.saturating_sub(1)];
        let parsed = httparse::parse_headers(rest, &mut slots).map_err(fields::malformed)?;
        let httparse::Status::Complete((_, parsed)) = parsed else {
            return Err(UNFINISHED);
        };

        let target = target::parse(method, raw_target)?;
        fields::check_single(parsed)?;
        let host_header = fields::host(parsed, version)?;
        // RFC 9112 3.2.2: the authority of the target replaces what Host says.
        let host = target.authority.unwrap_or(host_header);

        let span = |part: &str| Span::of(head, part.as_bytes()).unwrap_or_default();
        let mut kept = Vec::with_capacity(head.len() + Span::SIZE * parsed.len());
        kept.extend_from_slice(head);
        for header in parsed.iter() {
            let (name, value) = (span(header.name), header.value.trim_ascii());
            let line = match Span::of(head, value) {
                Some(value) if value.end > name.end => Span {
                    end: value.end,
                    ..name
                },
                // Nothing is after the colon.
                _ => name,
            };
            kept.extend_from_slice(&line.to_bytes());
        }
        Ok(Self {
            bytes: kept.into_boxed_slice(),
            end: u16::try_from(head.len()).unwrap_or(u16::MAX),
            method: span(method),
            target: span(raw_target),
            path: span(target.path),
            query: target.query.map(span).unwrap_or_default(),
            host: span(host),
            version,
        })
    }

    /// Keeps these of the headers alone: the others take no memory any more.
    pub fn keep_headers(&mut self, names: &[&str]) {
        let line = Span {
            start: 0,
            end: self.target.end,
        };
        let mut kept = line.bytes(&self.bytes).to_vec();
        let mut keep = |bytes: &[u8]| {
            let start = kept.len();
            kept.extend_from_slice(bytes);
            Span::between(start, kept.len())
        };
        let host = match self.host.end <= line.end {
            true => Some(self.host),
            false => keep(self.host.bytes(&self.bytes)),
        };
        let is_kept = |name: &str| names.iter().any(|kept| kept.eq_ignore_ascii_case(name));
        let lines = self.lines().map(|line| line.bytes(&self.bytes));
        let lines = lines.filter(|line| is_kept(name_and_value(line).0));
        let headers: Option<Vec<Span>> = lines.map(keep).collect();
        // The host may stand there twice: where that makes the head too long, all is kept.
        let (Some(host), Some(headers), Ok(end)) = (host, headers, u16::try_from(kept.len()))
        else {
            return;
        };
        kept.extend(headers.into_iter().flat_map(Span::to_bytes));
        (self.bytes, self.end, self.host) = (kept.into_boxed_slice(), end, host);
    }

    /// The text of a part.
    pub fn text(&self, part: Span) -> &str {
        part.text(&self.bytes)
    }

    pub fn query(&self) -> Option<&str> {
        (self.query.start > 0).then(|| self.text(self.query))
    }

    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.lines()
            .map(|line| name_and_value(line.bytes(&self.bytes)))
    }

    fn lines(&self) -> impl Iterator<Item = Span> {
        let lines = self.bytes.get(usize::from(self.end)..).unwrap_or_default();
        let lines = lines.chunks_exact(Span::SIZE);
        lines
            .filter_map(|line| line.try_into().ok())
            .map(Span::from_bytes)
    }
}

/// The parts of a header's line. No name has a colon.
fn name_and_value(line: &[u8]) -> (&str, &[u8]) {
    let colon = line.iter().position(|&byte| byte == b':');
    let (name, value) = line.split_at(colon.unwrap_or(line.len()));
    let value = value.get(1..).unwrap_or_default();
    (
        core::str::from_utf8(name).unwrap_or_default(),
        value.trim_ascii(),
    )
}

/// What the scanner refuses, for a head that did not come through one.
fn check_is_one_head(head: &[u8]) -> Result<(), Refusal> {
    match HeadScanner::new(HeadLimits::WIDEST).scan(head)? {
        Some(length) if length == head.len() => Ok(()),
        _ => Err(UNFINISHED),
    }
}

const UNFINISHED: Refusal =
    Refusal::Malformed("the head does not end with its blank line (RFC 9112 2.1)");

/// Method, target and version of a line that the scanner has checked.
fn request_line(line: &[u8]) -> Option<(&str, &str, Version)> {
    let mut parts = core::str::from_utf8(line).ok()?.split(' ');
    let (method, target) = (parts.next()?, parts.next()?);
    let version = match parts.next()? {
        "HTTP/1.0" => Version::Http10,
        _ => Version::Http11,
    };
    Some((method, target, version))
}
