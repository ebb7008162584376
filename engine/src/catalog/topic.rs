//! A topic and its name.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use super::settings::TopicConfig;
use crate::types::TopicId;

/// Characters of a name at most: Kafka's limit, which leaves room for `-` and a partition number in a file's name.
const NAME_LENGTH_MAX: usize = 249;

/// A topic that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its identity.
    pub id: TopicId,
    /// Its name, which no other topic has.
    pub name: TopicName,
    /// Its number of partitions, at least 1.
    pub partitions: i32,
    /// What was set for it, by Kafka's names, as it was stored.
    pub configs: Vec<(String, String)>,
    /// What applies to it: the defaults and what was set.
    pub config: TopicConfig,
}

/// A topic's name, as Kafka allows it (`Topic.validate`): 1 to 249 of `a–z A–Z 0–9 . _ -`, but not `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

impl TopicName {
    /// Takes a name that follows the rules.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub fn parse(name: &str) -> Result<Self, NameFault> {
        if name.is_empty() {
            return Err(NameFault::Empty);
        }
        if name == "." || name == ".." {
            return Err(NameFault::Dots);
        }
        if let Some(character) = name.chars().find(|&c| !is_allowed(c)) {
            return Err(NameFault::Character(character));
        }
        if name.len() > NAME_LENGTH_MAX {
            return Err(NameFault::Length(name.len()));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn is_allowed(character: char) -> bool {
    matches!(character, 'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-')
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a name is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// It is empty.
    Empty,
    /// It is `.` or `..`.
    Dots,
    /// It has this character.
    Character(char),
    /// It has this many characters.
    Length(usize),
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a topic's name cannot be empty"),
            Self::Dots => f.write_str("a topic cannot be named \".\" or \"..\""),
            Self::Character(c) => {
                write!(f, "a topic's name cannot contain {c:?}; use letters, digits, \".\", \"_\" and \"-\"")
            }
            Self::Length(length) => {
                write!(f, "a topic's name of {length} characters is too long; {NAME_LENGTH_MAX} is the limit")
            }
        }
    }
}

impl std::error::Error for NameFault {}
