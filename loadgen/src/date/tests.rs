use super::*;

#[test]
fn known_dates() {
    let at = |seconds| stamp(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    assert_eq!(at(0), "1970-01-01T00-00-00Z");
    assert_eq!(at(951_782_399), "2000-02-28T23-59-59Z");
    assert_eq!(at(951_782_400), "2000-02-29T00-00-00Z");
    assert_eq!(at(951_868_800), "2000-03-01T00-00-00Z");
    assert_eq!(at(1_767_225_599), "2025-12-31T23-59-59Z");
    assert_eq!(at(4_107_542_400), "2100-03-01T00-00-00Z");
}
