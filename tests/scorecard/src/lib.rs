//! What the programs of the scorecard share: the clients and the child processes of wshub's own tests.

#[path = "../../support/mod.rs"]
pub mod support;
