//! `server.properties`: the lines that Java's `Properties.load` reads, as far as people write them.

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
/// line's end goes on with the next line and elsewhere takes the character after it as it is (`\n`, `\t` as usual).
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
            '\\' => name.extend(chars.next().map(unescape)),
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
            value.extend(chars.next().map(unescape));
        } else {
            value.push(c);
        }
    }
    (name, value)
}

fn unescape(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        c => c,
    }
}
