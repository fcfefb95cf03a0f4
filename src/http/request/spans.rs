//! Where the parts of a request lie in its head, in as little memory as they take.

/// A part of the head.
#[derive(Clone, Copy, Default)]
pub(super) struct Span {
    pub(super) start: u16,
    pub(super) end: u16,
}

#[derive(Clone, Copy)]
pub(super) struct HeaderSpans {
    pub(super) name: Span,
    pub(super) value: Span,
}

impl HeaderSpans {
    pub(super) const SIZE: usize = 8;

    pub(super) fn to_bytes(self) -> [u8; Self::SIZE] {
        let [a, b] = self.name.start.to_ne_bytes();
        let [c, d] = self.name.end.to_ne_bytes();
        let [e, f] = self.value.start.to_ne_bytes();
        let [g, h] = self.value.end.to_ne_bytes();
        [a, b, c, d, e, f, g, h]
    }

    pub(super) fn from_bytes([a, b, c, d, e, f, g, h]: [u8; Self::SIZE]) -> Self {
        let span = |start, end| Span {
            start: u16::from_ne_bytes(start),
            end: u16::from_ne_bytes(end),
        };
        HeaderSpans {
            name: span([a, b], [c, d]),
            value: span([e, f], [g, h]),
        }
    }
}

impl Span {
    /// Where `part`, a slice of `head`, lies in it.
    pub(super) fn of(head: &[u8], part: &[u8]) -> Option<Self> {
        let start = part.as_ptr().addr().checked_sub(head.as_ptr().addr())?;
        let end = start
            .checked_add(part.len())
            .filter(|&end| end <= head.len())?;
        Self::between(start, end)
    }

    pub(super) fn between(start: usize, end: usize) -> Option<Self> {
        Some(Self {
            start: u16::try_from(start).ok()?,
            end: u16::try_from(end).ok()?,
        })
    }

    pub(super) fn bytes(self, head: &[u8]) -> &[u8] {
        head.get(usize::from(self.start)..usize::from(self.end))
            .unwrap_or_default()
    }

    pub(super) fn text(self, head: &[u8]) -> &str {
        core::str::from_utf8(self.bytes(head)).unwrap_or_default()
    }
}
