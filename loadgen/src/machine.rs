//! What the run ran on, for whoever reads its figures later.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// The machine: its processor, memory, kernel and system. What is not known is null.
pub fn describe() -> Value {
    let read = |path: &str| fs::read_to_string(path).ok();
    json!({
        "cpu": read("/proc/cpuinfo").as_deref().and_then(cpu_model),
        "processors": std::thread::available_parallelism().ok().map(std::num::NonZero::get),
        "memory_bytes": read("/proc/meminfo").as_deref().and_then(memory_bytes),
        "kernel": read("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
        "system": read("/etc/os-release").as_deref().and_then(system_name),
        "architecture": std::env::consts::ARCH,
    })
}

/// What is known of a whole block device: model, bytes, whether it spins, and its scheduler.
pub fn device(name: &str) -> Value {
    let folder = Path::new("/sys/class/block").join(name);
    let read = |file: &str| fs::read_to_string(folder.join(file)).ok().map(|text| text.trim().to_owned());
    const SECTOR_BYTES: u64 = 512;
    json!({
        "name": name,
        "model": read("device/model"),
        "bytes": read("size").and_then(|size| size.parse::<u64>().ok()).map(|sectors| sectors * SECTOR_BYTES),
        "rotational": read("queue/rotational").map(|flag| flag == "1"),
        "scheduler": read("queue/scheduler"),
    })
}

/// The first processor's model name; ARM has none in this file.
fn cpu_model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

fn system_name(os_release: &str) -> Option<String> {
    let name = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests;
