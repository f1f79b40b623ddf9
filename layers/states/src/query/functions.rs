//! What both languages have: hashes, ranges and partitions.

use md5::Md5;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The most items that a range has, which is the limit of Step Functions.
pub(super) const MAX_RANGE: i64 = 1000;

/// The digest of a text in UTF-8, in lower-case hexadecimal.
pub(super) fn hash(data: &str, algorithm: &str) -> Result<String, String> {
    Ok(match algorithm {
        "MD5" => hexadecimal(&Md5::digest(data)),
        "SHA-1" => hexadecimal(&Sha1::digest(data)),
        "SHA-256" => hexadecimal(&Sha256::digest(data)),
        "SHA-384" => hexadecimal(&Sha384::digest(data)),
        "SHA-512" => hexadecimal(&Sha512::digest(data)),
        other => return Err(format!("`{other}` is not one of MD5, SHA-1, SHA-256, SHA-384 and SHA-512")),
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The numbers from `first` to `last`, both included, by `step`.
pub(super) fn range(first: i64, last: i64, step: i64) -> Result<Value, String> {
    if step == 0 {
        return Err("the step of a range cannot be 0".to_owned());
    }
    let width = last.checked_sub(first).ok_or_else(|| "the range is too wide".to_owned())?;
    let count = width.checked_div(step).unwrap_or(-1);
    if width.signum() * step.signum() < 0 {
        return Ok(Value::Array(Vec::new()));
    }
    if count >= MAX_RANGE {
        return Err(format!("the range has more than {MAX_RANGE} items"));
    }
    Ok((0..=count).map(|index| Value::from(first + index * step)).collect())
}

/// The items in arrays of `size`; the last one may be shorter.
pub(super) fn partition(items: &[Value], size: i64) -> Result<Value, String> {
    let size = usize::try_from(size).ok().filter(|size| *size > 0);
    let size = size.ok_or_else(|| "the size of a part has to be at least 1".to_owned())?;
    Ok(items.chunks(size).map(|part| Value::Array(part.to_vec())).collect())
}
