//! `mandi doctor`: what is missing on this machine, and how to get it.

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::ExitCode;

use mandi_core::Result;
use mandi_core::settings::{self, Settings};
use mandi_llm::providers::Providers;
use mandi_local::DataDir;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::commands;

/// The models that `make models` fetches, with their checksums.
const MODELS: &str = include_str!("../../../scripts/models.json");

#[derive(Deserialize)]
struct Models {
    files: Vec<ModelFile>,
}

#[derive(Deserialize)]
struct ModelFile {
    name: String,
    file: String,
    size_bytes: u64,
    sha256: String,
}

/// One thing that was looked at.
struct Finding {
    what: String,
    /// What is wrong and how to mend it; `None` when nothing is.
    fault: Option<String>,
}

/// Looks at everything, and says what it sees. The exit code says whether all is well.
pub async fn run(settings: &Settings) -> Result<ExitCode> {
    let mut findings = models(settings)?;
    findings.push(data_folder(settings)?);
    findings.push(port(settings)?);
    findings.push(provider(settings).await);
    let faults = findings.iter().filter(|finding| finding.fault.is_some()).count();
    for Finding { what, fault } in &findings {
        match fault {
            None => commands::say(&format!("ok       {what}")),
            Some(fault) => commands::say(&format!("MISSING  {what}: {fault}")),
        }
    }
    if faults == 0 {
        commands::say("all is well: `mandi up --demo` serves the demo tenant");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

fn models(settings: &Settings) -> Result<Vec<Finding>> {
    let folder = Path::new(settings.required(settings::MODELS_DIR)?);
    let models: Models = serde_json::from_str(MODELS).map_err(mandi_core::Problem::internal)?;
    Ok(models.files.iter().map(|model| model_file(folder, model)).collect())
}

fn model_file(folder: &Path, model: &ModelFile) -> Finding {
    let path = folder.join(&model.file);
    let again = "`make models` fetches it";
    let fault = match std::fs::metadata(&path) {
        Err(_) => Some(format!("{} is not there; {again}", path.display())),
        Ok(found) if found.len() != model.size_bytes => Some(format!(
            "{} has {} bytes and should have {}; remove it, and {again}",
            path.display(),
            found.len(),
            model.size_bytes
        )),
        Ok(_) => match sha256(&path) {
            Ok(sum) if sum == model.sha256 => None,
            Ok(_) => Some(format!("{} is damaged (another checksum); remove it, and {again}", path.display())),
            Err(error) => Some(format!("{} cannot be read: {error}", path.display())),
        },
    };
    Finding { what: model.name.clone(), fault }
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

fn data_folder(settings: &Settings) -> Result<Finding> {
    let folder = settings.required(settings::DATA_DIR)?;
    let fault = DataDir::open(folder).err().map(|error| error.to_string());
    Ok(Finding { what: format!("data folder {folder}"), fault })
}

fn port(settings: &Settings) -> Result<Finding> {
    let port: u16 = settings.parsed(settings::PORT)?;
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err();
    let fault = taken.then(|| "something listens there; stop it, or choose another with `--port`".to_owned());
    Ok(Finding { what: format!("port {port}"), fault })
}

async fn provider(settings: &Settings) -> Finding {
    let fault = Providers::from_settings(settings).await.err().map(|problem| problem.detail);
    Finding { what: "language model".to_owned(), fault }
}
