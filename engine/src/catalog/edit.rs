//! Changes to what is set for a topic.

use super::settings::{self, SettingFault};

/// A change to a topic's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsEdit {
    /// From now on these are set, and nothing else is (Kafka's AlterConfigs).
    Replace(Vec<(String, String)>),
    /// These take effect one by one, and the rest stays as it is (Kafka's IncrementalAlterConfigs).
    Each(Vec<SettingChange>),
}

/// A change to one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingChange {
    /// The setting's name.
    pub name: String,
    /// What becomes of it.
    pub kind: SettingChangeKind,
}

/// What becomes of a setting (Kafka's `AlterConfigOp.OpType`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingChangeKind {
    /// It gets this value.
    Set(String),
    /// It is as if it had never been set. A setting that is not served may be reset: it has no effect as it is.
    Reset,
    /// The values of this list, separated by commas, are added to those that it has.
    Append(String),
    /// The values of this list are taken away.
    Subtract(String),
}

impl SettingsEdit {
    /// What is set after the change, where this is set before; `in_effect` tells the value in effect of a setting. The
    /// values are checked by whoever puts them into effect.
    ///
    /// # Errors
    /// A name that is changed twice or is unknown, or a list's change to what is no list.
    pub fn applied_to(
        &self,
        before: &[(String, String)],
        in_effect: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<(String, String)>, SettingFault> {
        let changes = match self {
            Self::Replace(pairs) => {
                return Ok(pairs.iter().map(|(name, value)| (name.clone(), trimmed(value))).collect());
            }
            Self::Each(changes) => changes,
        };
        let mut after = before.to_vec();
        for (at, SettingChange { name, kind }) in changes.iter().enumerate() {
            if changes[..at].iter().any(|earlier| earlier.name == *name) {
                return Err(SettingFault::Twice { name: name.clone() });
            }
            settings::check_name(name, matches!(kind, SettingChangeKind::Reset))?;
            let value = match kind {
                SettingChangeKind::Reset => {
                    after.retain(|(set, _)| set != name);
                    continue;
                }
                SettingChangeKind::Set(value) => trimmed(value),
                SettingChangeKind::Append(items) => {
                    let mut list = list_of(name, in_effect(name))?;
                    for item in split(items) {
                        if !list.iter().any(|there| there == item) {
                            list.push(item.to_owned());
                        }
                    }
                    list.join(",")
                }
                SettingChangeKind::Subtract(items) => {
                    let mut list = list_of(name, in_effect(name))?;
                    list.retain(|there| split(items).all(|item| item != there));
                    list.join(",")
                }
            };
            match after.iter_mut().find(|(set, _)| set == name) {
                Some((_, set)) => *set = value,
                None => after.push((name.clone(), value)),
            }
        }
        Ok(after)
    }
}

fn trimmed(value: &str) -> String {
    value.trim().to_owned()
}

fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn list_of(name: &str, value: Option<String>) -> Result<Vec<String>, SettingFault> {
    if !settings::LISTS.contains(&name) {
        return Err(SettingFault::NoList { name: name.to_owned() });
    }
    Ok(split(&value.unwrap_or_default()).map(str::to_owned).collect())
}
