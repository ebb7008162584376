//! Tora.
