//! The files of the models: whether they are there, and whole.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Finding, Verdict};

/// The models that `make models` fetches, with their checksums.
const MODELS: &str = include_str!("../../../../scripts/models.json");

#[derive(Deserialize)]
struct Listed {
    files: Vec<ListedFile>,
}

#[derive(Deserialize)]
struct ListedFile {
    name: String,
    file: String,
    size_bytes: u64,
    sha256: String,
}

/// What was found of one file.
pub(super) struct Model {
    /// Its path in the folder of the models.
    pub(super) file: String,
    pub(super) finding: Finding,
}

/// Looks at every file.
pub(super) fn look(settings: &Settings) -> Result<Vec<Model>> {
    let folder = Path::new(settings.required(settings::MODELS_DIR)?);
    let listed: Listed = serde_json::from_str(MODELS).map_err(Problem::internal)?;
    let model = |listed: ListedFile| {
        let verdict = fault(folder, &listed).map_or(Verdict::Well, Verdict::Fault);
        Model { file: listed.file, finding: Finding { what: listed.name, verdict } }
    };
    Ok(listed.files.into_iter().map(model).collect())
}

fn fault(folder: &Path, listed: &ListedFile) -> Option<String> {
    let path = folder.join(&listed.file);
    let again = "`make models` fetches it";
    match std::fs::metadata(&path) {
        Err(_) => Some(format!("{} is not there; {again}", path.display())),
        Ok(found) if found.len() != listed.size_bytes => Some(format!(
            "{} has {} bytes and should have {}; remove it, and {again}",
            path.display(),
            found.len(),
            listed.size_bytes
        )),
        Ok(_) => match sha256(&path) {
            Ok(sum) if sum == listed.sha256 => None,
            Ok(_) => Some(format!("{} is damaged (another checksum); remove it, and {again}", path.display())),
            Err(error) => Some(format!("{} cannot be read ({error}); remove it, and {again}", path.display())),
        },
    }
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            count => hash.update(&buffer[..count]),
        }
    }
}
