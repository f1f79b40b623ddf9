//! The GGUF file: opening it, and saying what is wrong with it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};
use mandi_core::ports::ModelError;

/// Checks that a model file is there and whole, without loading its weights: the header reads, and the file
/// is long enough for every tensor that the header names.
///
/// # Errors
/// [`ModelError::Broken`] with the reason and the way out.
pub fn check(path: &Path) -> Result<(), ModelError> {
    open(path).map(|_| ())
}

/// Opens and checks a file.
pub(super) fn open(path: &Path) -> Result<(Content, BufReader<File>), ModelError> {
    let file = File::open(path).map_err(|error| broken(path, &error.to_string()))?;
    let length = file.metadata().map_err(|error| broken(path, &error.to_string()))?.len();
    let mut reader = BufReader::new(file);
    let content =
        Content::read(&mut reader).map_err(|error| broken(path, &format!("it is not a whole GGUF file ({error})")))?;
    for (name, info) in &content.tensor_infos {
        let blocks = info.shape.elem_count() / info.ggml_dtype.block_size();
        let size = (blocks * info.ggml_dtype.type_size()) as u64;
        let end = content.tensor_data_offset.saturating_add(info.offset).saturating_add(size);
        if end > length {
            return Err(broken(path, &format!("it is cut off: `{name}` ends at byte {end} of {length}")));
        }
    }
    Ok((content, reader))
}

/// The error of a file that cannot be used.
pub(super) fn broken(path: &Path, why: &str) -> ModelError {
    ModelError::Broken(format!(
        "model file `{}`: {why}; `mandi doctor` says how to fetch it again, or set MANDI_PROVIDER to another provider",
        path.display()
    ))
}

/// The metadata of a file, by key.
pub(super) fn metadata<'a>(content: &'a Content, key: &str) -> candle_core::Result<&'a Value> {
    content.metadata.get(key).ok_or_else(|| candle_core::Error::Msg(format!("it lacks `{key}`")))
}

/// A count from the metadata.
pub(super) fn count(content: &Content, key: &str) -> candle_core::Result<usize> {
    Ok(metadata(content, key)?.to_u32()? as usize)
}

/// A list of texts from the metadata.
pub(super) fn texts<'a>(content: &'a Content, key: &str) -> candle_core::Result<Vec<&'a str>> {
    metadata(content, key)?.to_vec()?.iter().map(|value| value.to_string().map(String::as_str)).collect()
}
