//! Puts, updates and deletes, each with a condition.

use mandi_core::ports::{Condition, Update, Value};

use super::{Fixture, MixedTypes, failed_write, fresh_partition, record};

/// Given a record with a field of each type, a get returns the same.
pub async fn a_put_record_is_read_back_with_every_type_of_value(fixture: &Fixture) {
    let written = record(&fresh_partition(), "a")
        .with("text", "ஒப்பந்தம் अनुबंध")
        .with("empty", "")
        .with("least", i64::MIN)
        .with("most", i64::MAX)
        .with("flag", true);
    let mut written = written;
    written.fields.insert("bytes".to_owned(), Value::Bytes(vec![0, 255, 10, 0]));
    written.fields.insert("no_bytes".to_owned(), Value::Bytes(Vec::new()));

    fixture.store.put(written.clone(), Condition::Always).await.unwrap();

    assert_eq!(fixture.store.get(&written.key).await.unwrap(), Some(written));
}

/// Given a record, a second put leaves no field of the first.
pub async fn a_put_replaces_the_whole_record(fixture: &Fixture) {
    let partition = fresh_partition();
    fixture.store.put(record(&partition, "a").with("old", 1), Condition::Always).await.unwrap();

    let second = record(&partition, "a").with("new", 2);
    fixture.store.put(second.clone(), Condition::Always).await.unwrap();

    assert_eq!(fixture.store.get(&second.key).await.unwrap(), Some(second));
}

/// Each condition, on a record that is absent and on one that is there.
pub async fn a_conditional_put_is_done_only_when_its_condition_holds(fixture: &Fixture) {
    let present = record(&fresh_partition(), "present").with("state", "open").with("count", 3);
    let mut cases = vec![
        (Condition::Absent, true, false),
        (Condition::Present, false, true),
        (Condition::equals("state", "open"), false, true),
        (Condition::equals("state", "shut"), false, false),
        (Condition::equals("count", 3), false, true),
        (Condition::equals("count", "3"), false, false),
        (Condition::LessThan("count".to_owned(), 4), false, true),
        (Condition::LessThan("count".to_owned(), 3), false, false),
        (Condition::FieldAbsent("state".to_owned()), true, false),
        (Condition::FieldAbsent("other".to_owned()), true, true),
    ];
    if fixture.differences.mixed_types == MixedTypes::NeverLess {
        cases.push((Condition::LessThan("state".to_owned(), 3), false, false));
    }
    for (condition, on_absent, on_present) in cases {
        let absent = record(&fresh_partition(), "absent");
        let outcome = fixture.store.put(absent.clone(), condition.clone()).await;
        assert_eq!(outcome.is_ok(), on_absent, "{condition:?} on an absent record: {outcome:?}");
        assert_eq!(fixture.store.get(&absent.key).await.unwrap().is_some(), on_absent);

        fixture.store.put(present.clone(), Condition::Always).await.unwrap();
        let outcome = fixture.store.put(present.clone().with("done", true), condition.clone()).await;
        assert_eq!(outcome.is_ok(), on_present, "{condition:?} on a present record: {outcome:?}");
        if !on_present {
            assert_eq!(failed_write(outcome), 0);
        }
        assert_eq!(fixture.store.get(&present.key).await.unwrap().unwrap().flag("done"), on_present);
    }
}

/// Given two readers of one version, the second to write is told so.
pub async fn an_update_with_the_version_it_read_succeeds_once(fixture: &Fixture) {
    let first = record(&fresh_partition(), "a").with("version", 1);
    fixture.store.put(first.clone(), Condition::Always).await.unwrap();
    let change = Update::new().set("version", 2).set("by", "me");

    let after = fixture.store.update(&first.key, change.clone(), Condition::equals("version", 1)).await.unwrap();
    let again = fixture.store.update(&first.key, change, Condition::equals("version", 1)).await;

    assert_eq!(after.int("version"), Some(2));
    assert_eq!(after.text("by"), Some("me"));
    assert_eq!(failed_write(again), 0);
}

/// An update answers with the record as it is after it.
pub async fn an_update_sets_adds_and_removes_in_one_step(fixture: &Fixture) {
    let first = record(&fresh_partition(), "a").with("count", 5).with("gone", "x").with("kept", "y");
    fixture.store.put(first.clone(), Condition::Always).await.unwrap();
    let change = Update::new().set("state", "done").add("count", -7).add("fresh", 4).remove("gone").remove("never");

    let after = fixture.store.update(&first.key, change, Condition::Present).await.unwrap();

    let expected =
        record(&first.key.partition, "a").with("count", -2).with("kept", "y").with("state", "done").with("fresh", 4);
    assert_eq!(after, expected);
    assert_eq!(fixture.store.get(&first.key).await.unwrap(), Some(expected));
}

/// Also one that sets nothing, or only removes.
pub async fn an_update_of_an_absent_record_makes_it(fixture: &Fixture) {
    let partition = fresh_partition();
    let changes =
        [("empty", Update::new()), ("removing", Update::new().remove("x")), ("add", Update::new().add("n", 2))];
    for (sort, change) in changes {
        let key = record(&partition, sort).key;
        let after = fixture.store.update(&key, change, Condition::Absent).await.unwrap();
        assert_eq!(fixture.store.get(&key).await.unwrap(), Some(after), "{sort}");
    }
    assert_eq!(fixture.store.get(&record(&partition, "add").key).await.unwrap().unwrap().int("n"), Some(2));
}

/// The record stays as it was.
pub async fn a_conditional_delete_leaves_the_record_when_its_condition_fails(fixture: &Fixture) {
    let written = record(&fresh_partition(), "a").with("state", "open");
    fixture.store.put(written.clone(), Condition::Always).await.unwrap();

    let refused = fixture.store.delete(&written.key, Condition::equals("state", "shut")).await;
    assert_eq!(failed_write(refused), 0);
    assert_eq!(fixture.store.get(&written.key).await.unwrap(), Some(written.clone()));

    fixture.store.delete(&written.key, Condition::equals("state", "open")).await.unwrap();
    assert_eq!(fixture.store.get(&written.key).await.unwrap(), None);
}

/// Unless its condition says that the record must be there.
pub async fn deleting_an_absent_record_is_no_error(fixture: &Fixture) {
    let key = record(&fresh_partition(), "a").key;
    fixture.store.delete(&key, Condition::Always).await.unwrap();
    assert_eq!(failed_write(fixture.store.delete(&key, Condition::Present).await), 0);
}

/// Nested, and with the empty ones: `All` of nothing holds, `Any` of nothing does not.
pub async fn conditions_combine_with_all_and_any(fixture: &Fixture) {
    let written = record(&fresh_partition(), "a").with("state", "open").with("count", 3);
    let open = || Condition::equals("state", "open");
    let shut = || Condition::equals("state", "shut");
    let small = || Condition::LessThan("count".to_owned(), 10);
    let cases = [
        (Condition::All(vec![]), true),
        (Condition::Any(vec![]), false),
        (Condition::All(vec![open()]), true),
        (Condition::All(vec![open(), small()]), true),
        (Condition::All(vec![open(), shut()]), false),
        (Condition::All(vec![open(), Condition::Always]), true),
        (Condition::All(vec![open(), Condition::Any(vec![])]), false),
        (Condition::Any(vec![shut(), small()]), true),
        (Condition::Any(vec![shut(), Condition::Absent]), false),
        (Condition::Any(vec![shut(), Condition::Always]), true),
        (
            Condition::All(vec![
                Condition::Any(vec![shut(), open()]),
                Condition::Any(vec![Condition::Absent, small()]),
            ]),
            true,
        ),
        (Condition::Any(vec![Condition::All(vec![open(), shut()]), Condition::All(vec![shut(), small()])]), false),
    ];
    for (condition, holds) in cases {
        fixture.store.put(written.clone(), Condition::Always).await.unwrap();
        let outcome = fixture.store.put(written.clone().with("done", true), condition.clone()).await;
        assert_eq!(outcome.is_ok(), holds, "{condition:?}: {outcome:?}");
    }
}

/// Names of keys, reserved words, punctuation and other scripts.
pub async fn field_names_that_mean_something_to_a_store_are_plain_names(fixture: &Fixture) {
    let names = ["pk", "sk", "_pk", "expires_at", "_expires_at", "_format", "size", "a.b", "#a", ":a", "दर", "a b"];
    let mut written = record(&fresh_partition(), "a");
    for name in names {
        written = written.with(name, name);
    }
    fixture.store.put(written.clone(), Condition::Always).await.unwrap();
    assert_eq!(fixture.store.get(&written.key).await.unwrap(), Some(written.clone()));

    for name in names {
        let change = Update::new().set(name, "changed");
        let after = fixture.store.update(&written.key, change, Condition::equals(name, name)).await.unwrap();
        assert_eq!(after.text(name), Some("changed"), "{name}");
    }
    assert!(fixture.store.get(&written.key).await.unwrap().unwrap().expires_at.is_none());
}
