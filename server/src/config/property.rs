//! What a property is.

use super::Settings;

/// Reads a value into the settings, or says what would do.
pub type Apply = fn(&mut Settings, &str) -> Result<(), String>;

/// What a value is, and its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Truth,
    /// A number of bytes.
    Bytes,
    /// A time in milliseconds.
    Milliseconds,
    /// A time in minutes.
    Minutes,
    /// A time in hours.
    Hours,
    /// A number of something else.
    Count,
    /// A text.
    Text,
    /// Texts with commas between them.
    List,
}

impl Kind {
    /// Its number in DescribeConfigs (Kafka's `ConfigType`): every number is told as a 64-bit one.
    #[must_use]
    pub const fn number(self) -> i8 {
        match self {
            Self::Truth => 1,
            Self::Text => 2,
            Self::Bytes | Self::Milliseconds | Self::Minutes | Self::Hours | Self::Count => 5,
            Self::List => 7,
        }
    }

    /// Its unit, as the documentation has it.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Truth => "true or false",
            Self::Bytes => "bytes",
            Self::Milliseconds => "ms",
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::Count => "number",
            Self::Text => "text",
            Self::List => "list",
        }
    }
}

/// One property.
pub struct Property {
    /// Kafka's name, or `tora.…` for what Kafka does not have.
    pub name: &'static str,
    /// The property of which this is another name.
    pub same_as: Option<&'static str>,
    /// What its value is.
    pub kind: Kind,
    /// Its default, as it would be written.
    pub default: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// Sets it.
    pub apply: Apply,
}
