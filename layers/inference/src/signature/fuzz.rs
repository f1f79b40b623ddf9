//! Rows that were changed at random: they are read, and every fault names a column. Nothing may panic.
//!
//! `MANDI_FUZZ_SECONDS` says for how long (5 by default), `MANDI_FUZZ_SEED` where to begin.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Map, Value as Json, json};

use super::Signature;

fn signature() -> Signature {
    let feature = |name: &str, more: Json| {
        let mut feature = json!({"name": name, "type": "number", "input": "x", "column": 0});
        feature.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        feature
    };
    let inputs = json!([
        feature("price", json!({"range": {"min": 0, "max": 1e6}})),
        feature("count", json!({"type": "integer", "missing": "default", "default": 3})),
        feature("grade", json!({"type": "string", "categories": ["A", "B", "क"]})),
        feature("paid", json!({"type": "boolean", "missing": "nan"})),
        feature("seen", json!({"type": "timestamp"})),
        feature("image", json!({"shape": [2, 2]})),
    ]);
    serde_json::from_value(json!({"inputs": inputs, "outputs": []})).unwrap()
}

fn odd(random: &mut StdRng) -> Json {
    let deep = || (0..100).fold(json!(1), |inner, _| json!([inner]));
    [
        json!(null),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(-0.0),
        json!(1e308),
        json!("x".repeat(10_000)),
        json!("\u{0}\u{202e}क्षि"),
        json!("2026-13-45T99:99:99Z"),
        json!("+999999999-01-01T00:00:00Z"),
        json!([[1, 2], [3]]),
        json!([[f64::MAX, 2], [3, 4]]),
        json!({"price": 1}),
        deep(),
    ]
    .choose(random)
    .unwrap()
    .clone()
}

#[test]
fn given_changed_rows_when_they_are_read_then_nothing_panics_and_each_fault_names_a_column() {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let until = Instant::now() + Duration::from_secs(number("MANDI_FUZZ_SECONDS", 5));
    let signature = signature();
    let good = json!({"price": 10.5, "count": 2, "grade": "A", "paid": true, "seen": "2026-11-21T09:30:00Z",
                      "image": [[1, 2], [3, 4]]});
    assert!(signature.read_row(good.as_object().unwrap()).is_ok());
    let mut seed = number("MANDI_FUZZ_SEED", 1);
    while Instant::now() < until {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut row: Map<String, Json> = good.as_object().unwrap().clone();
        let names: Vec<String> = row.keys().cloned().collect();
        for _ in 0..random.random_range(1..4) {
            let name = names.choose(random).unwrap();
            match random.random_range(0..4) {
                0 => drop(row.remove(name)),
                1 => drop(row.insert(format!("{name}~/\"{seed}"), odd(random))),
                _ => drop(row.insert(name.clone(), odd(random))),
            }
        }
        if let Err(faults) = signature.read_row(&row) {
            assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.detail.is_empty()), "seed {seed}");
            // What a fault shows of a value is cut off.
            assert!(faults.iter().all(|fault| fault.detail.len() < 2_000), "seed {seed}: {faults:?}");
        }
        seed += 1;
    }
}
