//! Cuts what an e-mail repeats: quoted earlier mails, and the signature.

/// The longest signature that is cut, in lines.
const MAX_SIGNATURE_LINES: usize = 8;

/// The text without quoted mails and without the signature, if it looks like an e-mail; else as it is.
///
/// It looks like one when it begins with headers (`From:`, `Subject:`, ...), or holds a line such as
/// `On Monday, A wrote:` or `-----Original Message-----`, or quoted lines (`> ...`) or a signature's `-- ` line.
/// The headers that say who, when and about what stay.
#[must_use]
pub fn without_quotes_and_signature(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if !looks_like_email(&lines) {
        return text.to_owned();
    }
    let end = quoted_mail_start(&lines);
    let mut kept: Vec<&str> = lines[..end].iter().filter(|line| !is_quoted(line)).copied().collect();
    kept.truncate(signature_start(&kept));
    while kept.last().is_some_and(|line| line.trim().is_empty()) {
        kept.pop();
    }
    kept.join("\n")
}

fn looks_like_email(lines: &[&str]) -> bool {
    let headers = lines.iter().take(10).filter(|line| is_header(line)).count();
    headers >= 2
        || lines
            .iter()
            .any(|line| is_quoted(line) || is_attribution(line) || is_original_message(line) || is_delimiter(line))
}

fn is_header(line: &str) -> bool {
    ["From:", "To:", "Cc:", "Subject:", "Date:", "Sent:"].iter().any(|name| line.trim_start().starts_with(name))
}

fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

/// `On 21 Nov 2026, Ravi <ravi@example.com> wrote:`
fn is_attribution(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("On ") && line.ends_with("wrote:")
}

fn is_original_message(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("---") && (line.contains("Original Message") || line.contains("Forwarded message"))
}

/// The line that begins a signature (RFC 3676, section 4.3).
fn is_delimiter(line: &str) -> bool {
    line == "-- " || line == "--"
}

/// Where an earlier mail begins: at `Original Message`, at a second block of headers, or at an attribution that
/// no own words follow.
fn quoted_mail_start(lines: &[&str]) -> usize {
    let first_body = lines.iter().position(|line| !is_header(line) && !line.trim().is_empty()).unwrap_or(0);
    for (place, line) in lines.iter().enumerate() {
        let block = || lines[place..].iter().take(4).filter(|line| is_header(line)).count() >= 2;
        if is_original_message(line) || (place > first_body && line.trim_start().starts_with("From:") && block()) {
            return place;
        }
        let answers_follow = || lines[place + 1..].iter().any(|line| !is_quoted(line) && !line.trim().is_empty());
        if is_attribution(line) && !lines[place + 1..].iter().any(|line| is_quoted(line)) {
            return place;
        }
        if is_attribution(line) && !answers_follow() {
            return place;
        }
    }
    lines.len()
}

/// Where the signature begins, or the number of lines.
fn signature_start(lines: &[&str]) -> usize {
    let tail = lines.len().saturating_sub(MAX_SIGNATURE_LINES + 1);
    let starts = |line: &&str| is_delimiter(line) || is_closing(line) || line.trim_start().starts_with("Sent from my ");
    lines[tail..].iter().position(starts).map_or(lines.len(), |place| tail + place)
}

fn is_closing(line: &str) -> bool {
    const CLOSINGS: [&str; 9] = [
        "regards",
        "best regards",
        "kind regards",
        "warm regards",
        "thanks and regards",
        "thanks & regards",
        "yours sincerely",
        "yours faithfully",
        "sincerely",
    ];
    let line = line.trim().trim_end_matches([',', '.', '!']).to_lowercase();
    CLOSINGS.contains(&line.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_lines_attribution_and_signature_are_cut() {
        let mail = "The lorry arrives on Monday.\n\nRegards,\nRavi Kumar\n+91 98765 43210\n\nOn 21 Nov 2026, Asha wrote:\n> When does it arrive?\n> Asha";
        assert_eq!(without_quotes_and_signature(mail), "The lorry arrives on Monday.");
    }

    #[test]
    fn answers_between_quoted_lines_stay() {
        let mail = "On 21 Nov 2026, Asha wrote:\n> When?\nOn Monday.\n> How much?\n120 bags.";
        assert_eq!(without_quotes_and_signature(mail), "On 21 Nov 2026, Asha wrote:\nOn Monday.\n120 bags.");
    }

    #[test]
    fn an_original_message_is_cut_and_the_mails_own_headers_stay() {
        let mail = "From: Ravi\nSubject: Lot 5\n\nIt is ready.\n\n-----Original Message-----\nFrom: Asha\nSubject: Lot 5\nIs it?";
        assert_eq!(without_quotes_and_signature(mail), "From: Ravi\nSubject: Lot 5\n\nIt is ready.");
    }

    #[test]
    fn a_signature_after_its_delimiter_is_cut() {
        assert_eq!(without_quotes_and_signature("Ready.\n-- \nRavi\nManager"), "Ready.");
    }

    #[test]
    fn a_text_that_is_no_email_is_left_alone() {
        let contract = "1. Price\nThe price is fixed.\n\nRegards,\nis a word in a template.";
        assert_eq!(without_quotes_and_signature(contract), contract);
    }
}
