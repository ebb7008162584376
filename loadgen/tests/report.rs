//! The report looked at as a reader would, in headless Chromium: on a desk, in the dark, on a phone.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::reader::{assert_fits_on_paper, look, output};
use common::{Folder, Run};
use serde_json::Value;

fn titles(view: &Value, section: &str) -> Vec<String> {
    let pictures = view["pictures"].as_array().expect("a list");
    let pictures = pictures.iter().filter(|picture| picture["section"] == section);
    pictures.map(|picture| picture["title"].as_str().expect("a title").to_owned()).collect()
}

/// Fails unless the page shows what it should in every view and asks nobody for anything.
fn assert_readable(seen: &Value, phases: &[&str]) {
    assert_eq!(seen["errors"], Value::Array(Vec::new()), "nothing is said on the console");
    assert_eq!(seen["requests"], Value::Array(Vec::new()), "nothing is asked for");
    assert!(seen["printedBytes"].as_u64() > Some(10_000), "it can be printed: {}", seen["printedBytes"]);
    assert_fits_on_paper(seen);
    for name in ["light", "dark", "phone"] {
        let view = &seen["views"][name];
        assert!(view["headline"].as_str().is_some_and(|text| !text.is_empty()), "{name}: {view:#}");
        assert_eq!(view["overflow"], 0, "{name}: the page is as wide as the screen");
        for phase in phases {
            let titles = titles(view, phase);
            for title in
                ["Throughput over time", "Latency by percentile", "Latency over time", "CPU over time"]
            {
                assert!(titles.iter().any(|found| found.starts_with(title)), "{name}, {phase}: {titles:?}");
            }
        }
        for picture in view["pictures"].as_array().expect("a list") {
            let number = |key: &str| picture[key].as_f64().unwrap_or(0.0);
            assert!(number("width") > 250.0 && number("height") > 120.0, "{name}: {picture:#}");
            // The axes are marks too: two of them, and the lines across.
            assert!(number("marks") >= 4.0 && number("labels") >= 4.0, "{name}: it is empty: {picture:#}");
            assert!(number("labelHeight") >= 7.0, "{name}: its labels are too small to read: {picture:#}");
            assert!(
                picture["described"].as_str().is_some_and(|words| words.len() > 20),
                "{name}: {picture:#}"
            );
        }
    }
    let (light, dark) = (&seen["views"]["light"], &seen["views"]["dark"]);
    for of in ["paper", "ink", "lines"] {
        assert_ne!(light[of], dark[of], "{of} is another in the dark");
    }
    assert_ne!(dark["paper"], dark["ink"]);
}

#[test]
fn a_reader_sees_figures_and_pictures_on_every_screen() {
    let phases = "--phases=produce,consume_hot,end_to_end";
    let fixed = ["--duration=2s", "--warmup=500ms", "--rate=20000", "--batch-records=10", phases];
    let flushed = Run::of_server(&fixed);
    flushed.assert_success();
    let seen = look(&flushed.folder().join("report.html"));
    assert_readable(&seen, &["produce", "consume_hot", "end_to_end"]);
    let figures = seen["views"]["light"]["figuresOnTheFirstScreen"].as_u64();
    assert!(figures >= Some(4), "the first screen gives the answer in figures: {figures:?}");

    let written = Run::of_server(&[&fixed[..], &["--set=flush.messages=1000000"]].concat());
    written.assert_success();
    let out = Folder::new("both");
    let both = out.path().join("both.html");
    let told = output(
        Command::new(env!("CARGO_BIN_EXE_tora-load"))
            .arg("report")
            .args([flushed.folder(), written.folder()])
            .arg("--out")
            .arg(&both),
    );
    assert_eq!(Path::new(told.trim()), both);
    let seen = look(&both);
    assert_readable(&seen, &["produce", "end_to_end"]);
    let light = &seen["views"]["light"];
    assert_eq!(light["headline"], "2 runs side by side");
    assert_eq!(light["lines"].as_array().map(Vec::len), Some(2), "each run has a colour: {light:#}");

    // Made again from raw data alone, the report is the same to the letter.
    let first = fs::read_to_string(flushed.folder().join("report.html")).expect("the run has made it");
    fs::remove_file(flushed.folder().join("report.html")).expect("it is there");
    output(Command::new(env!("CARGO_BIN_EXE_tora-load")).arg("report").arg(flushed.folder()));
    let again = fs::read_to_string(flushed.folder().join("report.html")).expect("it is made again");
    assert!(first == again, "the report made again is another one");
}
