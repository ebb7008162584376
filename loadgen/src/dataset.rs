//! The data set for `--payload`: click, sensor and log lines, made up and always the same.
//!
//! Lines are of the kinds that people send through a log: JSON events of many lengths, short numeric readings, and
//! service logs. Nothing in them is taken from anywhere, and addresses and hosts are from the ranges kept for examples
//! (RFC 5737, RFC 2606).

use std::fmt::Write;
use std::fs;
use std::path::Path;

const CLICK_LINES: u64 = 3000;
const SENSOR_LINES: u64 = 6000;
const LOG_LINES: u64 = 4000;
/// The first event's time: 2026-01-05 08:00:00 UTC, a Monday morning.
const BEGIN_MS: u64 = 1_767_600_000_000;

/// Writes `click.jsonl`, `sensor.csv` and `service.log` into `folder`.
pub fn write(folder: &Path) -> Result<(), String> {
    let cannot = |e| format!("cannot write the data set to {}: {e}", folder.display());
    fs::create_dir_all(folder).map_err(cannot)?;
    for (name, text) in [("click.jsonl", click()), ("sensor.csv", sensor()), ("service.log", service_log())] {
        fs::write(folder.join(name), text).map_err(cannot)?;
    }
    Ok(())
}

/// A source of chance that is the same on every machine (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A number below `limit`, small ones far more often: pages, users and devices are visited so.
    fn skewed(&mut self, limit: u64) -> u64 {
        self.below(limit) * self.below(limit) / limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }

    /// One of `from`, earlier ones more often.
    fn favour<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.skewed(from.len() as u64) as usize]
    }
}

fn click() -> String {
    const ACTIONS: [&str; 7] =
        ["view", "click", "scroll", "search", "add_to_cart", "remove_from_cart", "checkout"];
    const SECTIONS: [&str; 6] = ["lamps", "chairs", "tables", "shelves", "carpets", "curtains"];
    const SOURCES: [&str; 5] = ["direct", "search", "newsletter", "partner", "social"];
    const DEVICES: [&str; 6] = [
        "phone/Android 15/Chrome 131",
        "desktop/Windows 11/Edge 131",
        "phone/iOS 18.2/Safari 18",
        "desktop/Linux/Firefox 134",
        "tablet/iPadOS 18.2/Safari 18",
        "desktop/macOS 15/Safari 18",
    ];
    const WORDS: [&str; 10] =
        ["oak", "round", "small", "blue", "linen", "standing", "folding", "warm", "outdoor", "second hand"];
    let mut chance = Chance(1);
    let mut text = String::new();
    let mut time = BEGIN_MS;
    for _ in 0..CLICK_LINES {
        time += chance.skewed(900);
        let (action, section) = (chance.favour(&ACTIONS), chance.favour(&SECTIONS));
        let user = chance.skewed(40_000);
        let item = chance.skewed(5_000);
        let _ = write!(
            text,
            r#"{{"ts":{time},"session":"{:012x}","user":{user},"action":"{action}","page":"/{section}/{item}""#,
            user.wrapping_mul(0x9E37_79B9_7F4A) & 0xffff_ffff_ffff
        );
        match action {
            "search" => {
                let _ = write!(text, r#","query":"{} {}""#, chance.pick(&WORDS), chance.pick(&WORDS));
            }
            "scroll" => {
                let _ = write!(text, r#","depth_percent":{}"#, chance.below(101));
            }
            "add_to_cart" | "remove_from_cart" | "checkout" => {
                let (count, cents) = (1 + chance.skewed(6), 990 + chance.skewed(60_000));
                let _ = write!(text, r#","count":{count},"price":"{}.{:02}""#, cents / 100, cents % 100);
            }
            _ => {}
        }
        let (device, source) = (chance.favour(&DEVICES), chance.favour(&SOURCES));
        let (width, x, y) = (360 + 40 * chance.below(40), chance.below(1900), chance.below(4000));
        let _ = writeln!(
            text,
            r#","source":"{source}","device":"{device}","width":{width},"x":{x},"y":{y},"ms_on_page":{}}}"#,
            chance.skewed(180_000)
        );
    }
    text
}

fn sensor() -> String {
    const KINDS: [(&str, u64, u64); 5] = [
        ("temperature", 1800, 900),
        ("humidity", 3500, 4000),
        ("pressure", 98_000, 5000),
        ("co2", 40_000, 90_000),
        ("noise", 2800, 5500),
    ];
    let mut chance = Chance(2);
    let mut text = String::new();
    let mut time = BEGIN_MS;
    for line in 0..SENSOR_LINES {
        time += chance.below(20);
        let device = chance.below(400);
        let (kind, lowest, range) = KINDS[(line % KINDS.len() as u64) as usize];
        // Readings of one device lie near each other.
        let value = lowest + (device * 7919) % range / 2 + chance.below(range / 8);
        let battery = 100 - (device * 31 + line / 100) % 80;
        let _ = write!(text, "{time},dev-{device:04},{kind},{}.{:02},{battery}", value / 100, value % 100);
        let _ = match chance.below(40) {
            0 => writeln!(text, ",low-signal,{}", -60 - chance.below(50).cast_signed()),
            _ => writeln!(text, ",ok,"),
        };
    }
    text
}

fn service_log() -> String {
    const SERVICES: [&str; 6] = ["checkout", "catalog", "mailer", "search", "auth", "billing"];
    const PATHS: [&str; 6] =
        ["/api/v2/items", "/api/v2/cart", "/healthz", "/api/v2/search", "/login", "/api/v1/invoices"];
    const CAUSES: [&str; 5] = [
        "connection reset by peer",
        "deadline exceeded",
        "no route to host",
        "certificate expired yesterday",
        "too many open files",
    ];
    let mut chance = Chance(3);
    let mut text = String::new();
    let mut time = BEGIN_MS;
    for line in 0..LOG_LINES {
        time += chance.skewed(400);
        let second = time / 1000 % 86_400;
        let service = chance.favour(&SERVICES);
        let _ = write!(
            text,
            "2026-01-05T{:02}:{:02}:{:02}.{:03}Z {service}-{} ",
            second / 3600,
            second / 60 % 60,
            second % 60,
            time % 1000,
            chance.below(8)
        );
        let request = chance.next() >> 32;
        let _ = match chance.below(20) {
            0 => writeln!(
                text,
                "ERROR [{request:08x}] call to {}.example.com:443 failed after {} ms: {} (attempt {} of 5)",
                chance.pick(&SERVICES),
                chance.skewed(30_000),
                chance.pick(&CAUSES),
                1 + chance.below(5)
            ),
            1..=3 => writeln!(
                text,
                "WARN [{request:08x}] queue {service}-jobs has {} waiting, the oldest for {} s",
                100 + chance.skewed(9000),
                1 + chance.skewed(120)
            ),
            4..=6 => writeln!(
                text,
                "DEBUG [{request:08x}] cache: {} hits, {} misses, {} evicted since line {line}",
                chance.below(90_000),
                chance.below(9000),
                chance.below(900)
            ),
            _ => writeln!(
                text,
                "INFO [{request:08x}] 203.0.113.{} \"{} {}/{}\" {} {} B {} µs",
                chance.below(255),
                chance.favour(&["GET", "POST", "PUT", "DELETE"]),
                chance.favour(&PATHS),
                chance.skewed(5000),
                chance.favour(&["200", "204", "304", "404", "503"]),
                chance.skewed(60_000),
                80 + chance.skewed(400_000)
            ),
        };
    }
    text
}

#[cfg(test)]
mod tests;
