//! What HTML does not show its readers: found by element, so that nobody is answered from text that nobody sees.
//!
//! Hidden are elements that browsers never show (`script`, `style`, `template`, `dialog` unless open), those with
//! the attribute `hidden`, and those that a style hides: in their own `style`, or by a rule of the page for their
//! tag, class or id. Text that only screen readers skip (`aria-hidden`) is shown, and stays.

use html2text::{Element, Handle, RcDom};

/// Elements that browsers do not show.
const NEVER_SHOWN: &[&str] = &["script", "style", "template", "datalist"];
/// Elements that hold nothing, and have no closing tag.
const EMPTY: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"];

/// A tag's name and its attributes, in lower case but for the values.
struct Tag<'a> {
    name: &'a str,
    attributes: &'a [(String, String)],
}

impl Tag<'_> {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn is_hidden(&self, sheet: &StyleSheet) -> bool {
        // A page may hide the whole of itself until its scripts have run.
        if matches!(self.name, "html" | "body") {
            return false;
        }
        NEVER_SHOWN.contains(&self.name)
            || (self.name == "dialog" && self.attribute("open").is_none())
            || self.attribute("hidden").is_some()
            || self.attribute("style").is_some_and(hides)
            || sheet.hides(self)
    }
}

/// Whether declarations of a style hide what they are for.
fn hides(declarations: &str) -> bool {
    declarations.to_ascii_lowercase().split(';').any(|declaration| {
        let Some((name, value)) = declaration.split_once(':') else { return false };
        let value = value.split('!').next().unwrap_or_default().trim();
        let number = value.trim_end_matches(|character: char| character.is_ascii_alphabetic() || character == '%');
        match name.trim() {
            "display" => value == "none",
            "visibility" => matches!(value, "hidden" | "collapse"),
            "content-visibility" => value == "hidden",
            "opacity" | "font-size" => number.trim().parse::<f32>().is_ok_and(|number| number <= 0.0),
            _ => false,
        }
    })
}

/// The rules of a page's style sheets that hide something: those for a single tag, class or id.
#[derive(Debug, Default)]
struct StyleSheet {
    selectors: Vec<String>,
}

impl StyleSheet {
    fn add(&mut self, css: &str) {
        let css = without_comments(css);
        let mut rest = css.as_str();
        while let Some((selectors, after)) = rest.split_once('{') {
            if selectors.trim_start().starts_with('@') {
                // What holds for print or small screens alone hides nothing.
                rest = after_block(after);
                continue;
            }
            let (declarations, next) = after.split_once('}').unwrap_or((after, ""));
            if hides(declarations) {
                self.selectors.extend(selectors.split(',').map(|selector| selector.trim().to_ascii_lowercase()));
            }
            rest = next;
        }
    }

    fn hides(&self, tag: &Tag<'_>) -> bool {
        let of = |name: &str| tag.attribute(name).unwrap_or_default().to_ascii_lowercase();
        let (classes, id) = (of("class"), of("id"));
        self.selectors.iter().any(|selector| {
            let selector =
                selector.strip_prefix(tag.name).filter(|rest| rest.starts_with(['.', '#'])).unwrap_or(selector);
            match (selector.strip_prefix('.'), selector.strip_prefix('#')) {
                (Some(class), _) => classes.split_whitespace().any(|other| other == class),
                (None, Some(name)) => id == name,
                (None, None) => selector == tag.name,
            }
        })
    }
}

fn without_comments(css: &str) -> String {
    let mut parts = css.split("/*");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    kept.extend(parts.filter_map(|part| part.split_once("*/")).map(|(_, after)| after));
    kept
}

/// What follows the brace that closes a block which has been opened.
fn after_block(text: &str) -> &str {
    let mut depth = 1_usize;
    for (place, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[place + 1..];
        }
    }
    ""
}

/// Takes what is hidden out of a page.
pub(super) fn without_hidden(page: &RcDom) {
    let mut sheet = StyleSheet::default();
    walk(page, |node| {
        if tag_of(node, |tag| tag.name == "style") {
            sheet.add(&inner_text(node));
        }
    });
    walk(page, |node| node.children.borrow_mut().retain(|child| !tag_of(child, |tag| tag.is_hidden(&sheet))));
}

/// Visits each node before its children, without recursion: pages may be nested as deep as they are long.
fn walk(page: &RcDom, mut visit: impl FnMut(&Handle)) {
    let mut waiting = vec![page.document.clone()];
    while let Some(node) = waiting.pop() {
        visit(&node);
        waiting.extend(node.children.borrow().iter().cloned());
    }
}

/// Whether a node is an element of which something holds.
fn tag_of(node: &Handle, holds: impl Fn(&Tag<'_>) -> bool) -> bool {
    let Element { name, attrs, .. } = &node.data else { return false };
    let attributes: Vec<(String, String)> = attrs
        .borrow()
        .iter()
        .map(|attribute| (attribute.name.local.to_string(), attribute.value.to_string()))
        .collect();
    holds(&Tag { name: &name.local, attributes: &attributes })
}

/// What stands between the tags of an element that holds text alone.
fn inner_text(node: &Handle) -> String {
    let mut written = Vec::new();
    if node.serialize(&mut written).is_err() {
        return String::new();
    }
    let written = String::from_utf8_lossy(&written);
    let inner = written.split_once('>').map_or("", |(_, inner)| inner);
    inner.rsplit_once("</").map_or(inner, |(inner, _)| inner).to_owned()
}

/// Follows HTML that comes in pieces among other text, as in Markdown, and tells what of it is shown.
#[derive(Debug, Default)]
pub(super) struct HiddenPart {
    /// The hidden element that is open, with how many of its name are open in it and itself.
    open: Option<(String, usize)>,
}

impl HiddenPart {
    /// Whether what comes next is hidden.
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Ends a hidden element that nothing closed.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Reads a piece; gives what of it is shown.
    pub(super) fn read(&mut self, html: &str) -> String {
        let mut shown = String::new();
        for piece in pieces(html) {
            let name = name_of(piece);
            if let Some((hidden, depth)) = &mut self.open {
                if name.as_deref() == Some(hidden) {
                    *depth = if piece.starts_with("</") { *depth - 1 } else { *depth + 1 };
                }
                if *depth == 0 {
                    self.open = None;
                }
                continue;
            }
            match name
                .filter(|name| !piece.starts_with("</") && !EMPTY.contains(&name.as_str()) && starts_hidden(piece))
            {
                Some(name) => self.open = Some((name, 1)),
                None => shown.push_str(piece),
            }
        }
        shown
    }
}

/// Tags, comments, and what stands between them.
fn pieces(html: &str) -> impl Iterator<Item = &str> {
    let mut rest = html;
    std::iter::from_fn(move || {
        let end = if rest.starts_with("<!--") {
            rest.find("-->").map_or(rest.len(), |end| end + 3)
        } else if rest.starts_with('<') {
            end_of_tag(rest)
        } else {
            rest.find('<').unwrap_or(rest.len())
        };
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The end of the tag that a text begins with; a `>` in quotes is none.
fn end_of_tag(text: &str) -> usize {
    let mut quote = None;
    for (place, character) in text.char_indices() {
        match (character, quote) {
            ('"' | '\'', None) => quote = Some(character),
            (_, Some(open)) if character == open => quote = None,
            ('>', None) => return place + 1,
            _ => {}
        }
    }
    text.len()
}

fn name_of(tag: &str) -> Option<String> {
    let name = tag.strip_prefix('<')?.trim_start_matches('/');
    let end = name.find(|character: char| !character.is_ascii_alphanumeric() && character != '-').unwrap_or(name.len());
    (end > 0).then(|| name[..end].to_ascii_lowercase())
}

/// Whether an opening tag begins what is hidden.
fn starts_hidden(tag: &str) -> bool {
    let Ok(page) = html2text::config::plain().parse_html(tag.as_bytes()) else { return false };
    let mut hidden = false;
    walk(&page, |node| hidden |= tag_of(node, |tag| tag.is_hidden(&StyleSheet::default())));
    hidden
}

#[cfg(test)]
mod tests;
