//! WebSocket frames as a client needs them (RFC 6455 section 5.2), and the numbered payload inside.

use crate::args::Result;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Bytes of the number in front of a payload: 8 hexadecimal-like characters, so that text stays text.
pub const NUMBER: usize = 8;

/// A number as it is in front of a payload.
pub fn digits(number: u32) -> [u8; NUMBER] {
    std::array::from_fn(|i| b'0' + (number >> (28 - 4 * i) & 15) as u8)
}

fn number(digits: [u8; NUMBER]) -> u32 {
    digits.iter().fold(0, |n, digit| {
        n << 4 | u32::from(digit.wrapping_sub(b'0') & 15)
    })
}

/// What every message of a run carries after its number.
pub struct Payload(Vec<u8>);

impl Payload {
    pub fn new(size: usize) -> Payload {
        Payload((0..size).map(|i| b'a' + (i * 7 % 26) as u8).collect())
    }

    /// Compares a piece of a received payload, `at` bytes from its start; its number is not looked at.
    fn check(&self, at: usize, piece: &[u8]) -> Result<()> {
        let skip = NUMBER.saturating_sub(at).min(piece.len());
        match self.0.get(at + skip..at + piece.len()) {
            Some(expected) if expected == &piece[skip..] => Ok(()),
            _ => Err("a message came with other content".into()),
        }
    }
}

/// A prebuilt frame; each copy gets its own number.
pub struct Frame {
    bytes: Vec<u8>,
    number_at: usize,
    mask: [u8; 4],
}

impl Frame {
    pub fn message(payload: &Payload, binary: bool, masked: bool) -> Frame {
        Frame::new(if binary { 2 } else { 1 }, &payload.0, masked)
    }

    fn new(opcode: u8, payload: &[u8], masked: bool) -> Frame {
        let (bit, mask) = if masked { (0x80, MASK) } else { (0, [0; 4]) };
        let mut bytes = vec![0x80 | opcode];
        match payload.len() {
            n @ 0..126 => bytes.push(bit | n as u8),
            n @ 126..65536 => {
                bytes.push(bit | 126);
                bytes.extend((n as u16).to_be_bytes());
            }
            n => {
                bytes.push(bit | 127);
                bytes.extend((n as u64).to_be_bytes());
            }
        }
        if masked {
            bytes.extend(mask);
        }
        let number_at = bytes.len();
        bytes.extend(payload.iter().enumerate().map(|(i, b)| b ^ mask[i & 3]));
        Frame {
            bytes,
            number_at,
            mask,
        }
    }

    pub fn close(masked: bool) -> Vec<u8> {
        Frame::new(8, &1000u16.to_be_bytes(), masked).bytes
    }

    pub fn pong(payload: &[u8]) -> Vec<u8> {
        Frame::new(10, payload, true).bytes
    }

    /// Appends the frame to `out` with this number in its payload.
    pub fn push(&self, out: &mut Vec<u8>, number: u32) {
        let at = out.len() + self.number_at;
        out.extend_from_slice(&self.bytes);
        for (i, digit) in digits(number).into_iter().enumerate() {
            out[at + i] = digit ^ self.mask[i & 3];
        }
    }
}

/// What the reader found.
pub enum Received<'a> {
    /// A whole message with this number; its length and content were as they should be.
    Message(u32),
    Ping(&'a [u8]),
    Close,
}

/// Takes a server's frames out of a byte stream; keeps no payload.
#[derive(Default)]
pub struct Reader {
    header: [u8; 10],
    have: usize,
    /// Bytes of the frame that have not come; `None` while its header arrives.
    left: Option<u64>,
    message_len: usize,
    number: [u8; NUMBER],
    control: Vec<u8>,
}

impl Reader {
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        expected: &Payload,
        mut on: impl FnMut(Received) -> Result<()>,
    ) -> Result<()> {
        while !bytes.is_empty() {
            let left = match self.left {
                Some(left) => left,
                None => match self.header(&mut bytes)? {
                    Some(length) => length,
                    None => return Ok(()),
                },
            };
            let (piece, rest) = bytes.split_at(left.min(bytes.len() as u64) as usize);
            bytes = rest;
            let left = left - piece.len() as u64;
            self.left = Some(left);
            if self.header[0] & 8 != 0 {
                self.control.extend_from_slice(piece);
            } else {
                self.data(piece, expected)?;
            }
            if left == 0 {
                self.end(expected, &mut on)?;
            }
        }
        Ok(())
    }

    /// The payload length, once the header is complete.
    fn header(&mut self, bytes: &mut &[u8]) -> Result<Option<u64>> {
        let mut need = 2usize;
        loop {
            // A header that came in pieces may have more than its first two bytes already.
            let n = need.saturating_sub(self.have).min(bytes.len());
            self.header[self.have..self.have + n].copy_from_slice(&bytes[..n]);
            self.have += n;
            *bytes = &bytes[n..];
            if self.have < need {
                return Ok(None);
            }
            need = match self.header[1] & 0x7f {
                126 => 4,
                127 => 10,
                _ => 2,
            };
            if self.have == need {
                break;
            }
        }
        let h = self.header;
        // Neither a reserved bit nor a mask: RFC 6455 sections 5.1 and 5.2.
        if h[0] & 0x70 != 0 || h[1] & 0x80 != 0 {
            return Err(format!("a bad frame header: {:02x?}", &h[..2]));
        }
        self.have = 0;
        Ok(Some(match h[1] {
            126 => u64::from(u16::from_be_bytes([h[2], h[3]])),
            127 => u64::from_be_bytes([h[2], h[3], h[4], h[5], h[6], h[7], h[8], h[9]]),
            n => u64::from(n),
        }))
    }

    fn data(&mut self, piece: &[u8], expected: &Payload) -> Result<()> {
        expected.check(self.message_len, piece)?;
        if self.message_len < NUMBER {
            let n = piece.len().min(NUMBER - self.message_len);
            self.number[self.message_len..self.message_len + n].copy_from_slice(&piece[..n]);
        }
        self.message_len += piece.len();
        Ok(())
    }

    fn end(
        &mut self,
        expected: &Payload,
        on: &mut impl FnMut(Received) -> Result<()>,
    ) -> Result<()> {
        self.left = None;
        let (last, opcode) = (self.header[0] & 0x80 != 0, self.header[0] & 0x0f);
        match opcode {
            8 => on(Received::Close)?,
            9 => on(Received::Ping(&self.control))?,
            10 => {}
            _ if last => {
                let len = std::mem::take(&mut self.message_len);
                if len != expected.0.len() {
                    return Err(format!("a message came with {len} bytes"));
                }
                on(Received::Message(number(self.number)))?;
            }
            _ => {}
        }
        if opcode & 8 != 0 {
            self.control.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_wherever_it_is_cut() {
        for len in [NUMBER, 125, 126, 70_000] {
            let payload = Payload::new(len);
            let (frame, mut stream) = (Frame::message(&payload, true, false), Vec::new());
            (0..2).for_each(|n| frame.push(&mut stream, n));
            for piece in 1..12 {
                let (mut reader, mut seen) = (Reader::default(), Vec::new());
                for bytes in stream.chunks(piece) {
                    let fed = reader.feed(bytes, &payload, |received| {
                        if let Received::Message(number) = received {
                            seen.push(number);
                        }
                        Ok(())
                    });
                    fed.unwrap();
                }
                assert_eq!(seen, [0, 1], "{len} bytes in pieces of {piece}");
            }
        }
    }
}
