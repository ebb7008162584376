//! `tora-load report`: one HTML file from the raw data of one run or several. It needs nothing else: no script, no
//! font, no request to anywhere.
//!
//! The way through: [`raw`] (a results folder, read) → [`charts`] (what each picture shows) → [`draw`] (how it is drawn)
//! → [`page`] (the words and tables around them).

use std::fs;
use std::path::{Path, PathBuf};

mod axis;
pub mod charts;
pub mod draw;
pub mod figures;
pub mod page;
pub mod raw;

use raw::Run;

/// Where a run's own report lies in its results folder.
pub const FILE: &str = "report.html";

/// The most runs in one report: as many as there are colours that can be told apart.
const RUNS_MAX: usize = 6;

/// Builds the report of the runs in `folders`, into `out` or into the first folder; gives the file's path.
///
/// # Errors
/// A sentence that names the folder whose data is not there or not understood.
pub fn build(folders: &[PathBuf], out: Option<&Path>) -> Result<PathBuf, String> {
    let [first, ..] = folders else {
        return Err("give at least one results folder, such as results/local/2026-01-31T23-59-59Z".into());
    };
    if folders.len() > RUNS_MAX {
        return Err(format!("{} runs are too many for one report: give at most {RUNS_MAX}", folders.len()));
    }
    let mut runs = folders.iter().map(|folder| Run::read(folder)).collect::<Result<Vec<_>, _>>()?;
    raw::name_apart(&mut runs);
    let path = out.map_or_else(|| first.join(FILE), Path::to_path_buf);
    let html = page::render(&runs)?;
    fs::write(&path, html).map_err(|e| format!("cannot write the report to {}: {e}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests;
