//! What the tests share: a server process with a folder of its own, a client, and what the two say to each other.

pub mod batches;
pub mod client;
pub mod folder;
pub mod members;
pub mod process;
pub mod requests;
pub mod server;
pub mod stored;

pub use client::Client;
pub use folder::Folder;
pub use server::{Server, contains, refused, tora_serve, tora_serve_by};
