//! What the project's own texts promise: the table of threats, the guide's figures, the public face, the anchors of
//! the faults, the dependencies, and which file may name what.

mod circles;
mod dependencies;
mod documented;
mod faults;
mod files;
mod guide;
mod imports;
mod items;
mod layout;
mod listing;
mod locks;
mod names;
mod public;
mod purity;
mod rooms;
mod survivors;
mod threads;
mod threats;
mod tokens;
mod walks;
