//! Every fault of a definition is told, with its place.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_states::definition::{Severity, check};
use serde_json::{Value, json};

/// The faults of a definition: pointer and message.
fn faults(definition: &Value) -> Vec<(Severity, String, String)> {
    let text = serde_json::to_string_pretty(definition).unwrap();
    check(&text).into_iter().map(|fault| (fault.severity, fault.pointer, fault.message)).collect()
}

fn pass() -> Value {
    json!({"Type": "Pass", "End": true})
}

fn one(state: &Value) -> Value {
    json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": state, "B": pass()}})
}

fn one_in_jsonpath(state: &Value) -> Value {
    json!({"StartAt": "A", "States": {"A": state, "B": pass()}})
}

/// Each has one error, at this pointer, with this part of its message.
#[test]
fn given_one_fault_then_it_is_told_once_at_its_place() {
    let task = |fields: Value| {
        let mut state = json!({"Type": "Task", "Resource": "r", "Next": "B"});
        state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        state
    };
    let choice = |rule: Value| json!({"Type": "Choice", "Choices": [rule], "Default": "B"});
    let map = |fields: Value| {
        let mut state = json!({"Type": "Map", "Next": "B",
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {"I": pass()}}});
        state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        state
    };
    let reader = |config: Value| json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Arguments": {"Bucket": "b", "Key": "k"}, "ReaderConfig": config}});
    let cases = [
        (json!([]), "", "an object is needed"),
        (json!({"States": {"A": pass()}}), "", "`StartAt` is missing"),
        (json!({"StartAt": "A"}), "", "`States` is missing"),
        (json!({"StartAt": "A", "States": {"A": pass()}, "Startat": 1}), "/Startat", "no field `Startat`"),
        (json!({"StartAt": "A", "States": {"A": pass()}, "Version": "2"}), "/Version", "only version"),
        (json!({"StartAt": "A", "States": {"A": pass()}, "TimeoutSeconds": 0}), "/TimeoutSeconds", "whole number"),
        (json!({"StartAt": "A", "States": {"A": pass()}, "QueryLanguage": "JMESPath"}), "/QueryLanguage", "JSONata"),
        (json!({"StartAt": "A", "States": {"A": {"Type": "Nap", "End": true}}}), "/States/A/Type", "no type `Nap`"),
        (json!({"StartAt": "A", "States": {"A": {"Type": "Pass"}}}), "/States/A", "neither `Next` nor"),
        (
            json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A", "End": true}}}),
            "/States/A",
            "both `Next` and `End`",
        ),
        (json!({"StartAt": "A", "States": {"A": pass(), "Z": pass()}}), "/States/Z", "cannot be reached"),
        (one(&json!({"Type": "Pass", "Next": "B", "Parameters": {}})), "/States/A/Parameters", "field of JSONPath"),
        (one_in_jsonpath(&json!({"Type": "Pass", "Next": "B", "Output": 1})), "/States/A/Output", "field of JSONata"),
        (one(&json!({"Type": "Pass", "Next": "B", "Retry": []})), "/States/A/Retry", "a Pass state has no field"),
        (
            one(&json!({"Type": "Pass", "Next": "B", "QueryLanguage": "JSONPath"})),
            "/States/A/QueryLanguage",
            "no states in JSONPath",
        ),
        (one(&json!({"Type": "Pass", "Next": "B", "Output": "{% 1 + %}"})), "/States/A/Output", "cannot be used"),
        (
            one(&json!({"Type": "Pass", "Next": "B", "Output": {"a": ["{% $eval('1') %}"]}})),
            "/States/A/Output/a/0",
            "$parse",
        ),
        (one(&json!({"Type": "Pass", "Next": "B", "Output": "{% x %}"})), "/States/A/Output", "refers to nothing"),
        (
            one(&json!({"Type": "Pass", "Next": "B", "Output": " {% 1 %}"})),
            "/States/A/Output",
            "without anything before",
        ),
        (
            one(&json!({"Type": "Pass", "Next": "B", "Output": "{% $states.result %}"})),
            "/States/A/Output",
            "no result yet",
        ),
        (one(&task(json!({"Arguments": "{% $states.result %}"}))), "/States/A/Arguments", "no result yet"),
        (one(&task(json!({"Output": "{% $states.errorOutput %}"}))), "/States/A/Output", "in a catcher only"),
        (
            one(&json!({"Type": "Pass", "Next": "B", "Output": {"a.$": "$.x"}})),
            "/States/A/Output/a.$",
            "belongs to JSONPath",
        ),
        (
            one(&json!({"Type": "Pass", "Next": "B", "Assign": {"states": 1}})),
            "/States/A/Assign/states",
            "`states` is taken",
        ),
        (
            one_in_jsonpath(&json!({"Type": "Pass", "Next": "B", "InputPath": "x"})),
            "/States/A/InputPath",
            "begin with `$`",
        ),
        (
            one_in_jsonpath(&json!({"Type": "Pass", "Next": "B", "InputPath": "$.a["})),
            "/States/A/InputPath",
            "closing bracket",
        ),
        (
            one_in_jsonpath(&json!({"Type": "Pass", "Next": "B", "ResultPath": "$.a[*]"})),
            "/States/A/ResultPath",
            "not a reference path",
        ),
        (
            one_in_jsonpath(&json!({"Type": "Pass", "Next": "B", "Parameters": {"a.$": "States.Nothing()"}})),
            "/States/A/Parameters/a.$",
            "no function",
        ),
        (
            one_in_jsonpath(&json!({"Type": "Pass", "Next": "B", "Parameters": {"a.$": "States.MathAdd(1)"}})),
            "/States/A/Parameters/a.$",
            "does not take 1",
        ),
        (
            one_in_jsonpath(&json!({"Type": "Pass", "Next": "B", "Parameters": {"a.$": 5}})),
            "/States/A/Parameters/a.$",
            "as a text",
        ),
        (
            one_in_jsonpath(&json!({"Type": "Pass", "Next": "B", "Parameters": {"a": 1, "a.$": "$"}})),
            "/States/A/Parameters/a.$",
            "twice",
        ),
        (
            one(&json!({"Type": "Choice", "Choices": [{"Condition": true, "Next": "C"}], "Default": "B"})),
            "/States/A/Choices/0/Next",
            "no state `C`",
        ),
        (one(&task(json!({"TimeoutSeconds": 5, "HeartbeatSeconds": 5}))), "/States/A/HeartbeatSeconds", "smaller"),
        (one(&task(json!({"TimeoutSeconds": -1}))), "/States/A/TimeoutSeconds", "not negative"),
        (
            one_in_jsonpath(&task(json!({"TimeoutSeconds": 1, "TimeoutSecondsPath": "$.t"}))),
            "/States/A/TimeoutSecondsPath",
            "both",
        ),
        (one(&task(json!({"Retry": [{}]}))), "/States/A/Retry/0", "`ErrorEquals` is missing"),
        (
            one(&task(json!({"Retry": [{"ErrorEquals": ["States.Nope"]}]}))),
            "/States/A/Retry/0/ErrorEquals/0",
            "reserved",
        ),
        (
            one(&task(json!({"Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["X"]}]}))),
            "/States/A/Retry/0/ErrorEquals",
            "stand alone",
        ),
        (
            one(&task(json!({"Retry": [{"ErrorEquals": ["X"], "MaxAttempts": 1.5}]}))),
            "/States/A/Retry/0/MaxAttempts",
            "whole number",
        ),
        (
            one(&task(json!({"Retry": [{"ErrorEquals": ["X"], "BackoffRate": 0.5}]}))),
            "/States/A/Retry/0/BackoffRate",
            "at least 1",
        ),
        (
            one(&task(json!({"Retry": [{"ErrorEquals": ["X"], "IntervalSeconds": 5, "MaxDelaySeconds": 5}]}))),
            "/States/A/Retry/0/MaxDelaySeconds",
            "larger",
        ),
        (
            one(&task(json!({"Retry": [{"ErrorEquals": ["X"], "JitterStrategy": "SOME"}]}))),
            "/States/A/Retry/0/JitterStrategy",
            "FULL",
        ),
        (one(&task(json!({"Catch": [{"ErrorEquals": ["X"], "Next": "N"}]}))), "/States/A/Catch/0/Next", "no state `N`"),
        (
            one(&task(json!({"Catch": [{"ErrorEquals": ["X"], "Next": "B", "ResultPath": "$.e"}]}))),
            "/States/A/Catch/0/ResultPath",
            "no field",
        ),
        (one(&choice(json!({"Next": "B"}))), "/States/A/Choices/0", "`Condition` is missing"),
        (one(&choice(json!({"Condition": "yes", "Next": "B"}))), "/States/A/Choices/0/Condition", "expression"),
        (one_in_jsonpath(&choice(json!({"Variable": "$.a", "Next": "B"}))), "/States/A/Choices/0", "has one operator"),
        (
            one_in_jsonpath(&choice(json!({"Variable": "$.a", "NumericEqual": 1, "Next": "B"}))),
            "/States/A/Choices/0/NumericEqual",
            "no operator",
        ),
        (
            one_in_jsonpath(&choice(json!({"Variable": "$.a", "NumericEquals": "1", "Next": "B"}))),
            "/States/A/Choices/0/NumericEquals",
            "compares with a number",
        ),
        (
            one_in_jsonpath(&choice(json!({"Not": {"Variable": "$.a", "IsNull": true, "Next": "B"}, "Next": "B"}))),
            "/States/A/Choices/0/Not/Next",
            "belongs to the rule",
        ),
        (one(&json!({"Type": "Wait", "Next": "B"})), "/States/A", "one of Seconds"),
        (one(&json!({"Type": "Wait", "Next": "B", "Timestamp": "tomorrow"})), "/States/A/Timestamp", "RFC 3339"),
        (one(&json!({"Type": "Parallel", "Next": "B", "Branches": []})), "/States/A/Branches", "at least one"),
        (
            one(&json!({"Type": "Parallel", "Next": "B", "Branches": [{"StartAt": "B", "States": {"B": pass()}}]})),
            "/States/A/Branches/0/States/B",
            "taken by",
        ),
        (
            one(&json!({"Type": "Parallel", "Next": "B", "Branches": [{"StartAt": "C", "States": {"D": pass(),
            "C": {"Type": "Choice", "Choices": [{"Condition": true, "Next": "B"}], "Default": "D"}}}]})),
            "/States/A/Branches/0/States/C/Choices/0/Next",
            "its own graph",
        ),
        (
            one(&map(json!({"ItemProcessor": {"StartAt": "I", "States": {"I": pass()}}, "Label": "x"}))),
            "/States/A/Label",
            "DISTRIBUTED",
        ),
        (one(&map(json!({"ItemBatcher": {}}))), "/States/A/ItemBatcher", "MaxItemsPerBatch"),
        (one(&map(reader(json!({})))), "/States/A/ItemReader/ReaderConfig", "`InputType` is missing"),
        (
            one(&map(reader(json!({"InputType": "XML"})))),
            "/States/A/ItemReader/ReaderConfig/InputType",
            "cannot be read",
        ),
        (
            one(&map(reader(json!({"InputType": "CSV"})))),
            "/States/A/ItemReader/ReaderConfig",
            "`CSVHeaderLocation` is missing",
        ),
        (
            one(&map(json!({"ResultWriter": {"Resource": "arn:aws:states:::s3:putObject"}}))),
            "/States/A/ResultWriter",
            "does not say where",
        ),
    ];
    let mut wrong = Vec::new();
    for (definition, pointer, part) in &cases {
        let found = faults(definition);
        let errors: Vec<_> = found.iter().filter(|fault| fault.0 == Severity::Error).collect();
        let as_expected = matches!(errors.as_slice(), [(_, at, message)] if at == pointer && message.contains(part));
        // A state that cannot be read leaves the rest unread; what else is told must then be of other places.
        if !as_expected {
            wrong.push(format!("{definition}\n  expected {pointer}: {part}\n  found {errors:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn given_several_faults_then_all_are_told_in_the_order_of_lines() {
    let text = "{\n \"StartAt\": \"X\",\n \"States\": {\n  \"A\": {\"Type\": \"Pass\", \"Nxt\": 1, \"End\": true},\n  \"A\": {\"Type\": \"Wait\", \"Seconds\": \"a\",\n   \"Next\": \"Q\"}\n }\n}";
    let lines: Vec<u32> = check(text).iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [2, 5, 5], "{:#?}", check(text));
}

#[test]
fn given_what_may_go_wrong_then_it_is_a_warning() {
    let warnings = |definition: Value| {
        let found = faults(&definition);
        assert!(found.iter().all(|fault| fault.0 == Severity::Warning), "{found:?}");
        found.into_iter().map(|(_, pointer, message)| format!("{pointer}: {message}")).collect::<Vec<_>>()
    };
    let rule = json!({"Condition": "{% true %}", "Next": "B"});
    let without_default = warnings(one(&json!({"Type": "Choice", "Choices": [rule]})));
    assert!(without_default[0].contains("States.NoChoiceMatched"), "{without_default:?}");
    let unknown = warnings(one(&json!({"Type": "Pass", "Output": "{% $nobody %}", "Next": "B"})));
    assert!(unknown[0].contains("nothing assigns the variable `$nobody`"), "{unknown:?}");
    let round = json!({"StartAt": "A", "States": {
        "A": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "R"}], "Default": "E"},
        "R": {"Type": "Pass", "Next": "S"}, "S": {"Type": "Pass", "Next": "R"}, "E": pass()}});
    assert_eq!(warnings(round).len(), 2);
}

#[test]
fn given_a_variable_of_an_outer_scope_then_an_inner_scope_may_not_assign_it() {
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "Assign": {"x": 2}, "End": true}}});
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "P"},
        "P": {"Type": "Parallel", "Branches": [inner], "End": true}}});
    let found = faults(&definition);
    assert!(found.len() == 1 && found[0].1 == "/States/P/Branches/0/States/I/Assign", "{found:?}");
}

#[test]
fn given_what_is_not_json_then_the_line_is_told() {
    let found = check("{\n \"StartAt\": \"A\",\n \"States\": {,}\n}");
    assert_eq!((found.len(), found[0].line), (1, 3));
}
