//! A body that is read while it is written: from a file, a program, whatever reads.

use std::any::Any;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::admission::{Seat, Stage};
use super::super::hooks::contain;
use super::super::hub::Hub;
use super::{AfterAnswer, HttpConnection, PlainRequest, end_of_answer, write};
use crate::http::Response;
use crate::http::request::Version;
use crate::http::response::{Length, PendingBody};
use crate::lock::{Mutex, READER, lock};
use crate::transport::How;

/// What is read at once, and so what is held of a body.
const PIECE: usize = 64 << 10;

impl Response {
    /// Sets the body to what `reader` gives, which is read while it is written, 64 KiB at a time: a long file is never
    /// held as a whole. With its `length` a client can tell how much is to come, and a reader that ends before is an
    /// error; of one that goes on no more is read. Without, it is sent in chunks.
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
        let reader: Box<dyn Read + Send> = Box::new(reader);
        self.with_body(Vec::new()).with_pending(Box::new(Streamed {
            length,
            reader: Arc::new(Mutex::new(Some(reader))),
        }))
    }
}

type SharedReader = Arc<Mutex<Option<Box<dyn Read + Send>>, READER>>;

/// In the answer in place of its body.
#[derive(Clone)]
pub(super) struct Streamed {
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

/// Why a body was not written to its end.
enum Broken {
    Read(io::Error),
    Written(io::Error),
}

/// Writes an answer whose body is read meanwhile.
pub(super) fn give(
    hub: &Hub,
    seat: &Seat,
    connection: &mut HttpConnection,
    asked: &PlainRequest,
    response: Response,
    body: &Streamed,
) -> AfterAnswer {
    let keeps = asked.keeps(hub, connection);
    let length = match (body.length, asked.request.version()) {
        (Some(length), _) => Length::Known(length),
        (None, Version::Http11) => Length::Chunked,
        (None, Version::Http10) => Length::ToTheEnd,
    };
    let has_content = response.has_content() && !asked.head_only();
    let head = asked.encode_head(hub, response, keeps, length);
    let transport = &*connection.transport;
    let send = |bytes: &[u8]| write(hub, seat, transport, bytes).map_err(Broken::Written);
    let reader = lock(&body.reader).take();
    let sent = send(&head).and_then(|()| match reader.filter(|_| has_content) {
        Some(reader) => send_body(hub, reader, length, send),
        None => Ok(()),
    });
    match sent {
        Ok(()) => end_of_answer(hub, seat, connection, Ok(()), keeps),
        Err(Broken::Written(error)) => end_of_answer(hub, seat, connection, Err(error), keeps),
        Err(Broken::Read(error)) => {
            seat.enter(Stage::Parting);
            transport.shutdown(How::Reset);
            hub.counters
                .handler_failures
                .fetch_add(1, Ordering::Relaxed);
            let text =
                || format!("the body of an answer could not be read, which cut it off: {error}");
            hub.refusals.log("reader", text);
            AfterAnswer::Closed
        }
    }
}

fn send_body(
    hub: &Hub,
    mut reader: Box<dyn Read + Send>,
    length: Length,
    mut send: impl FnMut(&[u8]) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let mut piece = vec![0; PIECE];
    let mut left = match length {
        Length::Known(length) => length,
        Length::Chunked | Length::ToTheEnd => u64::MAX,
    };
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let room = piece.get_mut(..most).unwrap_or_default();
        let read = read_some(hub, &mut *reader, room).map_err(Broken::Read)?;
        let data = piece.get(..read).unwrap_or_default();
        match (read, length) {
            (0, Length::Known(_)) => {
                let error = format!("it ended {left} bytes before its length");
                return Err(Broken::Read(io::Error::other(error)));
            }
            (0, Length::Chunked) => return send(b"0\r\n\r\n"),
            (0, Length::ToTheEnd) => return Ok(()),
            (_, Length::Chunked) => {
                let mut chunk = format!("{read:x}\r\n").into_bytes();
                chunk.extend_from_slice(data);
                chunk.extend_from_slice(b"\r\n");
                send(&chunk)?;
            }
            (_, Length::Known(_)) => {
                send(data)?;
                left -= read as u64;
            }
            (_, Length::ToTheEnd) => send(data)?,
        }
    }
    Ok(())
}

/// The reader is the application's.
fn read_some(hub: &Hub, reader: &mut dyn Read, room: &mut [u8]) -> io::Result<usize> {
    let most = room.len();
    let read = contain(&hub.counters, || {
        loop {
            match reader.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    });
    match read {
        Ok(read) => read.map(|read| read.min(most)),
        Err(panicked) => Err(io::Error::other(panicked.to_string())),
    }
}
