//! Clocks and randomness.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::types::Nanos;

/// CLOCK_MONOTONIC, so moments compare across shards. Costs no system call (vDSO).
pub(crate) fn now() -> Nanos {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the struct it is given and nothing else.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    assert_eq!(result, 0, "Linux always has a monotonic clock");
    Nanos::new(time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned())
}

/// Milliseconds since the Unix epoch; 0 for clocks set before it.
#[expect(clippy::disallowed_methods, reason = "inside the seam")]
pub(crate) fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A generator of random words (xoshiro256++ by Blackman and Vigna, "Scrambled Linear Pseudorandom Number
/// Generators", 2021). Unpredictable enough for ids and spreading load, not for secrets.
pub(crate) struct Random {
    state: [u64; 4],
}

impl Random {
    /// Seeded by the kernel.
    pub(crate) fn from_system() -> io::Result<Self> {
        let mut state = [0_u64; 4];
        // SAFETY: writes at most as many bytes as the array has.
        let count = unsafe { libc::getrandom(state.as_mut_ptr().cast(), size_of_val(&state), 0) };
        if count < 0 {
            return Err(io::Error::last_os_error());
        }
        // All zeros is the one state the generator never leaves.
        if state == [0; 4] {
            state[0] = 1;
        }
        Ok(Self { state })
    }

    pub(crate) fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let word = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        word
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn follows_the_reference_sequence() {
        // Worked by hand from the paper's definition, from the state 1, 2, 3, 4.
        let mut random = Random { state: [1, 2, 3, 4] };
        assert_eq!(random.next(), 41_943_041);
        assert_eq!(random.next(), 58_720_359);
    }

    #[test]
    fn differs_from_ring_to_ring() {
        let mut one = Random::from_system().unwrap();
        let mut other = Random::from_system().unwrap();
        assert_ne!((one.next(), one.next()), (other.next(), other.next()));
    }
}
