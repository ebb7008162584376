use super::*;

#[test]
fn the_files_of_a_linux_machine() {
    assert_eq!(cpu_model("processor : 0\nmodel name\t: A CPU @ 2 GHz\n").as_deref(), Some("A CPU @ 2 GHz"));
    assert_eq!(cpu_model("processor : 0\nCPU part : 0xd0c\n"), None);
    assert_eq!(memory_bytes("MemTotal:  1000 kB\nMemFree: 1 kB\n"), Some(1_024_000));
    assert_eq!(system_name("ID=debian\nPRETTY_NAME=\"Debian 12\"\n").as_deref(), Some("Debian 12"));
}

#[test]
fn this_machine_is_described() {
    let machine = describe();
    assert!(machine["processors"].as_u64() > Some(0), "{machine}");
    assert!(machine["kernel"].is_string() && machine["memory_bytes"].is_u64(), "{machine}");
}

#[test]
fn a_device_that_is_not_there_is_all_null() {
    assert_eq!(device("no-such-device")["bytes"], Value::Null);
}
