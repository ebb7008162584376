//! What `tora` does besides serving: topics, groups, lines in and lines out, against any broker of the Kafka protocol; and
//! the list of properties.

pub mod consume;
pub mod group;
pub mod line;
mod partitioner;
pub mod place;
pub mod produce;
pub mod properties;
pub mod table;
pub mod topic;

use std::io::Write;

use serde_json::Value;

use crate::client::Failure;

/// Which brokers a command talks to, and how it answers.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// A broker of the cluster; several may be given with commas between them.
    #[arg(long, short = 'b', value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    pub bootstrap: String,
    /// Answer in JSON, for programs.
    #[arg(long)]
    pub json: bool,
}

/// Prints lines. Whoever reads them may have seen enough, which is no failure.
///
/// # Errors
/// They cannot be printed for another reason.
pub fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// The same of bytes.
///
/// # Errors
/// As [`print()`].
pub fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    if !is_read(bytes)? {
        std::process::exit(0);
    }
    Ok(())
}

/// Prints bytes; tells whether there is still somebody who reads them.
///
/// # Errors
/// They cannot be printed for another reason.
pub fn is_read(bytes: &[u8]) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(why) if why.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        done => done.map(|()| true).map_err(|why| format!("standard output: {why}")),
    }
}

/// Prints a value as JSON.
///
/// # Errors
/// As [`print()`].
pub fn print_json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value:#}\n"))
}

/// `NAME=VALUE`, for clap.
///
/// # Errors
/// What would do.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests;
