//! The random moments at which the broker is killed.

use std::time::{Duration, SystemTime};

/// How long records are sent where nothing is killed and nothing else is said.
const UNDISTURBED: Duration = Duration::from_secs(20);
/// How long a life lasts on average where nothing else is said: long enough for some hundred thousand records.
const LIFE: Duration = Duration::from_secs(2);

/// How long each life of the broker lasts.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    seed: u64,
    lives: Vec<Duration>,
}

impl Moments {
    /// One life more than there are kills, which together last `duration`; each is a quarter as long as the mean at
    /// least and seven quarters at most, before the sum is made right.
    pub fn new(seed: u64, kills: u32, duration: Option<Duration>) -> Self {
        let lives = kills + 1;
        let all = duration.unwrap_or(if kills == 0 { UNDISTURBED } else { LIFE * lives });
        let mut state = seed;
        let weights: Vec<_> = (0..lives).map(|_| 0.25 + 1.5 * share(&mut state)).collect();
        let sum: f64 = weights.iter().sum();
        Self { seed, lives: weights.into_iter().map(|weight| all.mul_f64(weight / sum)).collect() }
    }

    /// What the moments were made from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The lives; the broker is killed at the end of each but the last.
    pub fn lives(&self) -> &[Duration] {
        &self.lives
    }
}

/// A seed that no run before has had.
pub fn seed_of_now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(0)
}

/// The next number from 0 up to 1 (SplitMix64).
fn share(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^= word >> 31;
    (word >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests;
