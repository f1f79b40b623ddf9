//! What an uploaded file is, by its name and media type.

use mandi_core::{Problem, ProblemKind, Result};

use super::{Source, TextFormat};

/// Reads a file as a source: `.md` and `.markdown`, `.html` and `.htm`, `.txt` and `.text`, `.json` (the fields of
/// an entity). The name's extension decides; without one, the media type does.
///
/// # Errors
/// `unsupported-media-type` for other files, with what to do instead; `invalid-request` at `pointer` when the
/// bytes are not UTF-8 or not JSON.
pub fn read_file(name: &str, media_type: Option<&str>, bytes: &[u8], pointer: &str) -> Result<Source> {
    let kind = kind(name, media_type).ok_or_else(|| unsupported(name, media_type))?;
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let detail = format!("the file is not UTF-8 text (byte {} is wrong); save it as UTF-8", error.valid_up_to());
        Problem::field(pointer, detail)
    })?;
    match kind {
        Kind::Text(format) => Ok(Source::Formatted(format, text.to_owned())),
        Kind::Json => serde_json::from_str(text)
            .map(Source::Fields)
            .map_err(|error| Problem::field(pointer, format!("the file is not JSON: {error}"))),
    }
}

enum Kind {
    Text(TextFormat),
    Json,
}

fn kind(name: &str, media_type: Option<&str>) -> Option<Kind> {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("md" | "markdown") => Some(Kind::Text(TextFormat::Markdown)),
        Some("html" | "htm") => Some(Kind::Text(TextFormat::Html)),
        Some("txt" | "text") => Some(Kind::Text(TextFormat::Plain)),
        Some("json") => Some(Kind::Json),
        Some(_) => None,
        None => match media_type?.split(';').next()?.trim().to_ascii_lowercase().as_str() {
            "text/markdown" => Some(Kind::Text(TextFormat::Markdown)),
            "text/html" => Some(Kind::Text(TextFormat::Html)),
            "text/plain" => Some(Kind::Text(TextFormat::Plain)),
            "application/json" => Some(Kind::Json),
            _ => None,
        },
    }
}

fn unsupported(name: &str, media_type: Option<&str>) -> Problem {
    let short: String = name.chars().take(100).collect();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let pdf = extension.as_deref() == Some("pdf") || media_type.is_some_and(|media| media.contains("pdf"));
    let advice = match extension.as_deref() {
        _ if pdf => "PDF files are read in a later version; send its text as .txt or .md until then",
        Some("csv" | "tsv" | "xlsx" | "xls" | "parquet") => {
            "tables are no documents; send each row as a document with `fields`"
        }
        _ => "send .md, .html, .txt or .json",
    };
    Problem::new(ProblemKind::UnsupportedMediaType, format!("`{short}` is not a file that we read: {advice}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests state what must hold")]

    use super::*;

    fn read(name: &str, bytes: &[u8]) -> Result<Source> {
        read_file(name, None, bytes, "/file")
    }

    #[test]
    fn the_extension_decides_and_without_one_the_media_type() {
        assert_eq!(read("a.MD", b"# x").unwrap(), Source::Formatted(TextFormat::Markdown, "# x".to_owned()));
        assert_eq!(read("a.json", b"{}").unwrap(), Source::Fields(serde_json::json!({})));
        let html = read_file("notice", Some("text/html; charset=utf-8"), b"<p>", "/file").unwrap();
        assert_eq!(html, Source::Formatted(TextFormat::Html, "<p>".to_owned()));
    }

    #[test]
    fn pdf_csv_and_unknown_files_are_unsupported_with_advice() {
        for (name, advice) in [("a.pdf", "later version"), ("a.csv", "each row"), ("a.exe", ".md"), ("a", ".md")] {
            let problem = read(name, b"x").unwrap_err();
            assert_eq!(problem.kind, ProblemKind::UnsupportedMediaType);
            assert!(problem.detail.contains(advice), "{}", problem.detail);
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_or_not_json_are_refused_by_field() {
        for (name, bytes) in [("a.txt", &b"ok\xff"[..]), ("a.json", b"{")] {
            assert_eq!(read(name, bytes).unwrap_err().errors[0].pointer, "/file");
        }
    }
}
