//! Without the feature `deflate`: types of which no value is ever made.

use super::error::{InvalidExtension, NotInflated};

#[derive(Clone, Debug)]
pub(crate) enum Compression {}

impl Compression {
    pub(crate) fn accept<'a>(&self, _: impl Iterator<Item = &'a [u8]>) -> Option<Agreed> {
        match *self {}
    }

    pub(crate) fn without_server_context(&self) -> &Self {
        self
    }

    pub(crate) fn memory_per_connection(&self) -> usize {
        match *self {}
    }

    #[allow(dead_code)] // for clients alone
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

    pub(crate) fn server(&self) -> Direction {
        match *self {}
    }

    pub(crate) fn client(&self) -> Direction {
        match *self {}
    }

    pub(crate) fn inflater(&self, _: Direction, _: usize) -> Inflater {
        match *self {}
    }

    pub(crate) fn packing(&self, _: Direction) -> Option<Packing> {
        match *self {}
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Direction {}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Packing {}

impl Packing {
    pub fn pack(&self, _: &[u8]) -> Option<Vec<u8>> {
        match *self {}
    }

    pub fn keeps_context(&self) -> bool {
        match *self {}
    }

    pub fn packs(&self, _: usize) -> bool {
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
    pub fn get(
        &self,
        packing: Packing,
        _: &[u8],
        _: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Option<&[u8]> {
        match packing {}
    }
}

#[derive(Debug)]
pub(crate) enum Inflater {}

impl Inflater {
    pub fn allow(&mut self, _: u64) {
        match *self {}
    }

    pub fn hand_out(&mut self, _: usize) {
        match *self {}
    }

    pub fn forget_what_was_handed_out(&mut self) {
        match *self {}
    }

    pub fn begin(&mut self) {
        match *self {}
    }

    pub fn push(&mut self, _: &[u8]) -> Result<(), NotInflated> {
        match *self {}
    }

    pub fn finish(&mut self) -> Result<(), NotInflated> {
        match *self {}
    }

    pub fn output(&self) -> &[u8] {
        match *self {}
    }

    pub fn room(&self) -> u64 {
        match *self {}
    }

    pub fn is_oversized(&self) -> bool {
        match *self {}
    }

    pub fn trim(&mut self) {
        match *self {}
    }
}
