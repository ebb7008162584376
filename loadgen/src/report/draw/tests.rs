use super::*;

fn chart() -> Chart {
    let axis = Axis { range: (0.0, 10.0), marks: None, label: |x| format!("{x:.0}") };
    Chart {
        x: axis.clone(),
        y: axis,
        cells: vec![Cell { from: (1.0, 1.0), to: (2.0, 2.0), weight: 0.5 }],
        lines: vec![
            Line { ink: Ink::Run(1), stroke: Stroke::Solid, points: vec![(0.0, 1.0), (10.0, 9.0)] },
            Line { ink: Ink::Reference, stroke: Stroke::Dashed, points: vec![(0.0, 5.0), (10.0, 5.0)] },
        ],
        described: "a \"rising\" line & a cell".into(),
    }
}

#[test]
fn no_colour_is_left_to_the_picture() {
    let svg = chart().svg().expect("it can be drawn");
    assert!(!svg.contains('#'), "every colour is a class: {svg}");
    for class in ["f-text", "s-grid", "f-heat", "s-run1", "s-reference"] {
        assert!(svg.contains(&format!("class=\"{class}\"")), "{class} is missing: {svg}");
    }
}

#[test]
fn the_page_decides_the_size_and_words_are_there() {
    let svg = chart().svg().expect("it can be drawn");
    assert!(svg.contains("viewBox=\"0 0 1000 560\"") && !svg.contains("width=\"1000\""), "{svg}");
    assert!(svg.contains("aria-label=\"a &quot;rising&quot; line &amp; a cell\""), "{svg}");
}

#[test]
fn marks_are_round_and_few() {
    assert_eq!(round_marks((0.0, 10.0)), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    assert_eq!(round_marks((0.0, 3_100_000.0)).len(), 4);
    for high in [0.003, 1.0, 7.3, 99.0, 12_345.0] {
        let marks = round_marks((0.0, high));
        assert!((3..=7).contains(&marks.len()), "{high}: {marks:?}");
    }
}
