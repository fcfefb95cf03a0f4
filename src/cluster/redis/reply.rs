//! Reads what Redis answers (RESP2): at most so many bytes of an answer, and a few times as many of memory, however it
//! is written.

use std::io::{self, BufRead, ErrorKind, Read};

use redis::{RedisError, RedisResult, Value, parse_redis_value};

use super::error::as_told;

/// Bytes of a line: a number, a word, or an error with its reason.
const LONGEST_LINE: u64 = 64 << 10;
/// Bytes of a text that Redis has (`proto-max-bulk-len`).
const LONGEST_TEXT: usize = 512 << 20;
/// Lists in lists; of those that are asked for, entries of a stream are the deepest with five.
const DEEPEST: usize = 8;

/// Not `redis::Parser`, which looks at a line from its beginning with each piece that comes of it, and makes twenty
/// bytes of one where lists are empty.
pub(crate) struct ReplyReader<'a, R> {
    from: &'a mut R,
    /// Bytes that an answer may have, each value counted as it is in memory, and how many of them are left. What the
    /// lists and texts take while they grow is not counted, nor what the answer is made into.
    longest: usize,
    left: usize,
    /// Bytes of texts that may be passed over.
    passable: usize,
}

impl<'a, R: BufRead> ReplyReader<'a, R> {
    pub fn new(from: &'a mut R, longest: usize) -> Self {
        ReplyReader {
            from,
            longest,
            left: longest,
            passable: 0,
        }
    }

    /// Of a text for which an answer has no room nothing is kept: it comes out empty.
    pub fn passing_over(mut self) -> Self {
        self.passable = LONGEST_TEXT;
        self
    }

    /// The whole answer.
    pub fn read(mut self) -> RedisResult<Value> {
        self.value(DEEPEST)
    }

    fn value(&mut self, depth: usize) -> RedisResult<Value> {
        let line = self.line()?;
        match line.first() {
            Some(b'$') => match number(&line)? {
                Some(len) => self.bulk(len).map(Value::BulkString),
                None => Ok(Value::Nil),
            },
            Some(b'*') => match number(&line)? {
                Some(len) => self.list(len, depth.checked_sub(1).ok_or_else(no_redis)?),
                None => Ok(Value::Nil),
            },
            Some(b'+' | b'-' | b':') => parse_redis_value(&line),
            _ => Err(no_redis()),
        }
    }

    fn line(&mut self) -> RedisResult<Vec<u8>> {
        let mut line = Vec::new();
        let mut limited = self.from.by_ref().take(LONGEST_LINE);
        limited.read_until(b'\n', &mut line)?;
        self.spend(line.len() + size_of::<Value>())?;
        if line.ends_with(b"\r\n") {
            return Ok(line);
        }
        match line.ends_with(b"\n") || line.len() as u64 == LONGEST_LINE {
            true => Err(no_redis()),
            false => Err(std::io::Error::from(ErrorKind::UnexpectedEof).into()),
        }
    }

    fn list(&mut self, len: usize, depth: usize) -> RedisResult<Value> {
        let mut values = Vec::new();
        for _ in 0..len {
            values.push(self.value(depth)?);
        }
        Ok(Value::Array(values))
    }

    /// So many bytes, and the end of a line.
    fn bulk(&mut self, len: usize) -> RedisResult<Vec<u8>> {
        let mut bytes = Vec::new();
        if self.left < len && len <= self.passable {
            self.pass_over(len)?;
        } else {
            self.spend(len)?;
            let mut limited = self.from.by_ref().take(len as u64);
            limited.read_to_end(&mut bytes)?;
        }
        let mut end = [0; 2];
        self.from.read_exact(&mut end)?;
        match end == *b"\r\n" {
            true => Ok(bytes),
            false => Err(no_redis()),
        }
    }

    fn pass_over(&mut self, len: usize) -> RedisResult<()> {
        self.passable -= len;
        io::copy(&mut self.from.by_ref().take(len as u64), &mut io::sink())?;
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> RedisResult<()> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            as_told(format!(
                "Redis answers with more than {} bytes at once, which no node publishes: is it a Redis, and is \
                 ClusterBuilder::max_message the same on every node?",
                self.longest
            ))
        })?;
        Ok(())
    }
}

/// Of the bytes or values that follow; `None` where it says that there is nothing.
fn number(line: &[u8]) -> RedisResult<Option<usize>> {
    let digits = line.get(1..).and_then(|rest| rest.strip_suffix(b"\r\n"));
    match digits {
        Some(b"-1") => Ok(None),
        Some(digits) => {
            let number = std::str::from_utf8(digits)
                .ok()
                .and_then(|it| it.parse().ok());
            number.map(Some).ok_or_else(no_redis)
        }
        None => Err(no_redis()),
    }
}

fn no_redis() -> RedisError {
    RedisError::from((redis::ErrorKind::Parse, "no answer of Redis"))
}

#[cfg(test)]
mod tests;
