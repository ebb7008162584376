//! What goes wrong while the machine runs, and how often. What a crash takes is not here: see `sim::disk`.

use super::rng::Rng;

/// Odds are "once in so many times", 0 for never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// A write through [`Op::Write`](crate::io::Op::Write) fails with EIO; any of its sectors may have been written.
    pub write_error_one_in: u64,
    /// A flush or sync of a file fails with EIO; nothing that it should have covered is covered by a later one either.
    pub flush_error_one_in: u64,
    /// A sync of a folder fails with EIO, likewise.
    pub folder_error_one_in: u64,
    /// A read fails with EIO.
    pub read_error_one_in: u64,
    /// A write writes only its first sectors.
    pub short_write_one_in: u64,
    /// A read through [`Op::Read`](crate::io::Op::Read) brings only its first sectors.
    pub short_read_one_in: u64,
    /// An allocation fails with ENOSPC although there is room, and the file gets some of it.
    pub allocate_full_one_in: u64,
    /// Of work that is done for several things at once ([`Fs::for_all`](crate::io::Fs::for_all)) one finds no descriptor
    /// left to open a file with (EMFILE), though alone it would.
    pub crowded_one_in: u64,
    /// Bytes that all files together may hold before allocations and extending writes fail with ENOSPC.
    pub space_bytes_max: u64,
    /// An operation takes up to this long, in nanoseconds.
    pub delay_ns_max: u64,
    /// An operation takes a hundred times as long.
    pub slow_one_in: u64,
}

impl Faults {
    /// A disk on which nothing fails, though operations still end in any order.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            write_error_one_in: 0,
            flush_error_one_in: 0,
            folder_error_one_in: 0,
            read_error_one_in: 0,
            short_write_one_in: 0,
            short_read_one_in: 0,
            allocate_full_one_in: 0,
            crowded_one_in: 0,
            space_bytes_max: u64::MAX,
            delay_ns_max: 200_000,
            slow_one_in: 100,
        }
    }

    /// A mixture of its own for each run: some faults frequent, some absent, so that rare ones also meet alone.
    #[must_use]
    pub fn random(rng: &mut Rng) -> Self {
        let mut sometimes = |often: u64, seldom: u64| match rng.below(4) {
            0 => often,
            1 => seldom,
            _ => 0,
        };
        Self {
            write_error_one_in: sometimes(300, 3_000),
            flush_error_one_in: sometimes(300, 3_000),
            folder_error_one_in: sometimes(50, 300),
            read_error_one_in: sometimes(500, 5_000),
            short_write_one_in: sometimes(5, 50),
            short_read_one_in: sometimes(5, 50),
            allocate_full_one_in: sometimes(10, 50),
            crowded_one_in: sometimes(5, 50),
            space_bytes_max: if rng.one_in(4) { rng.within(200_000..1_000_000) } else { u64::MAX },
            delay_ns_max: [20_000, 200_000, 2_000_000][rng.index(3)],
            slow_one_in: [0, 20, 200][rng.index(3)],
        }
    }
}
