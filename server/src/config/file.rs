//! `server.properties`: the lines that Java's `Properties.load` reads, as far as people write them.

use std::str::Chars;

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, counted from 1.
    pub number: usize,
    /// The property's name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Reads a file's text: `#` and `!` begin comments, `=`, `:` or a space separates name and value, a backslash at a
/// line's end goes on with the next line and elsewhere takes the character after it as it is (`\n`, `\t` and `\u00e4` as
/// usual). Unlike Java, which takes the file for Latin-1, this reads UTF-8; what is in ASCII is the same.
#[must_use]
pub fn parse(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut rest = text.lines().enumerate();
    while let Some((index, line)) = rest.next() {
        let mut logical = line.trim_start().to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while ends_with_continuation(&logical) {
            logical.pop();
            let Some((_, more)) = rest.next() else { break };
            logical.push_str(more.trim_start());
        }
        let (name, value) = split(&logical);
        lines.push(Line { number: index + 1, name, value });
    }
    lines
}

fn ends_with_continuation(line: &str) -> bool {
    line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

fn split(line: &str) -> (String, String) {
    let mut name = String::new();
    let mut chars = line.chars();
    let mut separator = None;
    while let Some(c) = chars.next() {
        match c {
            '\\' => name.extend(unescape(&mut chars)),
            '=' | ':' => {
                separator = Some(c);
                break;
            }
            c if c.is_whitespace() => break,
            c => name.push(c),
        }
    }
    let mut rest = chars.as_str().trim_start();
    if separator.is_none() {
        rest = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
    }
    let mut value = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            value.extend(unescape(&mut chars));
        } else {
            value.push(c);
        }
    }
    (name, value)
}

/// What stands behind a backslash. Four hexadecimal digits that are no character of their own (a surrogate), or not
/// there, leave the `u`.
fn unescape(chars: &mut Chars<'_>) -> Option<char> {
    Some(match chars.next()? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'f' => '\u{c}',
        'u' => {
            let digits =
                chars.as_str().get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
            let code =
                digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
            if code.is_some() {
                *chars = chars.as_str()[4..].chars();
            }
            code.unwrap_or('u')
        }
        c => c,
    })
}
