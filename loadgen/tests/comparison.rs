//! The comparison's page looked at as a reader would, in headless Chromium: made again from published results, without a
//! measurement.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::Folder;
use common::reader::{assert_fits_on_paper, look, output};
use serde_json::Value;

/// Every published comparison.
fn published() -> Vec<PathBuf> {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results");
    let folders = fs::read_dir(results).expect("results are published").flatten().map(|entry| entry.path());
    let found: Vec<_> = folders.filter(|path| path.join("compare.json").is_file()).collect();
    assert!(!found.is_empty(), "no comparison is published");
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder for what cargo builds is writable");
    for entry in fs::read_dir(from).expect("it is a folder").flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("it can be read");
        }
    }
}

/// Makes the page of `folder` again, and nothing else: there is no broker that it could start.
fn report(folder: &Path) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tora-load"));
    command.args(["compare", "--report-only", "--tora=/no/such/tora", "--out"]).arg(folder);
    output(&mut command).into_bytes()
}

fn list<'a>(view: &'a Value, key: &str) -> &'a [Value] {
    view[key].as_array().unwrap_or_else(|| panic!("{key}: {view:#}"))
}

/// Fails unless figures, pictures and verdicts are there to see in every view, and nobody is asked for anything.
fn assert_readable(seen: &Value) {
    assert_eq!(seen["errors"], Value::Array(Vec::new()), "nothing is said on the console");
    assert_eq!(seen["requests"], Value::Array(Vec::new()), "nothing is asked for");
    assert!(seen["printedBytes"].as_u64() > Some(50_000), "it can be printed: {}", seen["printedBytes"]);
    assert_fits_on_paper(seen);
    for name in ["light", "dark", "phone"] {
        let view = &seen["views"][name];
        assert_eq!(view["overflow"], 0, "{name}: the page is as wide as the screen");
        let aims = list(view, "aims");
        assert!(aims.len() >= 17, "{name}: every aim has a row");
        let verdict = |aim: &&Value, verdict: &str| aim["verdict"] == verdict;
        for (words, of) in [("met", "aims met"), ("not met", "missed")] {
            let rows: Vec<_> = aims.iter().filter(|aim| verdict(aim, words)).collect();
            assert!(!rows.is_empty(), "{name}: there is something of either kind in what is published");
            let contract = view["contract"].as_str().expect("the first screen counts them");
            assert!(contract.contains(&format!("{} {of}", rows.len())), "{name}: {contract}");
            assert!(rows.iter().all(|row| {
                row["text"].as_str().is_some_and(|text| text.contains('×') || text.contains('.'))
            }));
        }
        let colour_of =
            |words: &str| &aims.iter().find(|aim| verdict(aim, words)).expect("there is one")["colour"];
        assert_ne!(colour_of("met"), colour_of("not met"), "{name}: losses are as plain as wins");
        let ratios = list(view, "ratios");
        for kind in ["good", "bad"] {
            assert!(ratios.iter().any(|ratio| ratio["verdict"] == kind), "{name}: no {kind} ratio is shown");
        }
        let pictures = list(view, "pictures");
        assert_eq!(pictures[0]["section"], "picture", "{name}: the main picture comes first");
        assert!(pictures.len() > 4, "{name}: workloads have pictures");
        for picture in pictures {
            let number = |key: &str| picture[key].as_f64().unwrap_or(0.0);
            assert!(number("width") > 250.0 && number("height") > 120.0, "{name}: {picture:#}");
            assert!(number("marks") >= 4.0 && number("labels") >= 4.0, "{name}: it is empty: {picture:#}");
            assert!(
                picture["described"].as_str().is_some_and(|words| words.len() > 20),
                "{name}: {picture:#}"
            );
        }
        let tables = list(view, "tables");
        assert!(
            tables.len() > 10 && tables.iter().all(|table| table["filled"].as_u64() > Some(0)),
            "{name}: {tables:#?}"
        );
    }
    let (light, dark) = (&seen["views"]["light"], &seen["views"]["dark"]);
    for of in ["paper", "ink", "lines"] {
        assert_ne!(light[of], dark[of], "{of} is another in the dark");
    }
}

#[test]
fn a_reader_sees_wins_and_losses_and_why() {
    for published in published() {
        let folder = Folder::new("comparison");
        copy(&published, folder.path());
        let _ = fs::remove_file(folder.path().join("notes.md"));
        report(folder.path());
        let page = folder.path().join("comparison.html");
        let seen = look(&page);
        assert_readable(&seen);
        let light = &seen["views"]["light"];
        let in_sight = |aim: &&Value| aim["bottom"].as_f64() < Some(1.0);
        let on_the_first_screen = list(light, "aims").iter().filter(in_sight).count();
        assert!(on_the_first_screen >= 12, "{on_the_first_screen} aims are seen without scrolling");
        for link in list(light, "links").iter().filter_map(Value::as_str) {
            let there = link.strip_prefix('#').map_or_else(
                || folder.path().join(link).is_file(),
                |id| fs::read_to_string(&page).is_ok_and(|page| page.contains(&format!("id=\"{id}\""))),
            );
            assert!(there, "{link} leads nowhere");
        }

        // Why a row falls short stands below it, in the page and in the table alike; the same file is made from it twice.
        let missed =
            list(light, "aims").iter().find(|aim| aim["verdict"] == "not met").expect("one is missed");
        let notes = "# Why\n\n".to_owned() + &every_key(folder.path());
        fs::write(folder.path().join("notes.md"), notes).expect("it is ours");
        report(folder.path());
        let first = fs::read(&page).expect("it is made");
        report(folder.path());
        assert!(first == fs::read(&page).expect("it is made again"), "the page made again is another one");
        let seen = look(&page);
        assert_readable(&seen);
        let explained =
            list(&seen["views"]["light"], "aims").iter().find(|aim| aim["text"] == missed["text"]);
        let why = explained.and_then(|aim| aim["why"].as_str()).expect("the row is explained");
        assert!(why.contains("because of perf stat"), "{why}");
        let met = list(&seen["views"]["light"], "aims").iter().find(|aim| aim["verdict"] == "met");
        assert!(met.is_some_and(|aim| aim["why"].is_null()), "what is met needs no excuse");
        let table = fs::read_to_string(folder.path().join("comparison.md")).expect("it is made");
        assert!(table.contains("<br>*Measured: because of `perf stat`"), "{table}");
    }
}

/// A note on every aim: the keys come from the sentence that refuses one that there is not.
fn every_key(folder: &Path) -> String {
    fs::write(folder.join("notes.md"), "## no-such-key\n").expect("it is ours");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tora-load"));
    let refused =
        command.args(["compare", "--report-only", "--out"]).arg(folder).output().expect("it is built");
    assert_eq!(refused.status.code(), Some(2), "a misspelt key is an error");
    let said = String::from_utf8(refused.stderr).expect("it prints UTF-8");
    let (_, keys) = said.trim().split_once("there are ").expect("it tells those that there are");
    keys.split(", ")
        .map(|key| format!("## {key}\n\nMeasured: because of `perf stat`, in {key}.\n\n"))
        .collect()
}
