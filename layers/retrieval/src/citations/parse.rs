//! Reads the citations out of a sentence that a model wrote: `[1]`, `[1, 2]`, `[1: "quote"]`.

/// A citation as the model wrote it, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Citation {
    /// The number of the passage, as the prompt numbered it, from 1.
    pub n: usize,
    /// The words that the model says stand there.
    pub quote: Option<String>,
}

/// A sentence of a model's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The sentence without its citations.
    pub text: String,
    /// Its citations, in order.
    pub citations: Vec<Citation>,
}

/// The longest text between brackets that is read as a citation, in bytes.
const MAX_CITATION_BYTES: usize = 2000;

/// Takes the citations out of a sentence. What stands in brackets and is no citation stays in the text.
#[must_use]
pub fn parse_claim(sentence: &str) -> Claim {
    let mut text = String::with_capacity(sentence.len());
    let mut citations = Vec::new();
    let mut rest = sentence;
    while let Some(open) = rest.find('[') {
        let (before, bracket) = rest.split_at(open);
        text.push_str(before);
        let read = closing(bracket).and_then(|end| Some((end, read_citations(&bracket[1..end])?)));
        if let Some((end, found)) = read {
            citations.extend(found);
            rest = &bracket[end + 1..];
        } else {
            text.push('[');
            rest = &bracket[1..];
        }
    }
    text.push_str(rest);
    Claim { text: tidy(&text), citations }
}

/// The place of the `]` that closes the bracket at 0; brackets inside quotation marks do not count.
fn closing(bracket: &str) -> Option<usize> {
    let mut quoted = false;
    for (place, character) in bracket.char_indices().take_while(|(place, _)| *place <= MAX_CITATION_BYTES) {
        match character {
            '"' | '“' | '”' => quoted = !quoted,
            ']' if !quoted => return Some(place),
            _ => {}
        }
    }
    // A quotation mark inside the quote leaves the count odd: then the first bracket after it closes.
    bracket.find(']').filter(|place| *place <= MAX_CITATION_BYTES)
}

fn read_citations(inside: &str) -> Option<Vec<Citation>> {
    if let Some((number, quote)) = inside.split_once(':') {
        let n = number_of(number)?;
        let quote = quote.trim().trim_matches(['"', '“', '”', '\'', '‘', '’']).trim();
        return Some(vec![Citation { n, quote: Some(quote.to_owned()).filter(|quote| !quote.is_empty()) }]);
    }
    inside.split([',', ';']).map(|number| Some(Citation { n: number_of(number)?, quote: None })).collect()
}

fn number_of(text: &str) -> Option<usize> {
    let text = text.trim();
    let text = text.strip_prefix("passage").or_else(|| text.strip_prefix("Passage")).unwrap_or(text).trim();
    let digits: String = text.chars().map(crate::characters::ascii_digit).collect();
    let short = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|n| short && *n > 0)
}

/// One space between words, none before a full stop that a citation stood before.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let only_stop = word.chars().all(|character| matches!(character, '.' | ',' | ';' | '!' | '?' | '।' | '॥'));
        if !tidy.is_empty() && !only_stop {
            tidy.push(' ');
        }
        tidy.push_str(word);
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cites(sentence: &str) -> Vec<(usize, Option<String>)> {
        parse_claim(sentence).citations.into_iter().map(|citation| (citation.n, citation.quote)).collect()
    }

    #[test]
    fn the_forms_of_citations_are_read_and_taken_out() {
        let claim = parse_claim("The buyer pays [1: \"within 30 days\"] on time [2][3, 4].");
        assert_eq!(claim.text, "The buyer pays on time.");
        assert_eq!(
            cites("The buyer pays [1: \"within 30 days\"] on time [2][3, 4]."),
            [(1, Some("within 30 days".to_owned())), (2, None), (3, None), (4, None)]
        );
        assert_eq!(cites("भुगतान होगा [१]।"), [(1, None)]);
    }

    #[test]
    fn a_quote_may_hold_brackets_and_colons() {
        assert_eq!(cites("Yes [1: “see [annex] at 9:30”]."), [(1, Some("see [annex] at 9:30".to_owned()))]);
        assert_eq!(cites("Yes [2: a 5\" pipe]."), [(2, Some("a 5\" pipe".to_owned()))]);
    }

    #[test]
    fn other_brackets_stay() {
        for sentence in ["The goods [rice] arrive.", "An open [1 bracket.", "[0] [1234] []"] {
            let claim = parse_claim(sentence);
            assert_eq!(claim.text, sentence);
            assert!(claim.citations.is_empty());
        }
    }
}
