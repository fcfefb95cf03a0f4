//! In place of `deflate` without the feature of that name: nothing of this is ever made, and what asks for it costs
//! nothing.

use crate::handshake::answer::InvalidExtension;
use crate::protocol::Role;
use crate::protocol::inflate::Inflater;
use crate::protocol::opcode::Opcode;

#[derive(Clone, Debug)]
pub(crate) enum Compression {}

impl Compression {
    pub(crate) fn accept<'a>(&self, _: impl Iterator<Item = &'a [u8]>) -> Option<Agreed> {
        match *self {}
    }

    pub(crate) fn memory_per_connection(&self) -> usize {
        match *self {}
    }

    pub(crate) fn packs(&self, _: usize) -> bool {
        match *self {}
    }

    #[cfg(feature = "client")]
    pub(crate) fn offer(&self) -> String {
        match *self {}
    }

    pub(crate) fn check<'a>(
        &self,
        _: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Agreed>, InvalidExtension> {
        match *self {}
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Agreed {}

impl Agreed {
    pub(crate) fn as_str(&self) -> &str {
        match *self {}
    }

    pub(crate) fn inflater(&self, _: Role, _: usize) -> Inflater {
        match *self {}
    }

    pub(crate) fn packing(&self, _: Role) -> Option<Packing> {
        match *self {}
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Packing {}

impl Packing {
    pub fn pack(&self, _: &[u8]) -> Option<Vec<u8>> {
        match *self {}
    }

    pub fn keeps_context(&self) -> bool {
        match *self {}
    }
}

#[derive(Debug)]
pub(crate) struct Context;

impl Context {
    pub fn new(_: Option<Packing>) -> Self {
        Context
    }

    pub fn forget(&mut self) {}

    pub fn pack(&mut self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

#[derive(Debug, Default)]
pub(crate) struct Variants(());

impl Variants {
    pub fn frame(&self, packing: Packing, _: Opcode, _: &[u8]) -> Option<&[u8]> {
        match packing {}
    }
}
