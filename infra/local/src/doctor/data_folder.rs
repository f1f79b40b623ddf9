//! The data folder: whether it can be used, or made.

use std::path::Path;

use mandi_local::{DataDirError, Found};

use super::port::Listener;
use super::{Finding, Verdict};

/// Looks at the data folder. That the server on the port holds it is as it should be.
pub(super) fn finding(folder: &str, port: u16, listener: &Listener) -> Finding {
    let verdict = match (mandi_local::look(Path::new(folder)), listener) {
        (Ok(Found::Free), _) => Verdict::Well,
        (Ok(Found::Nothing), _) => {
            let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
            Verdict::Note(format!("not there yet; `mandi up` makes {}", whole.display()))
        }
        (Err(DataDirError::InUse { holder, .. }), Listener::Ours { .. }) => {
            Verdict::Note(format!("in use by the mandi that serves on port {port} ({holder})"))
        }
        (Err(error @ DataDirError::InUse { .. }), _) => Verdict::Fault(format!(
            "{error}; no mandi serves it on port {port}: if that process is one on another port, set MANDI_PORT to that"
        )),
        (Err(error), _) => Verdict::Fault(error.to_string()),
    };
    Finding { what: format!("data folder {folder}"), verdict }
}
