mod files;
mod lifecycle;
mod sockets;
mod storm;
mod support;
mod waking;
