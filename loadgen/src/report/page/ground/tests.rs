use serde_json::json;

use super::*;

#[test]
fn the_command_can_be_pasted() {
    let arguments = json!(["/somewhere/tora-load", "bench", "--durability", "it's safe", "--rate=1000", ""]);
    assert_eq!(command(&arguments), "tora-load bench --durability 'it'\\''s safe' --rate=1000 ''");
}
