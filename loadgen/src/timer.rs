//! A fine timer for the open loop: a timerfd read through the ring. (The runtime's own timer ticks in milliseconds.)

use std::io;
use std::time::Duration;

use tokio_uring::fs::File;

use crate::sys;

/// A one-shot timer with the kernel's high-resolution clock behind it.
pub struct Timer {
    file: File,
    std: std::fs::File,
    /// What a timerfd gives: the number of expirations, eight bytes.
    expirations: Vec<u8>,
}

impl Timer {
    /// A new timer; belongs to the runtime it is made on.
    pub fn new() -> io::Result<Self> {
        let std = sys::timer()?;
        Ok(Self { file: File::from_std(std.try_clone()?), std, expirations: vec![0; 8] })
    }

    /// Sleeps for `delay`.
    pub async fn sleep(&mut self, delay: Duration) -> io::Result<()> {
        sys::arm_timer(&self.std, delay)?;
        let buffer = std::mem::take(&mut self.expirations);
        let (result, buffer) = self.file.read_at(buffer, 0).await;
        self.expirations = buffer;
        result.map(drop)
    }
}
