#![expect(clippy::disallowed_methods, reason = "a folder that looks like sysfs")]

use super::*;

fn sysfs(name: &str, cache: &str, fua: &str) -> PathBuf {
    let disk = std::env::temp_dir().join(format!("tora-device-{}-{name}", std::process::id())).join(name);
    let queue = disk.join("queue");
    fs::create_dir_all(&queue).unwrap();
    fs::write(queue.join("write_cache"), cache).unwrap();
    fs::write(queue.join("fua"), fua).unwrap();
    disk
}

#[test]
fn a_disk_says_how_it_keeps_writes() {
    let cases = [
        ("vda", "write back\n", "0\n", "vda (a volatile write cache, no FUA)", false),
        ("nvme0n1", "write back\n", "1\n", "nvme0n1 (a volatile write cache, FUA)", true),
        ("sdb", "write through\n", "0\n", "sdb (no volatile write cache, no FUA)", true),
    ];
    for (name, cache, fua, text, cheap) in cases {
        let disk = sysfs(name, cache, fua);
        let device = Device::at(&disk).expect("it is a disk");
        assert_eq!((device.to_string().as_str(), device.has_cheap_durable_writes()), (text, cheap));
        let partition = disk.join(format!("{name}1"));
        fs::create_dir_all(&partition).unwrap();
        assert_eq!(Device::at(&partition), Some(device), "a partition is its disk's");
        fs::remove_dir_all(disk.parent().expect("made above")).unwrap();
    }
}

#[test]
fn what_has_no_device_has_none() {
    assert_eq!(Device::below(Path::new("/proc")), None);
    assert_eq!(Device::below(Path::new("/no/such/folder")), None);
}
