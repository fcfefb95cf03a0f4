//! Without the feature `tls`: types of which no value is ever made.

use std::sync::Arc;

use super::secured::Secured;
use crate::http::Refusal;
use crate::http::refusal::Refused;
use crate::patience::Patience;
use crate::transport::Transport;

#[derive(Clone)]
pub(crate) enum Tls {}

impl Tls {
    pub fn secure(
        &self,
        _: &Arc<dyn Transport>,
        _: &mut Patience,
        _: impl FnOnce() -> Refusal,
    ) -> Result<Secured, Refused> {
        match *self {}
    }

    pub fn memory_per_connection(&self) -> usize {
        match *self {}
    }
}
