use super::*;

#[test]
fn a_partition_id_reads_back_its_folder_name() {
    let id = PartitionId::new(TopicId::from_random(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210), 17);
    assert_eq!(id.to_string(), "01234567-89ab-4def-bedc-ba9876543210-17");
    assert_eq!(PartitionId::parse(&id.to_string()), Some(id));
}

#[test]
fn other_folder_names_are_not_partitions() {
    for name in [
        "",
        "lost+found",
        "01234567-89ab-4def-bedc-ba9876543210",
        "01234567-89ab-4def-bedc-ba9876543210-",
        "01234567-89ab-4def-bedc-ba9876543210--1",
        "01234567-89ab-4def-bedc-ba9876543210-01",
        "0123456789ab-4def-bedc-ba9876543210-----1",
        "01234567-89AB-4def-bedc-ba9876543210-1",
        "01234567-89ab-4def-bedc-ba98765432é0-1",
    ] {
        assert_eq!(PartitionId::parse(name), None, "{name}");
    }
}
