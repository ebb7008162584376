use super::*;

#[test]
fn what_is_said_of_small_groups_is_what_is_done_with_them() {
    let said = |flush_method, journal_bytes, durable| {
        how_appends_go(&Config { flush_method, journal_bytes, ..Config::new("data") }, durable)
    };
    let journal = 64 << 20;
    let auto = said(FlushMethod::Auto, journal, false);
    assert!(
        auto.contains("journal as durable writes")
            && auto.ends_with("files as a write, then a flush (fdatasync)")
    );
    let cheap = said(FlushMethod::Auto, journal, true);
    assert!(cheap.ends_with("files as durable writes (RWF_DSYNC)"), "{cheap}");
    let flush = said(FlushMethod::Flush, journal, false);
    assert!(flush.contains("journal as a write, then a flush"), "{flush}");
    let none = said(FlushMethod::Auto, 0, false);
    assert!(none.contains("as a write, then a flush") && none.ends_with("no journal"), "{none}");
}
