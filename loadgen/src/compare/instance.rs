//! A broker of ours, whichever of the two it is: how to start it, and the process while it runs.

use super::kafka::{self, Kafka};
use crate::broker::{self, Tora};

/// How to start a broker on its folder, as often as need be.
pub enum Launcher {
    Tora(broker::Launch),
    Kafka(kafka::Launch),
}

/// A broker that runs. Dropping it ends it.
pub enum Running {
    Tora(Tora),
    Kafka { kafka: Kafka, address: String },
}

impl Launcher {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// A sentence with where its log is.
    pub fn start(&self) -> Result<Running, String> {
        match self {
            Self::Tora(launch) => launch.start().map(Running::Tora),
            Self::Kafka(launch) => {
                Ok(Running::Kafka { kafka: launch.start()?, address: launch.address().to_owned() })
            }
        }
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> &str {
        match self {
            Self::Tora(tora) => tora.address(),
            Self::Kafka { address, .. } => address,
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        match self {
            Self::Tora(tora) => tora.pid(),
            Self::Kafka { kafka, .. } => kafka.pid(),
        }
    }

    /// Ends it with SIGTERM.
    ///
    /// # Errors
    /// A sentence, where it did not end well.
    pub fn stop(self) -> Result<(), String> {
        match self {
            Self::Tora(tora) => tora.stop(),
            Self::Kafka { kafka, .. } => kafka.stop(),
        }
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// A sentence, where it had ended by itself before.
    pub fn kill(self) -> Result<(), String> {
        match self {
            Self::Tora(tora) => tora.kill(),
            Self::Kafka { kafka, .. } => kafka.kill(),
        }
    }
}
