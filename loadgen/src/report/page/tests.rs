use super::super::tests::Results;
use super::*;

fn page(change: impl FnOnce(&mut Value)) -> String {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let results = Results::new(&format!("page-{number}"));
    let mut run = results.run();
    change(&mut run.summary);
    render(&[run]).expect("it can be drawn")
}

#[test]
fn nothing_comes_from_outside() {
    let html = page(|_| ());
    for outside in ["http:", "https:", "src=", "@import", "url(", "<script"] {
        // The name of SVG's namespace is never fetched.
        let html = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn what_was_measured_cannot_change_the_page() {
    let html = page(|summary| summary["error"] = "<b>bold</b> & more".into());
    assert!(
        html.contains("&lt;b&gt;bold&lt;/b&gt; &amp; more") && !html.contains("<b>bold"),
        "it is escaped"
    );
}

#[test]
fn a_figure_to_be_taken_with_care_is_marked() {
    assert!(!page(|_| ()).contains("class=\"warnings\""));
    let html = page(|summary| {
        summary["phases"]["produce"]["load_generator_bound"] = true.into();
        summary["phases"]["produce"]["machine_held_up"] = true.into();
        summary["phases"]["produce"]["machine_stolen_share"] = 0.25.into();
        summary["phases"]["end_to_end"]["unsent_records"] = 1500.into();
        summary["verification"]["lost"] = 3.into();
    });
    for expected in [
        "Produce: the load generator was busy",
        "Produce: the machine's host withheld 25",
        "the rate was not held; 1.5\u{a0}k",
        "3 records lost",
    ] {
        assert!(html.contains(expected), "{expected} is missing");
    }
}

#[test]
fn the_contract_is_in_the_headline() {
    let headline = |durability: &str| page(|summary| summary["durability"] = durability.into());
    assert!(headline("flushed").contains("each on the disk before it was acknowledged</h1>"));
    assert!(headline("written").contains("not flushed</h1>"));
    assert!(headline("not durable: tmpfs").contains("kept in memory only</h1>"));
}
