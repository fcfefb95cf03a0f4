//! What the project's own texts promise: the table of threats, the README's figures, and which file may name what.

mod public;
mod purity;
mod readme;
mod threats;
