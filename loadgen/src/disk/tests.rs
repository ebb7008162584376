use super::*;

const MOUNTS: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,noatime shared:1 - ext4 /dev/vda rw
30 27 0:25 / /tmp rw master:2 - tmpfs tmpfs rw,size=8G
31 27 8:17 / /mnt/data\\040disk rw - xfs /dev/sdb1 rw
32 27 8:33 / /mnt/data rw - btrfs /dev/sdc1 rw
";

fn holding(folder: &str) -> Option<(&str, &str)> {
    Mount::holding(MOUNTS, Path::new(folder)).map(|mount| (mount.filesystem, mount.source))
}

#[test]
fn the_nearest_mount_holds_a_folder() {
    assert_eq!(holding("/home/x"), Some(("ext4", "/dev/vda")));
    assert_eq!(holding("/tmp/run"), Some(("tmpfs", "tmpfs")));
    assert_eq!(holding("/tmpfiles"), Some(("ext4", "/dev/vda")));
    assert_eq!(holding("/mnt/data/x"), Some(("btrfs", "/dev/sdc1")));
    assert_eq!(holding("/mnt/data disk/x"), Some(("xfs", "/dev/sdb1")));
}

#[test]
fn nonsense_lines_are_passed_over() {
    assert_eq!(Mount::holding("no such thing\n1 2 - \n", Path::new("/")), None);
}

#[test]
fn the_counters_of_a_device() {
    const STATS: &str = "\
 254       1 vda1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 99 17
 254       0 vda 78010 10185 17138370 137798 4736678 771152 1661423888 1334775 0 520156 1654706 8897 52 925281088 41563 1345547 140568
   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0
";
    let expected = DiskUse {
        reads: 78_010,
        read_bytes: 17_138_370 * 512,
        writes: 4_736_678,
        written_bytes: 1_661_423_888 * 512,
        flushes: 1_345_547,
        discarded_bytes: 925_281_088 * 512,
    };
    assert_eq!(use_of(STATS, "vda"), Some(expected));
    assert_eq!(use_of(STATS, "loop0"), None, "before Linux 5.5 flushes are not counted");
    assert_eq!(use_of(STATS, "sda"), None);
}

#[test]
fn this_machines_root_is_a_volume() {
    let volume = Volume::below(Path::new("/")).expect("/ is mounted");
    assert_eq!(volume.mount_point, "/");
    assert!(volume.free_bytes().expect("/ has a size") > 0);
}

#[test]
fn memory_is_told_from_disk() {
    let on = |filesystem: &str| Volume {
        folder: "/".into(),
        filesystem: filesystem.into(),
        mount_point: "/".into(),
        device: None,
        write_cache: None,
        mount_options: String::new(),
    };
    assert!(on("tmpfs").is_memory() && on("ramfs").is_memory());
    assert!(!on("ext4").is_memory());
}
