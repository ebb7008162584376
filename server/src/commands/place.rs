//! Where reading begins: `earliest`, `latest`, an offset, or a time.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::client::{Cluster, Failure};

/// A place in every partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first record that is held.
    Earliest,
    /// Behind the last one.
    Latest,
    /// This offset.
    Offset(i64),
    /// The first record at or after this time, in milliseconds since 1970.
    Time(i64),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "earliest" | "beginning" => return Ok(Self::Earliest),
            "latest" | "end" => return Ok(Self::Latest),
            _ => {}
        }
        if let Some(millis) = text.strip_prefix('@') {
            let millis = millis.parse().ok().filter(|millis| *millis >= 0);
            return millis.map(Self::Time).ok_or_else(|| "use @ and milliseconds since 1970".to_owned());
        }
        if let Ok(offset) = text.parse() {
            return if offset >= 0 {
                Ok(Self::Offset(offset))
            } else {
                Err("an offset is not negative; use earliest or latest".to_owned())
            };
        }
        let time: jiff::Timestamp = text.parse().map_err(|_| {
            "use earliest, latest, an offset, a time like 2026-01-31T12:00:00Z, or @ and milliseconds since 1970"
                .to_owned()
        })?;
        Ok(Self::Time(time.as_millisecond().max(0)))
    }
}

impl Place {
    /// The offsets that it is in some partitions.
    ///
    /// # Errors
    /// They cannot be asked for.
    pub fn offsets(
        self,
        cluster: &mut Cluster,
        partitions: &[(String, i32)],
    ) -> Result<BTreeMap<(String, i32), i64>, Failure> {
        match self {
            Self::Earliest => cluster.offsets(partitions, -2),
            Self::Latest => cluster.offsets(partitions, -1),
            Self::Time(millis) => cluster.offsets(partitions, millis),
            Self::Offset(offset) => {
                Ok(partitions.iter().cloned().map(|partition| (partition, offset)).collect())
            }
        }
    }
}
