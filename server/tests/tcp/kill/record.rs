//! Records that say what they are.

/// One record: who sent it, and its number in what they sent to that partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordId {
    /// The producer.
    pub producer: u32,
    /// Its records in a partition are numbered from 0.
    pub number: i32,
}

impl RecordId {
    /// Its value, of a length that varies.
    pub fn value(self) -> String {
        let bytes = (self.number as usize * 37 + self.producer as usize * 11) % 700;
        format!("{}:{}:{}", self.producer, self.number, "x".repeat(bytes))
    }

    /// The record that has this value.
    pub fn of(value: &str) -> Self {
        let mut parts = value.split(':');
        let mut part = || parts.next().and_then(|part| part.parse().ok());
        let id = part().zip(part()).map(|(producer, number)| Self { producer: producer as u32, number });
        let id = id.unwrap_or_else(|| panic!("nobody sent {value:?}"));
        assert_eq!(id.value(), value, "it is stored as it was sent");
        id
    }
}

/// The values of `count` records from `first` on.
pub fn values(producer: u32, first: i32, count: i32) -> Vec<String> {
    (first..first + count).map(|number| RecordId { producer, number }.value()).collect()
}
