//! A body that is read while it is written: from a file, a program, whatever reads.

use std::any::Any;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use super::plain_request::PlainRequest;
use super::writing::AnswerWriter;
use crate::http::request::Version;
use crate::http::response::{Length, PendingBody};
use crate::http::{Refusal, Response};
use crate::lock::{Mutex, READER, assert_no_lock, lock};
use crate::panics::{self, Contained};
use crate::stats::Counters;
use crate::transport::MOST_TRIES;

/// What is read at once, and so what is held of a body.
const PIECE: usize = 64 << 10;

impl Response {
    /// Sets the body to what `reader` gives. It is read while it is written, 64 KiB at a time, so a long file is never
    /// held whole. With a `length` the client knows how much comes; a reader that ends before that is an error, and
    /// nothing is read beyond it. Without a length the body is sent in chunks.
    ///
    /// It is read on the connection's own thread, and no deadline ends that: a reader that blocks keeps one of
    /// [`max_http_requests`](crate::Limits::max_http_requests). When it fails, panics or ends before its length, the
    /// connection is reset, so that the client can tell; the log says why. It is not read for HEAD. A clone of the
    /// answer has the same reader, which gives its bytes once.
    ///
    /// ```
    /// use std::fs::File;
    /// use wshub::Response;
    ///
    /// fn video() -> std::io::Result<Response> {
    ///     let file = File::open("video.mp4")?;
    ///     let length = file.metadata()?.len();
    ///     let response = Response::ok().with_reader(file, Some(length));
    ///     response.with_header("Content-Type", "video/mp4").map_err(std::io::Error::other)
    /// }
    /// # let _ = video;
    /// ```
    #[must_use]
    pub fn with_reader(self, reader: impl Read + Send + 'static, length: Option<u64>) -> Self {
        let reader: Box<dyn Read + Send> = Box::new(Contained::new(reader));
        self.with_body(Vec::new()).with_pending(Box::new(Streamed {
            length,
            reader: Arc::new(Mutex::new(Some(reader))),
        }))
    }
}

type SharedReader = Arc<Mutex<Option<Box<dyn Read + Send>>, READER>>;

/// In the answer in place of its body.
#[derive(Clone)]
pub(crate) struct Streamed {
    length: Option<u64>,
    reader: SharedReader,
}

impl PendingBody for Streamed {
    fn again(&self) -> Box<dyn PendingBody> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Why an answer was not written to its end.
pub(crate) enum AnswerError {
    /// Its body could not be read; with what the reader says.
    Read(String),
    Written(io::Error),
}

/// Writes an answer whose body is read meanwhile.
pub(crate) fn write(
    mut writer: AnswerWriter<'_>,
    counters: &Counters,
    asked: &PlainRequest,
    response: Response,
    body: &Streamed,
    keep_alive: Option<Duration>,
) -> Result<(), AnswerError> {
    let length = match (body.length, asked.request.version()) {
        (Some(length), _) => Length::Known(length),
        (None, Version::Http11) => Length::Chunked,
        (None, Version::Http10) => Length::ToTheEnd,
    };
    let has_content = response.has_content() && !asked.head_only();
    let head = asked.encode_head(counters, response, keep_alive, length);
    let reader = lock(&body.reader).take();
    writer.write(&head).map_err(AnswerError::Written)?;
    match reader.filter(|_| has_content) {
        Some(reader) => send_body(reader, length, &mut writer),
        None => Ok(()),
    }
}

fn send_body(
    mut reader: Box<dyn Read + Send>,
    length: Length,
    writer: &mut AnswerWriter<'_>,
) -> Result<(), AnswerError> {
    let mut piece = vec![0; PIECE];
    let mut left = match length {
        Length::Known(length) => length,
        Length::Chunked | Length::ToTheEnd => u64::MAX,
    };
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let room = piece.get_mut(..most).unwrap_or_default();
        let begun = writer.now();
        let read = read_some(&mut *reader, room).map_err(AnswerError::Read)?;
        writer.put_off(writer.now().saturating_duration_since(begun));
        let data = piece.get(..read).unwrap_or_default();
        let sent = match (read, length) {
            (0, Length::Known(_)) => {
                let error = format!("it ended {left} bytes before its length");
                return Err(AnswerError::Read(error));
            }
            (0, Length::Chunked) => writer.write(b"0\r\n\r\n"),
            (0, Length::ToTheEnd) => Ok(()),
            (_, Length::Chunked) => writer.write(&chunk(data)),
            (_, Length::Known(_) | Length::ToTheEnd) => writer.write(data),
        };
        sent.map_err(AnswerError::Written)?;
        if read == 0 {
            return Ok(());
        }
        left -= read as u64;
    }
    Ok(())
}

fn chunk(data: &[u8]) -> Vec<u8> {
    let size = format!("{:x}\r\n", data.len());
    [size.as_bytes(), data, b"\r\n"].concat()
}

/// The reader is the application's, and so is its error: that is shown and dropped in here. One that asks to be asked
/// again for ever gives nothing.
fn read_some(reader: &mut dyn Read, room: &mut [u8]) -> Result<usize, String> {
    let most = room.len();
    let read = || {
        for _ in 0..MOST_TRIES {
            match reader.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done.map_err(|error| error.to_string()),
            }
        }
        Err("it was interrupted again and again".to_owned())
    };
    assert_no_lock();
    let read = panics::catch(read);
    let read = read.unwrap_or_else(|_| Err(Refusal::HookPanicked.to_string()));
    read.map(|read| read.min(most))
}
