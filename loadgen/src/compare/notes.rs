//! Why an aim was missed: what a profile says, written by people after a run, told beside the aim.

use std::fs;
use std::path::Path;

use super::aims;

/// Its name in the results folder.
const FILE: &str = "notes.md";
/// What a row's key stands behind.
const HEADING: &str = "## ";

/// Texts by the keys of aims.
#[derive(Debug, Default)]
pub struct Notes(Vec<(String, String)>);

impl Notes {
    /// Reads the file that was `given`, or the results folder's own, if there is one.
    ///
    /// # Errors
    /// A sentence, where the file cannot be read or names an aim that there is not.
    pub fn read(given: Option<&Path>, out: &Path) -> Result<Self, String> {
        let own = out.join(FILE);
        let path = given.unwrap_or(&own);
        if given.is_none() && !own.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        Self::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
    }

    /// Reads `## KEY` headings and the text below each; what stands before the first is for the file's own readers.
    fn parse(text: &str) -> Result<Self, String> {
        let mut notes: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            match (line.strip_prefix(HEADING), notes.last_mut()) {
                (Some(key), _) => notes.push((key.trim().to_owned(), String::new())),
                (None, Some((_, words))) => {
                    if !words.is_empty() {
                        words.push(' ');
                    }
                    words.push_str(line.trim());
                }
                (None, None) => {}
            }
        }
        if let Some((unknown, _)) = notes.iter().find(|(key, _)| aims::keys().all(|known| known != key)) {
            let known = aims::keys().collect::<Vec<_>>().join(", ");
            return Err(format!("no aim has the key `{unknown}`; there are {known}"));
        }
        Ok(Self(notes.into_iter().map(|(key, words)| (key, words.trim().to_owned())).collect()))
    }

    /// What is said of the aim with this key.
    pub fn of(&self, key: &str) -> Option<&str> {
        let (_, words) = self.0.iter().find(|(known, words)| known == key && !words.is_empty())?;
        Some(words)
    }
}

#[cfg(test)]
mod tests;
