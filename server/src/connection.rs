//! t
pub mod frames;
pub mod order;
pub mod receive;
pub mod transport;
