//! Where the parts of a request lie in its head, in as little memory as they take.

/// A part of the head.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span {
    pub(crate) start: u16,
    pub(crate) end: u16,
}

impl Span {
    pub(crate) const SIZE: usize = 4;

    pub(crate) fn to_bytes(self) -> [u8; Self::SIZE] {
        let ([a, b], [c, d]) = (self.start.to_ne_bytes(), self.end.to_ne_bytes());
        [a, b, c, d]
    }

    pub(crate) fn from_bytes([a, b, c, d]: [u8; Self::SIZE]) -> Self {
        Span {
            start: u16::from_ne_bytes([a, b]),
            end: u16::from_ne_bytes([c, d]),
        }
    }

    /// Where `part`, a slice of `head`, lies in it.
    pub(crate) fn of(head: &[u8], part: &[u8]) -> Option<Self> {
        let start = part.as_ptr().addr().checked_sub(head.as_ptr().addr())?;
        let end = start
            .checked_add(part.len())
            .filter(|&end| end <= head.len())?;
        Self::between(start, end)
    }

    pub(crate) fn between(start: usize, end: usize) -> Option<Self> {
        Some(Self {
            start: u16::try_from(start).ok()?,
            end: u16::try_from(end).ok()?,
        })
    }

    pub(crate) fn bytes(self, head: &[u8]) -> &[u8] {
        head.get(usize::from(self.start)..usize::from(self.end))
            .unwrap_or_default()
    }

    pub(crate) fn text(self, head: &[u8]) -> &str {
        core::str::from_utf8(self.bytes(head)).unwrap_or_default()
    }
}
