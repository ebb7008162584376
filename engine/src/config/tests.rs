use super::*;

/// A field: its name, how it is set (false where its type does not hold the number), its range, and whether 0 is allowed
/// beside it.
type Field = (&'static str, fn(&mut Config, i128) -> bool, Range, bool);

/// Sets a field to a number, where its type holds that.
macro_rules! setter {
    ($field:ident) => {
        |config, number| {
            let number = number.try_into();
            number.map(|number| config.$field = number).is_ok()
        }
    };
}

fn fields() -> [Field; 17] {
    [
        ("shards", setter!(shards), 1..=1024, false),
        ("num_partitions", setter!(num_partitions), 1..=100_000, false),
        ("flush_messages", setter!(flush_messages), 1..=i64::MAX, false),
        ("flush_ms", setter!(flush_ms), 0..=i64::MAX, false),
        ("max_message_bytes", setter!(max_message_bytes), 68..=104_857_600, false),
        ("segment_bytes", setter!(segment_bytes), 1_048_576..=1_099_511_627_776, false),
        ("segment_ms", setter!(segment_ms), 1..=i64::MAX, false),
        ("retention_ms", setter!(retention_ms), -1..=i64::MAX, false),
        ("retention_bytes", setter!(retention_bytes), -1..=i64::MAX, false),
        ("retention_check_ms", setter!(retention_check_ms), 1..=i64::MAX, false),
        ("producer_expiration_ms", setter!(producer_expiration_ms), 1..=i64::MAX, false),
        ("unflushed_bytes", setter!(unflushed_bytes), 4096..=1_099_511_627_776, false),
        ("checkpoint_bytes", setter!(checkpoint_bytes), 1..=1_099_511_627_776, false),
        ("journal_bytes", setter!(journal_bytes), 65_536..=1_073_741_824, true),
        ("open_files_max", setter!(open_files_max), 8..=2_147_483_647, true),
        ("buffer_bytes", setter!(buffer_bytes), 0..=68_719_476_736, false),
        ("cold_read_bytes", setter!(cold_read_bytes), 0..=1_099_511_627_776, false),
    ]
}

#[test]
fn every_number_has_a_range_and_is_refused_outside_it() {
    for (field, set, range, or_zero) in fields() {
        let (least, most) = (i128::from(*range.start()), i128::from(*range.end()));
        let checked = |number| {
            let mut config = Config::new("data");
            set(&mut config, number).then(|| config.check())
        };
        for number in [least, most, (least + most) / 2] {
            assert_eq!(checked(number), Some(Ok(())), "{field}: {number}");
        }
        let mut refused = 0;
        for number in [i128::MIN, least - 1, 0, most + 1, i128::from(u64::MAX)] {
            if (least..=most).contains(&number) || (or_zero && number == 0) {
                continue;
            }
            let Some(checked) = checked(number) else { continue };
            let fault = checked.expect_err(field);
            assert_eq!((fault.field, &fault.value), (field, &number.to_string()));
            let said = fault.to_string();
            let begins = format!("{field} cannot be {number}; use a whole number");
            assert!(said.starts_with(&begins) && said.contains(&least.to_string()), "{said}");
            assert!(most == i128::from(i64::MAX) || said.contains(&most.to_string()), "{said}");
            assert_eq!(said.contains(", or 0 for "), or_zero, "{said}");
            refused += 1;
        }
        assert!(refused > 0, "{field}: its type holds numbers outside its range");
        assert!(!or_zero || checked(0) == Some(Ok(())), "{field}: 0");
    }
}

#[test]
fn the_defaults_lie_within_their_ranges() {
    assert_eq!(Config::new("data").check(), Ok(()));
    let said = Config::new("").check().expect_err("it names no folder").to_string();
    assert_eq!(said, "data_dir cannot be empty; use the path of a folder");
}
