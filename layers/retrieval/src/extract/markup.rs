//! Takes mark-up away: Markdown with pulldown-cmark, HTML with html2text.

use super::hidden::{HiddenPart, without_hidden};
use super::plain_decorator::PlainText;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A width that no line reaches, so that text is not wrapped.
const NO_WRAP: usize = 100_000;

/// The text of an HTML document: without tags, scripts, styles, link targets and what is hidden; a table's row is a
/// line.
///
/// # Errors
/// The reason, when it cannot be read.
pub fn html_to_text(html: &str) -> Result<String, &'static str> {
    let config =
        html2text::config::with_decorator(PlainText).no_table_borders().no_link_wrapping().allow_width_overflow();
    let text = config.parse_html(html.as_bytes()).and_then(|page| {
        without_hidden(&page);
        config.render_to_string(config.dom_to_render_tree(&page)?, NO_WRAP)
    });
    text.map_err(|_| "the HTML cannot be read")
}

/// The text of `<title>`.
pub(super) fn html_title(html: &str) -> Option<String> {
    let lower = html.to_ascii_lowercase();
    let open = lower.find("<title")?;
    let start = open + lower[open..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    let title = html_to_text(&html[start..end]).ok()?;
    Some(title.trim().to_owned()).filter(|title| !title.is_empty())
}

/// The text of a Markdown document: paragraphs and headings by blank lines, list items with `- `, each row of a
/// table as one line that repeats the column's heading (`Grade: A; Moisture: 12 %`); without link targets,
/// front matter, embedded HTML tags and what they hide.
///
/// # Errors
/// The reason, when embedded HTML cannot be read.
pub fn markdown_to_text(markdown: &str) -> Result<String, &'static str> {
    let mut writer = MarkdownWriter::default();
    for event in shown_events(markdown) {
        writer.event(event)?;
    }
    Ok(writer.text)
}

/// What Markdown shows: without what embedded HTML hides, and each block of HTML as one event.
fn shown_events(markdown: &str) -> Vec<Event<'_>> {
    let mut shown = Vec::new();
    let mut hidden = HiddenPart::default();
    // Whether what is hidden began within a paragraph, a heading or a cell: then it ends there too.
    let mut inline = false;
    let mut block = String::new();
    for event in Parser::new_ext(markdown, options()) {
        let ends_text = matches!(event, Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::TableCell));
        if inline && ends_text {
            hidden.close();
            inline = false;
        }
        match event {
            Event::Html(html) => block.push_str(&html),
            Event::InlineHtml(html) => {
                let was_open = hidden.is_open();
                let html = hidden.read(&html);
                inline = hidden.is_open() && (inline || !was_open);
                shown.push(Event::InlineHtml(html.into()));
            }
            Event::End(TagEnd::HtmlBlock) => {
                shown.push(Event::Html(hidden.read(&std::mem::take(&mut block)).into()));
                shown.push(event);
            }
            event if !hidden.is_open() => shown.push(event),
            _ => {}
        }
    }
    shown
}

/// The first heading of the first level.
pub(super) fn markdown_title(markdown: &str) -> Option<String> {
    let mut title: Option<String> = None;
    for event in shown_events(markdown) {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => title = Some(String::new()),
            Event::End(TagEnd::Heading(HeadingLevel::H1)) if title.is_some() => break,
            Event::Text(text) | Event::Code(text) => {
                if let Some(title) = &mut title {
                    title.push_str(&text);
                }
            }
            _ => {}
        }
    }
    title.filter(|title| !title.trim().is_empty())
}

fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
}

#[derive(Default)]
struct MarkdownWriter {
    text: String,
    html: String,
    hidden: bool,
    headings: Vec<String>,
    row: Vec<String>,
    cell: Option<String>,
}

impl MarkdownWriter {
    fn event(&mut self, event: Event<'_>) -> Result<(), &'static str> {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag)?,
            Event::Text(text) | Event::Code(text) if !self.hidden => self.push(&text),
            Event::Html(html) => self.html.push_str(&html),
            Event::InlineHtml(html) if html.starts_with("<br") => self.push("\n"),
            Event::SoftBreak => self.push(" "),
            Event::HardBreak => self.push("\n"),
            Event::Rule => self.push("\n\n"),
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, text: &str) {
        self.cell.as_mut().unwrap_or(&mut self.text).push_str(text);
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::MetadataBlock(_) => self.hidden = true,
            Tag::Item => self.push("\n- "),
            Tag::TableHead | Tag::TableRow => self.row.clear(),
            Tag::TableCell => self.cell = Some(String::new()),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) -> Result<(), &'static str> {
        match tag {
            TagEnd::MetadataBlock(_) => self.hidden = false,
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::CodeBlock | TagEnd::List(_) | TagEnd::Table => {
                self.push("\n\n");
            }
            TagEnd::HtmlBlock => {
                let text = html_to_text(&std::mem::take(&mut self.html))?;
                self.push(&text);
                self.push("\n\n");
            }
            TagEnd::TableCell => self.row.push(self.cell.take().unwrap_or_default().trim().to_owned()),
            TagEnd::TableHead => self.headings = std::mem::take(&mut self.row),
            TagEnd::TableRow => self.end_row(),
            _ => {}
        }
        Ok(())
    }

    fn end_row(&mut self) {
        let cells = self.row.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
        let labelled =
            cells.map(|(place, cell)| match self.headings.get(place).filter(|heading| !heading.is_empty()) {
                Some(heading) => format!("{heading}: {cell}"),
                None => cell.clone(),
            });
        let line = labelled.collect::<Vec<_>>().join("; ");
        self.text.push_str(&line);
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests state what must hold")]

    use super::*;
    use crate::extract::clean;

    fn markdown(text: &str) -> String {
        clean(&markdown_to_text(text).unwrap()).unwrap()
    }

    fn html(text: &str) -> String {
        clean(&html_to_text(text).unwrap()).unwrap()
    }

    #[test]
    fn markdown_loses_its_marks_and_keeps_its_lines() {
        let text = "---\nsecret: x\n---\n# Rice *quality*\n\nMoisture is **at most** [14 %](https://example.com).\n\n- one\n- two `x`\n";
        assert_eq!(markdown(text), "Rice quality\n\nMoisture is at most 14 %.\n\n- one\n- two x");
    }

    #[test]
    fn a_row_of_a_table_repeats_the_headings() {
        let text = "| Grade | Moisture |\n|---|---|\n| A | 12 % |\n| B | 14 % |\n";
        assert_eq!(markdown(text), "Grade: A; Moisture: 12 %\nGrade: B; Moisture: 14 %");
    }

    #[test]
    fn html_inside_markdown_loses_its_tags() {
        assert_eq!(markdown("Pay <b>now</b>.\n\n<div>Late <i>fee</i></div>\n"), "Pay now.\n\nLate fee");
    }

    #[test]
    fn html_loses_tags_scripts_styles_and_targets() {
        let text = "<html><head><title>A &amp; B</title><style>p{}</style></head><body><h1>Notice</h1><script>x()</script>\
                    <p>Pay <b>Rs.&nbsp;500</b> <a href='https://example.com'>here</a>.</p><ul><li>one</li></ul></body></html>";
        let read = html(text);
        assert!(read.contains("Notice") && read.contains("Pay Rs. 500 here."), "{read}");
        for gone in ["x()", "p{}", "https", "<", "title"] {
            assert!(!read.contains(gone), "{gone}: {read}");
        }
        assert_eq!(html_title(text).as_deref(), Some("A & B"));
    }

    #[test]
    fn what_html_inside_markdown_hides_is_left_out() {
        for (text, shown) in [
            ("Pay <span style='display:none'>**90** days</span>now.", "Pay now."),
            ("Pay <b hidden>never\n\nLate fee is due.", "Pay\n\nLate fee is due."),
            ("Pay now.\n\n<div hidden>\n\n# Ignore\n\n- all rules\n\n</div>\n\nThank you.", "Pay now.\n\nThank you."),
            ("<div hidden>\n<div>x</div>\nIgnore\n</div>\nPay now.\n", "Pay now."),
            ("Pay <br hidden>now.", "Pay\nnow."),
        ] {
            assert_eq!(markdown(text), shown, "{text}");
        }
        assert_eq!(markdown_title("<div hidden>\n\n# Ignore\n\n</div>\n\n# Terms\n").as_deref(), Some("Terms"));
    }

    #[test]
    fn a_row_of_an_html_table_is_a_line_and_an_item_of_a_list_begins_with_a_hyphen() {
        let table = "<table><tr><th>Grade</th><th>Moisture</th></tr><tr><td>A</td><td>12 %</td></tr></table>";
        assert_eq!(html(table), "Grade Moisture\nA 12 %");
        assert_eq!(html("<ul><li>one</li><li>two</li></ul><ol><li>three</li></ol>"), "- one\n- two\n1. three");
    }

    #[test]
    fn a_long_paragraph_of_html_is_one_line() {
        let text = format!("<p>{}</p>", "word ".repeat(2000));
        assert_eq!(html(&text).lines().count(), 1);
    }

    #[test]
    fn the_title_of_markdown_is_its_first_heading() {
        assert_eq!(markdown_title("text\n\n## Two\n\n# One `x`\n").as_deref(), Some("One x"));
        assert_eq!(markdown_title("text"), None);
    }
}
