//! The parts of a Markdown document that tests compare: fenced blocks and the rows of tables.

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The words after the opening fence, such as `sh aws`.
    pub info: String,
    /// The lines between the fences.
    pub text: String,
    /// The number of the opening fence's line, from 1.
    pub line: usize,
}

/// The fenced blocks of a document, in order.
#[must_use]
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (place, line) in markdown.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                open = Some(Block { info: info.trim().to_owned(), text: String::new(), line: place + 1 });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The commands of a shell block: its lines without comments, joined where a line ends with a backslash.
#[must_use]
pub fn commands(block: &Block) -> Vec<String> {
    let joined = block.text.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// The rows of all tables, as trimmed cells; `\|` is a bar within a cell.
#[must_use]
pub fn rows(markdown: &str) -> Vec<Vec<String>> {
    let lines = markdown.lines().filter_map(|line| line.trim().strip_prefix('|')?.strip_suffix('|'));
    lines
        .map(|line| line.replace("\\|", "\u{0}").split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect())
        .collect()
}
