//! What callers of one version have to know before another one answers them.

use mandi_inference::signature::{Feature, Kind, Missing, Scalar, Unknown};

use crate::model::Version;

/// Which rows that `before` takes `after` will refuse, in words.
pub(crate) fn refusals(before: &Version, after: &Version) -> Vec<String> {
    let (old, new) = (&before.signature, &after.signature);
    let (before, after) = (before.version, after.version);
    let gone = old.inputs.iter().filter(|feature| new.position(&feature.name).is_none());
    let gone = gone.map(|feature| {
        format!("version {after} has no `{}`, which version {before} takes: rows with it are refused", feature.name)
    });
    let others = new.inputs.iter().filter_map(|feature| {
        let name = &feature.name;
        let Some(earlier) = old.position(name).map(|place| &old.inputs[place]) else {
            let is_needed = feature.missing == Missing::Error;
            return is_needed.then(|| {
                format!(
                    "version {after} needs `{name}`, which version {before} does not have: rows without it are refused"
                )
            });
        };
        narrower(earlier, feature).map(|how| format!("`{name}` {how} in version {after}: rows with others are refused"))
    });
    gone.chain(others).collect()
}

/// How a feature takes less than it did, if it does.
fn narrower(before: &Feature, after: &Feature) -> Option<String> {
    let takes_all = before.kind == after.kind || (before.kind == Kind::Integer && after.kind == Kind::Number);
    if !takes_all {
        return Some(format!("is {:?} in place of {:?}", after.kind, before.kind).to_lowercase());
    }
    if let (Some(categories), Unknown::Error) = (&after.categories, after.unknown) {
        let lost = |known: &Vec<Scalar>| known.iter().any(|one| !categories.contains(one));
        if before.categories.as_ref().is_none_or(lost) {
            return Some("has fewer categories".to_owned());
        }
    }
    let range = after.range?;
    let ends = |range: mandi_inference::signature::Range| {
        (range.min.unwrap_or(f64::NEG_INFINITY), range.max.unwrap_or(f64::INFINITY))
    };
    let (least, most) = before.range.map_or((f64::NEG_INFINITY, f64::INFINITY), ends);
    let (new_least, new_most) = ends(range);
    (new_least > least || new_most < most).then(|| "has a narrower range".to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::{Value, json};

    use super::*;

    fn version(number: u32, inputs: &Value) -> Version {
        let given = json!({
            "model_id": "mdl_00000000000000000000000000000000",
            "version": number,
            "artifact": {"sha256": "", "size_bytes": 1},
            "signature": {"inputs": inputs, "outputs": []},
            "created_by": "asha",
            "created_at": "2026-11-21T09:50:00.000Z",
        });
        serde_json::from_value(given).unwrap()
    }

    fn said(before: &Value, after: &Value) -> Vec<String> {
        refusals(&version(1, before), &version(2, after))
    }

    fn feature(more: &Value) -> Value {
        let mut feature = json!({"name": "x", "type": "number", "input": "X", "column": 0});
        feature.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        feature
    }

    #[test]
    fn given_another_version_of_the_same_features_then_nothing_is_said() {
        let same = json!([feature(&json!({"range": {"min": 0.0}}))]);
        assert!(said(&same, &same).is_empty());
        assert!(said(&same, &json!([feature(&json!({}))])).is_empty(), "a wider range");
        let filled = feature(&json!({"name": "y", "missing": "default", "default": 1.0}));
        assert!(said(&same, &json!([feature(&json!({})), filled])).is_empty(), "a new feature with a default");
    }

    #[test]
    fn given_a_version_that_takes_fewer_rows_then_each_difference_is_said() {
        let wide = json!([feature(&json!({})), feature(&json!({"name": "old"}))]);
        let narrow = json!([feature(&json!({"range": {"max": 9.0}})), feature(&json!({"name": "new"}))]);
        let expected = [
            "version 2 has no `old`, which version 1 takes: rows with it are refused",
            "`x` has a narrower range in version 2: rows with others are refused",
            "version 2 needs `new`, which version 1 does not have: rows without it are refused",
        ];
        assert_eq!(said(&wide, &narrow), expected);
        let texts = json!([feature(&json!({"type": "string"}))]);
        let few = json!([feature(&json!({"type": "string", "categories": ["a"]}))]);
        assert_eq!(said(&texts, &few), ["`x` has fewer categories in version 2: rows with others are refused"]);
        let numbers = json!([feature(&json!({}))]);
        assert_eq!(
            said(&texts, &numbers),
            ["`x` is number in place of string in version 2: rows with others are refused"]
        );
    }
}
