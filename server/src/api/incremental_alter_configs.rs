//! IncrementalAlterConfigs (44): changes single settings of topics; the others stay as they are (KIP-339).
//!
//! Versions 0–1. Otherwise as AlterConfigs. A setting may be set, reset to its default, and, where its value is a list,
//! appended to or subtracted from.

use tora_engine::catalog::{SettingChange, SettingChangeKind, SettingsEdit};

use super::alter_configs::{Alteration, Resource};
use super::{Call, Context, Work};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 1);

/// Starts it.
pub fn start(reader: &mut Reader<'_>, _: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let mut resources = Vec::new();
    for _ in 0..reader.array_len()? {
        let kind = reader.i8()?;
        let name = reader.string()?.to_owned();
        let mut changes = Ok(Vec::new());
        for _ in 0..reader.array_len()? {
            let setting = reader.string()?.to_owned();
            let operation = reader.i8()?;
            let value = reader.nullable_string()?.map(str::to_owned);
            reader.skip_tagged_fields()?;
            if let Ok(known) = &mut changes {
                match change(setting, operation, value) {
                    Ok(change) => known.push(change),
                    Err(why) => changes = Err((ErrorCode::INVALID_REQUEST, why)),
                }
            }
        }
        reader.skip_tagged_fields()?;
        resources.push(Resource { kind, name, edit: changes.map(SettingsEdit::Each) });
    }
    let validate_only = reader.bool()?;
    reader.skip_tagged_fields()?;
    Ok(Box::new(Alteration::begin(resources, validate_only, cx)))
}

/// One change, by the numbers of Kafka's `AlterConfigOp.OpType`.
fn change(name: String, operation: i8, value: Option<String>) -> Result<SettingChange, String> {
    let kind = match (operation, value) {
        (0, Some(value)) => SettingChangeKind::Set(value),
        (1, _) => SettingChangeKind::Reset,
        (2, Some(value)) => SettingChangeKind::Append(value),
        (3, Some(value)) => SettingChangeKind::Subtract(value),
        (0 | 2 | 3, None) => return Err(format!("{name} has no value; delete it to have its default")),
        (other, _) => {
            return Err(format!(
                "{name}: there is no operation {other}; use 0 to set, 1 to delete, 2 to append or 3 to subtract"
            ));
        }
    };
    Ok(SettingChange { name, kind })
}
