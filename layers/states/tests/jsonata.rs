//! Our JSONata beside the reference implementation, npm's `jsonata` 2.0.6 (the version that Step Functions implements).
//! `fixtures/jsonata/expected.mjs` made the expected values. `docs/states.md` lists the differences.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use mandi_core::Timestamp;
use mandi_states::query::{Expression, Limits, Scope, SeededRandom, Variables};
use serde_json::{Value, json};

/// What differs from the reference on purpose or by the library, with the reason.
const DIFFERENCES: &[(&str, &str)] = &[
    ("1e300 * 1e10", "the reference gives Infinity, which is no JSON; here it is an error"),
    ("$match(\"abc\", /(a)(x)?/)", "a group that took no part is left out; the reference has it as null"),
    ("$number(\" 5 \")", "spaces around a number are accepted"),
    ("$reduce([], function($a,$b){ $a + $b })", "null, where the reference gives nothing"),
    ("$d.o.b.c[0..1]", "a range without brackets of its own is accepted as an index"),
];

fn evaluate(source: &str, within: &Limits) -> Result<Value, String> {
    let data: Value = serde_json::from_str(include_str!("fixtures/jsonata/data.json")).unwrap();
    let variables: Variables =
        BTreeMap::from([("d".to_owned(), Arc::new(data.clone())), ("v".to_owned(), Arc::new(json!(2)))]);
    let context = json!({ "Execution": { "Name": "exec-1" } });
    let random = SeededRandom::new(1);
    let scope = Scope {
        input: &data,
        result: None,
        error_output: None,
        context: &context,
        variables: &variables,
        now: Timestamp::from_unix_ms(1_795_254_600_000),
        random: &random,
    };
    Expression::parse(source).map_err(|why| format!("refused: {why}"))?.evaluate_within(&scope, within)
}

/// Equal, with numbers to 1e-14 of their size: JavaScript and the library round some powers differently.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            (one - other).abs() <= 1e-14 * one.abs().max(other.abs())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|found| same(value, found)))
        }
        _ => one == other,
    }
}

#[test]
fn given_the_expressions_of_the_reference_then_values_and_failures_are_the_same() {
    let mut found = Vec::new();
    let mut compared = 0;
    for line in include_str!("fixtures/jsonata/expected.jsonl").lines() {
        let case: Vec<Value> = serde_json::from_str(line).unwrap();
        let source = case[0].as_str().unwrap();
        compared += 1;
        let ours = evaluate(source, &Limits::STANDARD);
        let agrees = match (case.get(2), &ours) {
            (None, Ok(value)) => same(&case[1], value),
            (Some(_), Err(_)) => true,
            _ => false,
        };
        let listed = DIFFERENCES.iter().any(|(expression, _)| *expression == source);
        if agrees == listed {
            found.push(format!("{source}\n    reference {}\n    ours      {ours:?}", json!(&case[1..])));
        }
    }
    assert!(compared >= 300, "{compared} expressions");
    assert!(
        found.is_empty(),
        "{} of {compared} expressions differ (or are listed and do not):\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn given_what_step_functions_forbids_then_it_is_refused_when_read() {
    for source in [
        "$eval('1')",
        "$map(['1'], $eval)",
        "$",
        "$$",
        "name",
        "name.x",
        "*",
        "**",
        "$.a",
        "1 ?? 2",
        "1 ?: 2",
        "[a]",
        "{'x': y}",
    ] {
        assert!(evaluate(source, &Limits::STANDARD).is_err_and(|why| why.starts_with("refused")), "{source}");
    }
    for source in [
        "$map([1], function($x){ $x })",
        "[1].$",
        "$d.Account.($.Name)",
        "$states.input.nums[$ > 1]",
        "$d{'k': Account.Name}",
    ] {
        let ours = evaluate(source, &Limits::STANDARD);
        assert!(ours.is_ok(), "{source}: {ours:?}");
    }
}

#[test]
fn given_the_functions_that_step_functions_adds_then_they_give_what_the_guide_says() {
    for (source, expected) in [
        ("$partition([1..4], 3)", json!([[1, 2, 3], [4]])),
        ("$partition($nope, 3) ~> $exists", json!(false)),
        ("$range(0, 10, 2)", json!([0, 2, 4, 6, 8, 10])),
        ("$range(3, 0, -1)", json!([3, 2, 1, 0])),
        ("$range(0, 1, 0.25)", json!([0, 0.25, 0.5, 0.75, 1])),
        ("$range(1, 0, 1)", json!([])),
        ("$hash('input data', 'SHA-1')", json!("aaff4a450a104cd177d28d18d74485e8cae074b7")),
        ("$hash('abc', 'MD5')", json!("900150983cd24fb0d6963f7d28e17f72")),
        ("$hash('abc', 'SHA-256')", json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")),
        ("$length($hash('abc', 'SHA-384'))", json!(96)),
        ("$length($hash('abc', 'SHA-512'))", json!(128)),
        ("$parse('{\"a\": [1, null]}').a[0]", json!(1)),
        ("$parse('[1,2]')", json!([1, 2])),
        ("$random(42) = $random(42)", json!(true)),
        ("$match($uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/).index", json!(0)),
        ("$uuid() = $uuid()", json!(false)),
        ("$now()", json!("2026-11-21T09:50:00.000Z")),
        ("$now('[Y0001]/[M01]')", json!("2026/11")),
        ("$millis()", json!(1_795_254_600_000_i64)),
    ] {
        let ours = evaluate(source, &Limits::STANDARD).unwrap_or_else(|why| panic!("{source}: {why}"));
        assert!(same(&ours, &expected), "{source}: {ours}");
    }
    for source in [
        "$range(0, 5000, 1)",
        "$range(0, 1, 0)",
        "$partition([1], 0)",
        "$hash('a', 'CRC32')",
        "$parse('{')",
        "$random('x')",
    ] {
        assert!(evaluate(source, &Limits::STANDARD).is_err(), "{source}");
    }
}

#[test]
fn given_an_expression_that_asks_for_too_much_then_it_ends_soon_with_an_error() {
    let limits = Limits { time_ms: 500, ..Limits::STANDARD };
    for source in [
        "($f := function(){ $f() }; $f())",
        "($f := function($n){ 1 + $f($n + 1) }; $f(0))",
        "($f := function($s, $n){ $n = 0 ? $s : $f($s & $s, $n - 1) }; $length($f('x', 60)))",
        "$length($pad('x', 4000000000))",
        "$map([4000000000], $pad('x', ?))",
        "$length($pad('x', -4000000000, 'ab'))",
        "($a := [1..100000]; $length($join($map($a, $string), $pad('', 100000, 'x'))))",
        "($s := $pad('', 200000, 'x'); $length($replace($s, 'x', $s)))",
        "($r := $reduce([1..60], function($a, $i){ [[$a, $a]] }, 'x'); $length($string($r)))",
        "($r := $reduce([1..60], function($a, $i){ {'l': $a, 'r': $a} }, 'x'); $r)",
        "($s := $pad('', 200000, 'x'); $count($map([1..100000], function($i){ $s & $i })))",
        "($s := $pad('', 200000, 'x'); $count($map([1..100000].($s), $uppercase)))",
        "$length($formatInteger(19991e9, 'I'))",
        "$map([19991e9], $formatInteger(?, 'i'))",
        "[1..10000000]",
        "$count([1..262144].([1..262144]))",
        "$reduce([1..60], $append, [1]) ~> $map(function($x){ [1..200000] })",
        "$match($pad('', 200000, 'a'), /(a*)*b/)",
        "($f := function($n){ $map([1..10], function($x){ $f($n + 1) }) }; $f(0))",
    ] {
        let begun = std::time::Instant::now();
        let ours = evaluate(source, &limits);
        assert!(begun.elapsed().as_millis() < 5_000, "{source} took {:?}", begun.elapsed());
        if !source.starts_with("$match") && !source.starts_with("$reduce") {
            assert!(ours.is_err(), "{source}: it gave a value");
        }
    }
}

#[test]
fn given_an_expression_that_is_nested_deep_then_reading_it_does_not_fail_the_process() {
    for (open, close) in
        [("(", ")"), ("[", "]"), ("-", ""), ("{\"a\":", "}"), ("$f(", ")"), ("1+", "1"), ("function($x){", "}")]
    {
        for depth in [10, 100, 1_000, 10_000] {
            let source = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            drop(evaluate(&source, &Limits::STANDARD));
        }
    }
}
