//! The simulation finds bugs: each one that is planted shows within a thousand seeds.
#![cfg(feature = "sim")]

use tora_engine::sim::plant::Plant;
use tora_engine::sim::{RunOptions, run_seed};

fn is_found(plant: Plant) {
    let found =
        (0..1000).find(|seed| run_seed(*seed, RunOptions { plant: Some(plant), sink: None }).is_err());
    let seed = found.unwrap_or_else(|| panic!("{} is not found within 1,000 seeds", plant.name()));
    println!("{}: found by seed {seed}", plant.name());
}

#[test]
fn an_acknowledgement_before_the_flush_is_found() {
    is_found(Plant::AckBeforeFlush);
}

#[test]
fn a_missing_folder_sync_is_found() {
    is_found(Plant::SkipFolderSync);
}

#[test]
fn stale_bytes_after_a_cut_are_found() {
    is_found(Plant::StaleBytesAfterCut);
}

#[test]
fn a_watermark_moved_early_is_found() {
    is_found(Plant::WatermarkEarly);
}

#[test]
fn a_retry_acknowledged_before_its_original_is_found() {
    is_found(Plant::RetryAckedBeforeOriginal);
}

#[test]
fn a_log_start_that_is_not_stored_is_found() {
    is_found(Plant::LogStartNotStored);
}

#[test]
fn a_journal_area_that_is_written_again_too_early_is_found() {
    is_found(Plant::JournalReusedEarly);
}
