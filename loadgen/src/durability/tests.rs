use super::*;

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn volume(filesystem: &str) -> Volume {
    Volume {
        folder: "/x".into(),
        filesystem: filesystem.into(),
        mount_point: "/".into(),
        device: None,
        write_cache: None,
        mount_options: String::new(),
    }
}

#[test]
fn tora_flushes_unless_told_otherwise() {
    let of =
        |settings: &[_], topic: &[_]| Durability::of_tora(&pairs(settings), &pairs(topic), None).to_string();
    assert_eq!(of(&[], &[]), "flushed");
    assert_eq!(of(&[("flush.messages", "1000")], &[]), "written");
    assert_eq!(of(&[("flush.messages", "1000")], &[("flush.messages", "1")]), "flushed");
    assert_eq!(of(&[("flush.messages", "1"), ("flush.messages", "2")], &[]), "written");
}

#[test]
fn of_others_only_what_was_stated_is_known() {
    let of = |stated, topic: &[_]| Durability::of_foreign(stated, &pairs(topic), None).to_string();
    assert_eq!(of(None, &[]), "unknown to us: see its flush.messages");
    assert_eq!(of(Some("page cache"), &[]), "page cache");
    assert_eq!(of(None, &[("flush.messages", "1")]), "flushed");
}

#[test]
fn nothing_in_memory_is_called_flushed() {
    let memory = volume("tmpfs");
    assert_eq!(Durability::of_tora(&[], &[], Some(&memory)).to_string(), "not durable: tmpfs");
    let stated = Durability::of_foreign(Some("flushed"), &[], Some(&memory));
    assert_eq!(stated.to_string(), "not durable: tmpfs");
    assert_eq!(Durability::of_tora(&[], &[], Some(&volume("ext4"))), Durability::Flushed);
}
