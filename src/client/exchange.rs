//! One HTTP exchange of a client, up to a deadline: its request, and the head of the answer.

use std::io::{self, Read, Write};
use std::time::Instant;

use super::error::NoAnswer;
use crate::connection::read_buffer::ReadBuffer;
use crate::handshake::InvalidAnswer;
use crate::handshake::answer::{AnswerHead, AnswerScanner};
use crate::http::body::{BodyDecoder, BodyLimits, Framing};
use crate::http::head::HeadLimits;
use crate::patience::Patience;
use crate::websocket::stream_error::{is_gone, must_wait};
use crate::websocket::stream_io::{fill, write_all};

/// How much of the body of a refusal is read.
const MAX_BODY: usize = 1024;
/// How many interim answers (RFC 9110 15.2) are read over: more are the answer.
const MAX_INTERIM: usize = 8;

/// A request of a client, and what comes back over its stream.
pub(crate) struct Exchange<'a, S> {
    stream: &'a mut S,
    limits: HeadLimits,
    deadline: Instant,
    /// What came after the head of the answer.
    pub buffer: ReadBuffer,
}

impl<'a, S: Read + Write> Exchange<'a, S> {
    pub fn new(stream: &'a mut S, limits: HeadLimits, deadline: Instant) -> Self {
        Exchange {
            stream,
            limits,
            deadline,
            buffer: ReadBuffer::default(),
        }
    }

    /// Writes the head of a request and reads that of its answer.
    pub fn ask(&mut self, request: &[u8]) -> Result<AnswerHead, NoAnswer> {
        let gone = match write_all(self.stream, request, Patience::until(self.deadline)) {
            Err(error) if !is_gone(&error) => return Err(error.into()),
            written => written.err(),
        };
        // A server that is gone may have said why.
        match (self.read_final(), gone) {
            (Err(NoAnswer::Left), Some(gone)) => Err(gone.into()),
            (answer, _) => answer,
        }
    }

    /// The answer after the interim ones.
    fn read_final(&mut self) -> Result<AnswerHead, NoAnswer> {
        let mut answer = self.read_answer()?;
        for _ in 0..MAX_INTERIM {
            match answer.status {
                100 | 102..200 => answer = self.read_answer()?,
                _ => break,
            }
        }
        Ok(answer)
    }

    fn read_answer(&mut self) -> Result<AnswerHead, NoAnswer> {
        let mut scanner = AnswerScanner::new(self.limits);
        loop {
            // What came after an interim answer is looked at before more is waited for.
            let came = self.buffer.filled();
            if let Some(head) = scanner.scan(came)? {
                let answer = AnswerHead::parse(came.get(..head).unwrap_or_default())?;
                self.buffer.discard(head);
                return Ok(answer);
            }
            if fill(self.stream, &mut self.buffer, self.deadline)? == 0 {
                return Err(NoAnswer::Left);
            }
        }
    }

    /// The beginning of the answer's body, where there is one and it comes.
    pub fn body(&mut self, answer: &AnswerHead) -> String {
        let wanted = body_len(answer).min(MAX_BODY);
        while self.buffer.filled().len() < wanted {
            // A body that does not come in whole is shown as far as it came.
            if !matches!(fill(self.stream, &mut self.buffer, self.deadline), Ok(1..)) {
                break;
            }
        }
        let came = self.buffer.filled();
        let body = match answer.header("transfer-encoding") {
            Some(coding) if coding.eq_ignore_ascii_case(b"chunked") => dechunked(came, self.limits),
            // It is compressed.
            Some(_) => Vec::new(),
            None => came.to_vec(),
        };
        let shown = body.get(..MAX_BODY).unwrap_or(&body);
        String::from_utf8_lossy(shown).into_owned()
    }
}

/// What came of a body in chunks. After a fault there is nothing to be shown.
fn dechunked(came: &[u8], head: HeadLimits) -> Vec<u8> {
    let limits = BodyLimits {
        max_body: usize::MAX,
        head,
    };
    let Ok(mut decoder) = BodyDecoder::new(Framing::Chunked, limits) else {
        return Vec::new();
    };
    let _ = decoder.decode(came);
    decoder.into_body()
}

/// How much of the body is worth waiting for: none where only the server knows when it ends.
fn body_len(answer: &AnswerHead) -> usize {
    let length = answer.header("content-length");
    let length = length.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    match answer.header("transfer-encoding") {
        Some(_) => 0,
        None => length.unwrap_or(0),
    }
}

impl From<InvalidAnswer> for NoAnswer {
    fn from(error: InvalidAnswer) -> Self {
        NoAnswer::Invalid(error)
    }
}

impl From<io::Error> for NoAnswer {
    fn from(error: io::Error) -> Self {
        match must_wait(&error) {
            true => NoAnswer::Timeout,
            false => NoAnswer::Io(error),
        }
    }
}
