//! `tora properties`.

use serde_json::{Value, json};

use super::{print, print_json};
use crate::client::Failure;
use crate::config::property::Property;
use crate::config::table::PROPERTIES;

/// Prints every property with its default, unit and meaning.
///
/// # Errors
/// It cannot be printed.
pub fn run(as_json: bool) -> Result<(), Failure> {
    if as_json {
        let one = |property: &Property| {
            let Property { name, default, kind, doc, .. } = property;
            json!({"name": name, "default": default, "unit": kind.unit(), "meaning": doc})
        };
        return print_json(&Value::Array(PROPERTIES.iter().map(one).collect()));
    }
    let one = |property: &Property| {
        let Property { name, default, kind, doc, .. } = property;
        format!("{name}={default} ({})\n    {doc}\n", kind.unit())
    };
    print(&PROPERTIES.iter().map(one).collect::<String>())
}
