//! The pieces of what nodes write to each other. Numbers are big-endian.

/// The longest text that has its length before it, in two bytes: the name of a room, the reason of a close.
pub(crate) const SHORT: usize = u16::MAX as usize;

/// At most [`SHORT`] bytes: the caller sees to that.
pub(crate) fn append_short(out: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend(len.to_be_bytes());
    out.extend(text.bytes().take(len.into()));
}

/// Of another version, or cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// What is left to be read.
#[derive(Clone, Copy)]
pub(crate) struct PieceReader<'a>(pub &'a [u8]);

impl<'a> PieceReader<'a> {
    pub fn short(&mut self) -> Result<&'a str, Unreadable> {
        let len = u16::from_be_bytes(self.array()?);
        self.text(len.into())
    }

    pub fn text(&mut self, len: usize) -> Result<&'a str, Unreadable> {
        core::str::from_utf8(self.bytes(len)?).map_err(|_| Unreadable)
    }

    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], Unreadable> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Unreadable)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub fn number(&mut self) -> Result<u64, Unreadable> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn byte(&mut self) -> Result<u8, Unreadable> {
        self.array().map(|[byte]| byte)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Unreadable)?;
        self.0 = rest;
        Ok(*array)
    }
}
