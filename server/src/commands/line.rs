//! Records as lines: of text, or of JSON that can be read again.

use serde_json::{Map, Value, json};

use crate::client::Failure;
use crate::client::records::Content;

/// How a record becomes a line of text.
#[derive(Debug, Default)]
pub struct Format {
    /// Put behind the key, which is printed then.
    pub key_separator: Option<String>,
    /// Whether headers come first, as NAME=VALUE with commas between them.
    pub headers: bool,
}

/// A record as a line of text, without the line's end.
#[must_use]
pub fn to_text(content: &Content, format: &Format) -> Vec<u8> {
    let mut line = Vec::new();
    if format.headers {
        for (at, (name, value)) in content.headers.iter().enumerate() {
            line.extend(if at > 0 { &b","[..] } else { b"" });
            line.extend(name.as_bytes());
            line.push(b'=');
            line.extend(value.as_deref().unwrap_or_default());
        }
        line.push(b'\t');
    }
    if let Some(separator) = &format.key_separator {
        line.extend(content.key.as_deref().unwrap_or_default());
        line.extend(separator.as_bytes());
    }
    line.extend(content.value.as_deref().unwrap_or_default());
    line
}

/// A line of text as a record: what is before the separator is its key.
#[must_use]
pub fn of_text(line: &[u8], key_separator: Option<&str>) -> Content {
    let separator = key_separator.unwrap_or_default().as_bytes();
    let at = (!separator.is_empty())
        .then(|| line.windows(separator.len()).position(|window| window == separator))
        .flatten();
    let (key, value) = match at {
        Some(at) => (Some(line[..at].to_vec()), &line[at + separator.len()..]),
        None => (None, line),
    };
    Content { key, value: Some(value.to_vec()), ..Content::default() }
}

/// A record as a line of JSON: bytes that are no UTF-8 stand under a name with `_hex`.
#[must_use]
pub fn to_json(topic: &str, partition: i32, offset: i64, content: &Content) -> String {
    let mut object = Map::new();
    object.insert("topic".to_owned(), json!(topic));
    object.insert("partition".to_owned(), json!(partition));
    object.insert("offset".to_owned(), json!(offset));
    object.insert("timestamp".to_owned(), json!(content.timestamp));
    put(&mut object, "key", content.key.as_deref());
    put(&mut object, "value", content.value.as_deref());
    let mut headers = Vec::new();
    for (name, value) in &content.headers {
        let mut header = Map::new();
        header.insert("name".to_owned(), json!(name));
        put(&mut header, "value", value.as_deref());
        headers.push(Value::Object(header));
    }
    if !headers.is_empty() {
        object.insert("headers".to_owned(), Value::Array(headers));
    }
    Value::Object(object).to_string()
}

fn put(object: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(|bytes| std::str::from_utf8(bytes).map_err(|_| bytes)) {
        None => object.insert(name.to_owned(), Value::Null),
        Some(Ok(text)) => object.insert(name.to_owned(), json!(text)),
        Some(Err(bytes)) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            object.insert(format!("{name}_hex"), json!(digits))
        }
    };
}

/// A line of JSON as a record, with the partition and the time that it names. What [`to_json`] wrote can be read; only
/// `value` has to be there.
///
/// # Errors
/// What is wrong with it.
pub fn of_json(line: &[u8]) -> Result<(Content, Option<i32>, Option<i64>), Failure> {
    let value: Value = serde_json::from_slice(line).map_err(|why| format!("no JSON: {why}"))?;
    let object = value.as_object().ok_or("a record is an object like {\"key\": \"k\", \"value\": \"v\"}")?;
    if !["value", "value_hex"].iter().any(|name| object.contains_key(*name)) {
        return Err("a record has a \"value\"; null is one".to_owned());
    }
    let mut headers = Vec::new();
    for header in object.get("headers").and_then(Value::as_array).into_iter().flatten() {
        let header =
            header.as_object().ok_or("a header is an object like {\"name\": \"n\", \"value\": \"v\"}")?;
        let name = header.get("name").and_then(Value::as_str).ok_or("a header has a \"name\"")?;
        headers.push((name.to_owned(), take(header, "value")?));
    }
    let partition = object.get("partition").and_then(Value::as_i64);
    let partition =
        partition.map(|partition| i32::try_from(partition).map_err(|_| "no such partition")).transpose()?;
    let timestamp = object.get("timestamp").and_then(Value::as_i64);
    let content = Content { key: take(object, "key")?, value: take(object, "value")?, headers, timestamp: 0 };
    Ok((content, partition, timestamp))
}

fn take(object: &Map<String, Value>, name: &str) -> Result<Option<Vec<u8>>, Failure> {
    if let Some(digits) = object.get(&format!("{name}_hex")).and_then(Value::as_str) {
        let pairs = digits.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = pairs.map(|pair| byte(pair).filter(|_| pair.len() == 2)).collect();
        return bytes.map(Some).ok_or_else(|| format!("{name}_hex: two hexadecimal digits are a byte"));
    }
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone().into_bytes())),
        // Whoever writes an object as the value means its text.
        Some(other) => Ok(Some(other.to_string().into_bytes())),
    }
}
