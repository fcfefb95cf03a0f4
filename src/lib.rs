//! wshub
