use super::*;

/// An ApiVersions v0 body: no error; Produce 3 to 13, Fetch 4 to 11, CreateTopics 8 to 9.
const BODY: [u8; 24] = [0, 0, 0, 0, 0, 3, 0, 0, 0, 3, 0, 13, 0, 1, 0, 4, 0, 11, 0, 19, 0, 8, 0, 9];

#[test]
fn the_highest_common_version_is_agreed() {
    let (error, served) = Served::decode(&BODY).expect("the body is well-formed");
    assert_eq!(error, 0);
    assert_eq!(served.agree(Api::Produce), Ok(12));
    assert_eq!(served.agree(Api::Fetch), Ok(11));
    assert!(served.has(Api::Fetch) && !served.has(Api::InitProducerId));
}

#[test]
fn disagreement_names_both_ranges() {
    let (_, served) = Served::decode(&BODY).expect("the body is well-formed");
    let why = served.agree(Api::CreateTopics).expect_err("8 to 9 is beyond what we speak");
    assert!(why.contains("8 to 9") && why.contains("2 to 7"), "{why}");
    let why = served.agree(Api::InitProducerId).expect_err("it is not served");
    assert!(why.contains("InitProducerId"), "{why}");
}

#[test]
fn every_cut_is_an_error_and_no_panic() {
    for length in 0..BODY.len() {
        assert!(Served::decode(&BODY[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn the_request_is_bare() {
    let mut frame = vec![0, 0, 0, 19, 0, 18, 0, 0, 0, 0, 0, 7, 0, 9];
    frame.extend_from_slice(b"tora-load");
    assert_eq!(Served::request(7), frame);
}
