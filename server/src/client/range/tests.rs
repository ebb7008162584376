use std::collections::{BTreeMap, BTreeSet};

use super::assign;

fn wants(members: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
    let topics = |topics: &[&str]| topics.iter().map(|topic| (*topic).to_owned()).collect();
    members.iter().map(|(member, names)| ((*member).to_owned(), topics(names))).collect()
}

fn partitions(topics: &[(&str, i32)]) -> BTreeMap<String, Vec<i32>> {
    topics.iter().map(|(topic, count)| ((*topic).to_owned(), (0..*count).collect())).collect()
}

fn shares(members: &[(&str, &[&str])], topics: &[(&str, i32)]) -> Vec<(String, Vec<String>)> {
    let shares = assign(&wants(members), &partitions(topics)).into_iter();
    let name = |(topic, partition): (String, i32)| format!("{topic}{partition}");
    shares.map(|(member, share)| (member, share.into_iter().map(name).collect())).collect()
}

fn share(member: &str, partitions: &[&str]) -> (String, Vec<String>) {
    (member.to_owned(), partitions.iter().map(|partition| (*partition).to_owned()).collect())
}

/// The example in the documentation of Kafka's `RangeAssignor`.
#[test]
fn the_first_members_get_one_more_of_each_topic() {
    let both: &[&str] = &["t", "u"];
    let found = shares(&[("C0", both), ("C1", both)], &[("t", 3), ("u", 3)]);
    assert_eq!(found, [share("C0", &["t0", "t1", "u0", "u1"]), share("C1", &["t2", "u2"])]);
}

#[test]
fn a_topic_goes_to_those_who_want_it() {
    let found = shares(&[("a", &["t"]), ("b", &["t", "u"]), ("c", &["u"])], &[("t", 2), ("u", 3)]);
    assert_eq!(found, [share("a", &["t0"]), share("b", &["t1", "u0", "u1"]), share("c", &["u2"])]);
}

#[test]
fn members_without_a_partition_have_an_empty_share() {
    let found = shares(&[("a", &["t"]), ("b", &["t"]), ("c", &["gone"])], &[("t", 1)]);
    assert_eq!(found, [share("a", &["t0"]), share("b", &[]), share("c", &[])]);
}
