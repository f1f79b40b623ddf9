//! Files that are refused.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use tract_onnx::pb::{
    AttributeProto, GraphProto, NodeProto, OperatorSetIdProto, TensorProto, TypeProto, ValueInfoProto, type_proto,
};

use super::*;
use crate::onnx::value::{Array, RunFault};

#[test]
fn given_nodes_that_wait_for_one_another_when_they_are_read_then_one_of_them_is_named() {
    let node = |name: &str, input: &str, output: &str| NodeProto {
        name: name.to_owned(),
        op_type: "Binarizer".to_owned(),
        domain: "ai.onnx.ml".to_owned(),
        input: vec![input.to_owned()],
        output: vec![output.to_owned()],
        ..NodeProto::default()
    };
    let graph = GraphProto { node: vec![node("one", "b", "a"), node("two", "a", "b")], ..GraphProto::default() };
    let model = ModelProto { graph: Some(graph), ..ModelProto::default() };
    let fault = Model::parse(&prost::Message::encode_to_vec(&model)).unwrap_err();
    assert_eq!(fault.to_string(), "node `one` needs `b`, which nothing before it makes");
}

#[test]
fn given_an_operator_that_is_not_here_when_a_file_is_read_then_it_is_named_with_domain_version_and_node() {
    let node = NodeProto { op_type: "Warp".to_owned(), domain: "com.example".to_owned(), ..NodeProto::default() };
    let graph = GraphProto { node: vec![node], ..GraphProto::default() };
    let version = OperatorSetIdProto { domain: "com.example".to_owned(), version: 3 };
    let model = ModelProto { graph: Some(graph), opset_import: vec![version], ..ModelProto::default() };
    let fault = Model::parse(&prost::Message::encode_to_vec(&model)).unwrap_err();
    assert_eq!(fault.to_string(), "operator `Warp` of `com.example` version 3 is not supported (node number 0)");
}

/// A node of the standard domain, or of `ai.onnx.ml` when its operator is there.
fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        name: output.to_owned(),
        op_type: operator.to_owned(),
        domain: if operator.starts_with("Tree") { "ai.onnx.ml".to_owned() } else { String::new() },
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        ..NodeProto::default()
    }
}

fn ints(name: &str, values: &[i64]) -> TensorProto {
    let dims = vec![i64::try_from(values.len()).unwrap()];
    TensorProto { name: name.to_owned(), data_type: 7, dims, int64_data: values.to_vec(), ..TensorProto::default() }
}

/// A file with one input `x` of 32-bit floats, whose last node makes its output.
fn file(node: Vec<NodeProto>, initializer: Vec<TensorProto>) -> Vec<u8> {
    let tensor = type_proto::Tensor { elem_type: 1, shape: None };
    let r#type = Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() });
    let named = |name: &str| ValueInfoProto { name: name.to_owned(), ..ValueInfoProto::default() };
    let output = node.last().map(|node| named(&node.output[0])).into_iter().collect();
    let input = vec![ValueInfoProto { r#type, ..named("x") }];
    let graph = GraphProto { node, initializer, input, output, ..GraphProto::default() };
    let version = |domain: &str, version| OperatorSetIdProto { domain: domain.to_owned(), version };
    let opset_import = vec![version("", 17), version("ai.onnx.ml", 3)];
    let model = ModelProto { graph: Some(graph), opset_import, ..ModelProto::default() };
    prost::Message::encode_to_vec(&model)
}

fn of_x(shape: &[usize]) -> HashMap<String, Value> {
    let data = vec![1.0; shape.iter().product()];
    HashMap::from([("x".to_owned(), Value::from(Array { shape: shape.to_vec(), data }))])
}

#[test]
fn given_operators_that_make_much_of_little_when_they_are_run_then_they_are_refused_before_memory_is_taken() {
    let sizes = || ints("sizes", &[1 << 20, 1 << 20]);
    let add = |attributes: &[(&str, i64)], mut node: NodeProto| {
        let attribute =
            |(name, i): &(&str, i64)| AttributeProto { name: (*name).to_owned(), i: *i, ..AttributeProto::default() };
        node.attribute = attributes.iter().map(attribute).collect();
        node
    };
    let doubled = |count: usize| {
        let name = |place: usize| if place == 0 { "x".to_owned() } else { format!("x{place}") };
        let double = |place| add(&[("axis", 0)], node("Concat", &[&name(place), &name(place)], &name(place + 1)));
        (0..count).map(double).collect::<Vec<_>>()
    };
    let float = |name: &str, value: f32| TensorProto {
        float_data: vec![value],
        data_type: 1,
        name: name.to_owned(),
        ..TensorProto::default()
    };
    for (nodes, constants) in [
        (vec![node("Expand", &["x", "sizes"], "y")], vec![sizes()]),
        (vec![node("Tile", &["x", "sizes"], "y")], vec![sizes()]),
        (vec![node("ConstantOfShape", &["sizes"], "y")], vec![sizes()]),
        (vec![node("ConstantOfShape", &["sizes"], "y")], vec![ints("sizes", &[1 << 62, 1 << 62, 0])]),
        (
            vec![node("OneHot", &["x", "depth", "values"], "y")],
            vec![ints("depth", &[1 << 40]), ints("values", &[0, 1])],
        ),
        (vec![node("Pad", &["x", "pads"], "y")], vec![ints("pads", &[0, 0, 1 << 40, 0])]),
        (
            vec![node("Range", &["zero", "end", "one"], "y")],
            vec![float("zero", 0.0), float("end", 1e12), float("one", 1.0)],
        ),
        (doubled(60), vec![]),
    ] {
        let model = Model::parse(&file(nodes, constants)).unwrap();
        let fault = model.run(of_x(&[1, 1])).unwrap_err();
        let of_size = matches!(&fault, ModelRunFault::Node { fault: RunFault::TooLarge { .. }, .. });
        assert!(of_size, "{fault}");
    }
}

#[test]
fn given_a_product_of_vectors_that_is_a_huge_matrix_when_it_is_run_then_it_is_refused() {
    let flat = node("Reshape", &["x", "row"], "wide");
    let model =
        Model::parse(&file(vec![flat, node("MatMul", &["x", "wide"], "y")], vec![ints("row", &[1, -1])])).unwrap();
    let fault = model.run(of_x(&[20_000, 1])).unwrap_err();
    assert!(fault.to_string().contains("would make 400000000 values"), "{fault}");
}

#[test]
fn given_no_time_when_a_model_is_run_then_it_stops_and_says_so() {
    let limits = Limits { run_time: std::time::Duration::from_millis(0), ..Limits::default() };
    let model = Model::parse_within(&file(vec![node("Relu", &["x"], "y")], vec![]), &limits).unwrap();
    let fault = model.run(of_x(&[1, 1])).unwrap_err();
    assert_eq!(fault.to_string(), "node `y` (Relu) was stopped: the run may take 0 ms; send fewer rows at a time");
}

#[test]
fn given_files_beyond_the_limits_when_they_are_read_then_the_fault_says_what_is_too_large() {
    let fault = |limits: Limits, bytes: &[u8]| match Model::parse_within(bytes, &limits) {
        Err(ModelFault::TooLarge { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    let small = file(vec![node("Relu", &["x"], "y"), node("Relu", &["y"], "z")], vec![ints("list", &[1, 2, 3])]);
    let limits = Limits::default;
    assert_eq!(fault(Limits { file_bytes: 10, ..limits() }, &small), "bytes");
    assert_eq!(fault(Limits { nodes: 1, ..limits() }, &small), "nodes");
    assert_eq!(fault(Limits { parts: 5, ..limits() }, &small), "texts and messages");
    assert_eq!(fault(Limits { tensor_values: 2, ..limits() }, &small), "values in tensor `list`");
    // Empty nodes: two bytes each in the file, two hundred in memory.
    let mut bomb = vec![0x3a, 0x80, 0x89, 0x7a];
    bomb.extend([0x0a, 0].repeat(1_000_000));
    assert_eq!(fault(limits(), &bomb), "texts and messages");
}

#[test]
fn given_graphs_inside_graphs_when_they_are_too_deep_then_the_file_is_refused() {
    let mut graph = GraphProto::default();
    for _ in 0..10 {
        let attribute = AttributeProto { name: "body".to_owned(), g: Some(graph), ..AttributeProto::default() };
        let inner = NodeProto { attribute: vec![attribute], ..node("If", &[], "y") };
        graph = GraphProto { node: vec![inner], ..GraphProto::default() };
    }
    let model = ModelProto { graph: Some(graph), ..ModelProto::default() };
    let fault = Model::parse(&prost::Message::encode_to_vec(&model)).unwrap_err();
    assert_eq!(fault.to_string(), "the file has 9 graphs inside one another, and 8 are allowed");
}

#[test]
fn given_values_in_another_file_or_sizes_that_overflow_when_a_file_is_read_then_it_is_refused() {
    let external = TensorProto { data_location: Some(1), ..ints("list", &[1]) };
    let fault = Model::parse(&file(vec![node("Relu", &["x"], "y")], vec![external])).unwrap_err();
    assert_eq!(fault.to_string(), "tensor `list` has its values in another file; save the model as one file");
    let huge = TensorProto { dims: vec![1 << 40, 1 << 40], ..ints("list", &[1]) };
    let fault = Model::parse(&file(vec![node("Relu", &["x"], "y")], vec![huge])).unwrap_err();
    assert_eq!(fault.to_string(), "tensor `list` has the dimensions [1099511627776, 1099511627776]");
}

/// A regressor of one tree with two nodes of the same kind, which lead to these.
fn tree(feature: i64, to: [i64; 2]) -> Vec<u8> {
    let list = |name: &str, ints: &[i64]| AttributeProto {
        name: name.to_owned(),
        ints: ints.to_vec(),
        ..AttributeProto::default()
    };
    let modes = ["BRANCH_LEQ", "LEAF", "LEAF"].map(|mode| mode.as_bytes().to_vec()).to_vec();
    let attribute = vec![
        list("nodes_treeids", &[0; 3]),
        list("nodes_nodeids", &[0, 1, 2]),
        list("nodes_featureids", &[feature, 0, 0]),
        list("nodes_truenodeids", &[to[0], 0, 0]),
        list("nodes_falsenodeids", &[to[1], 0, 0]),
        AttributeProto { name: "nodes_modes".to_owned(), strings: modes, ..AttributeProto::default() },
        AttributeProto { name: "nodes_values".to_owned(), floats: vec![0.5; 3], ..AttributeProto::default() },
        list("target_treeids", &[0, 0]),
        list("target_nodeids", &[1, 2]),
        list("target_ids", &[0, 0]),
        AttributeProto { name: "target_weights".to_owned(), floats: vec![1.0, 2.0], ..AttributeProto::default() },
    ];
    file(vec![NodeProto { attribute, ..node("TreeEnsembleRegressor", &["x"], "y") }], vec![])
}

#[test]
fn given_a_tree_that_leads_to_itself_or_outside_when_a_file_is_read_then_its_node_is_named() {
    assert!(Model::parse(&tree(0, [1, 2])).is_ok());
    for (to, reason) in [
        ([0, 2], "no root and no branch leads to node 0"),
        ([1, 9], "node 9 of tree 0, which is not there"),
        ([1, 1], ""),
    ] {
        let fault = Model::parse(&tree(0, to)).unwrap_err().to_string();
        assert!(fault.starts_with("node `y` (TreeEnsembleRegressor of `ai.onnx.ml` version 3): "), "{fault}");
        assert!(fault.contains(reason), "{fault}");
    }
}

#[test]
fn given_a_tree_that_asks_for_a_far_column_when_it_is_read_then_no_memory_is_taken_for_those_before_it() {
    let model = Model::parse(&tree((1 << 31) - 2, [1, 2])).unwrap();
    let fault = model.run(of_x(&[1, 3])).unwrap_err();
    assert!(fault.to_string().contains("takes at least 2147483647 columns"), "{fault}");
}

#[test]
fn given_an_input_of_another_type_when_a_model_is_run_then_the_input_is_named() {
    let model = Model::parse(&tree(0, [1, 2])).unwrap();
    let wrong = HashMap::from([("x".to_owned(), Value::Tensor(crate::onnx::Tensor::Int64(Array::vector(vec![1]))))]);
    let fault = model.run(wrong).unwrap_err();
    assert_eq!(fault.to_string(), "input `x` takes tensor(float), and is given tensor(int64)");
    assert_eq!(model.run(HashMap::new()).unwrap_err().to_string(), "input `x` is missing");
}
