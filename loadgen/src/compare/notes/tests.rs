use super::*;

#[test]
fn each_heading_takes_what_stands_below_it() {
    let text = "# Why\n\nfor readers\n\n## bulk-flushed\n\nThe disk\nis slow.\n\n## bulk-written\n";
    let notes = Notes::parse(text).expect("both keys are known");
    assert_eq!(notes.of("bulk-flushed"), Some("The disk is slow."));
    assert_eq!(notes.of("bulk-written"), None, "nothing is said");
    assert_eq!(notes.of("start"), None);
}

#[test]
fn a_misspelt_key_is_answered_with_those_that_there_are() {
    let why = Notes::parse("## bulk-flusht\nwords").expect_err("there is none");
    assert!(why.contains("bulk-flusht") && why.contains("bulk-flushed"), "{why}");
}

#[test]
fn without_a_file_nothing_is_said() {
    let nowhere = Path::new("/no/such/folder");
    assert_eq!(Notes::read(None, nowhere).expect("it need not be there").of("start"), None);
    assert!(Notes::read(Some(Path::new("/no/such/notes.md")), nowhere).is_err());
}
