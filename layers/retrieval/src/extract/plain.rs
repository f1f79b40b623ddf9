//! Markdown, HTML and plain text.

use mandi_core::{Problem, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use super::clean::clean;
use super::email::without_quotes_and_signature;
use super::markup::{html_title, html_to_text, markdown_title, markdown_to_text};
use super::{Entity, Extracted, TextFormat};

macro_rules! text_entity {
    ($(#[$meta:meta])* $name:ident, $format:ident, $example:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The title, if the text itself has none.
            #[serde(default)]
            pub title: Option<String>,
            /// The text.
            #[schema(example = $example)]
            pub content: String,
        }

        impl Entity for $name {
            fn check(&self, check: &mut Check) {
                if self.content.contains('\0') {
                    check.fault("/content", "the text holds a NUL character; send text, not a binary file");
                }
            }

            fn write(&self) -> Result<Extracted> {
                let extracted = read(TextFormat::$format, &self.content).map_err(|reason| Problem::field("/content", reason))?;
                let title = self.title.clone().filter(|title| !title.trim().is_empty()).or(extracted.title);
                Ok(Extracted { title, ..extracted })
            }
        }
    };
}

text_entity!(
    /// A Markdown document (CommonMark with tables).
    Markdown,
    Markdown,
    "# Rice quality\n\nMoisture is at most 14 %."
);
text_entity!(
    /// An HTML document.
    Html,
    Html,
    "<h1>Rice quality</h1><p>Moisture is at most 14 %.</p>"
);
text_entity!(
    /// A plain text. If it looks like an e-mail, quoted mails and the signature are cut.
    Text,
    Plain,
    "The market is closed on 26 January."
);

/// A text in a format, given as `content`.
pub(super) fn from_content(format: TextFormat, content: &str, pointer: &str) -> Result<Extracted> {
    read(format, content).map_err(|reason| Problem::field(format!("{pointer}/content"), reason))
}

fn read(format: TextFormat, content: &str) -> Result<Extracted, &'static str> {
    let (title, text) = match format {
        TextFormat::Plain => (None, without_quotes_and_signature(content)),
        TextFormat::Markdown => (markdown_title(content), markdown_to_text(content)?),
        TextFormat::Html => (html_title(content), html_to_text(content)?),
    };
    let text = clean(&text)?;
    let title = match title {
        Some(title) => Some(clean(&title)?).filter(|title| !title.is_empty()),
        None => None,
    };
    Ok(Extracted { title: title.or_else(|| heading_of(&text)), text, ..Extracted::default() })
}

/// The first line, when it is short and a blank line follows it: as people begin a document.
fn heading_of(text: &str) -> Option<String> {
    let (first, rest) = text.split_once('\n')?;
    let short = first.chars().count() <= 100 && !first.ends_with(['.', '।', ':', ',', ';']);
    (short && rest.starts_with('\n')).then(|| first.to_owned())
}
