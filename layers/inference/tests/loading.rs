//! What is said of model files that are missing or damaged.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use mandi_inference::{CrossEncoder, LoadError, LocalReranker, TextEncoder};

fn models() -> PathBuf {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.mandi/models"));
    let folder = std::env::var_os("MANDI_MODELS").map_or_else(default, PathBuf::from);
    assert!(folder.is_dir(), "the folder {} is missing: run `make models`, or set MANDI_MODELS", folder.display());
    folder
}

/// A folder with the real tokenizer and the given bytes as the file `name`.
fn folder_with(model: &str, name: &str, bytes: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(models().join(model).join("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    folder
}

fn assert_damaged(error: &LoadError, file: &Path, reason: &str) {
    assert_eq!(error.file(), file);
    assert!(matches!(error, LoadError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains(reason), "{error}");
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
}

#[test]
fn given_an_empty_folder_when_loaded_then_the_error_names_the_missing_file() {
    let folder = tempfile::tempdir().unwrap();

    let errors = [
        TextEncoder::load(folder.path()).unwrap_err(),
        CrossEncoder::load(folder.path()).unwrap_err(),
        LocalReranker::when_needed(folder.path()).unwrap_err(),
    ];

    for error in errors {
        assert!(matches!(error, LoadError::Unreadable { .. }), "{error}");
        assert_eq!(error.file(), folder.path().join("tokenizer.json"));
    }
}

#[test]
fn given_a_folder_without_weights_when_loaded_then_the_error_names_them() {
    let folder = folder_with("minilm-l6", "other", b"");

    let error = TextEncoder::load(folder.path()).unwrap_err();

    assert!(matches!(error, LoadError::Unreadable { .. }), "{error}");
    assert_eq!(error.file(), folder.path().join("model.safetensors"));
}

#[test]
fn given_weights_that_were_cut_off_when_loaded_then_the_error_says_how_many_bytes_are_expected() {
    let whole = std::fs::read(models().join("minilm-l6/model.safetensors")).unwrap();
    let folder = folder_with("minilm-l6", "model.safetensors", &whole[..whole.len() / 2]);

    let error = TextEncoder::load(folder.path()).unwrap_err();

    assert_damaged(&error, &folder.path().join("model.safetensors"), &format!("{} are expected", whole.len()));
}

#[test]
fn given_weights_that_are_no_safetensors_when_loaded_then_the_error_says_so() {
    for bytes in [vec![0xff; 100], b"<html>a page of a proxy that should not be here</html>".to_vec()] {
        let folder = folder_with("minilm-l6", "model.safetensors", &bytes);

        let error = TextEncoder::load(folder.path()).unwrap_err();

        assert_damaged(&error, &folder.path().join("model.safetensors"), "safetensors header");
    }
}

#[test]
fn given_a_tensor_of_another_shape_when_loaded_then_the_error_names_it() {
    let header = br#"{"embeddings.word_embeddings.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(&[0; 24]);
    let folder = folder_with("minilm-l6", "model.safetensors", &bytes);

    let error = TextEncoder::load(folder.path()).unwrap_err();

    assert_damaged(&error, &folder.path().join("model.safetensors"), "word_embeddings");
}

#[test]
fn given_a_tensor_whose_offsets_do_not_fit_when_loaded_then_it_is_an_error_and_no_panic() {
    let header = br#"{"embeddings.word_embeddings.weight":{"dtype":"F32","shape":[1,384],"data_offsets":[24,0]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    let folder = folder_with("minilm-l6", "model.safetensors", &bytes);

    let error = TextEncoder::load(folder.path()).unwrap_err();

    assert_eq!(error.file(), folder.path().join("model.safetensors"));
}

#[test]
fn given_a_reranker_that_was_cut_off_or_is_no_onnx_file_when_loaded_then_the_error_names_it() {
    let whole = std::fs::read(models().join("reranker/model.onnx")).unwrap();
    for bytes in [&whole[..whole.len() / 2], b"", b"<html>"] {
        let folder = folder_with("reranker", "model.onnx", bytes);

        let error = CrossEncoder::load(folder.path()).unwrap_err();

        assert_damaged(&error, &folder.path().join("model.onnx"), "damaged");
    }
}

#[test]
fn given_a_tokenizer_that_is_no_json_when_loaded_then_the_error_names_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), "{").unwrap();

    let error = TextEncoder::load(folder.path()).unwrap_err();

    assert_eq!(error.file(), folder.path().join("tokenizer.json"));
}
