#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use super::*;

/// Tokens as a word-piece tokeniser makes them: words of up to four characters, and punctuation.
struct Pieces;

impl TokenSpans for Pieces {
    fn token_spans(&self, text: &str) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        for (start, word) in text.unicode_word_indices() {
            let mut places: Vec<usize> = word.char_indices().map(|(place, _)| start + place).step_by(4).collect();
            places.push(start + word.len());
            spans.extend(places.windows(2).map(|pair| pair[0]..pair[1]));
        }
        spans
    }
}

/// A tokeniser that knows no word: each run without blanks is one token.
struct Unknown;

impl TokenSpans for Unknown {
    fn token_spans(&self, text: &str) -> Vec<Range<usize>> {
        text.split_whitespace()
            .map(|word| word.as_ptr() as usize - text.as_ptr() as usize)
            .zip(text.split_whitespace())
            .map(|(start, word)| start..start + word.len())
            .collect()
    }
}

const SIZE: ChunkSize = ChunkSize { tokens: 20, overlap: 5 };

fn samples() -> Vec<String> {
    let english = "The buyer pays Rs. 1,250.50 within 30 days. The seller ships by sea! Is it insured? Yes.\n\n";
    let hindi = "क्रेता तीस दिनों के भीतर भुगतान करेगा। विक्रेता माल भेजेगा॥ बीमा विक्रेता का दायित्व है। ";
    let tamil = "வாங்குபவர் முப்பது நாட்களுக்குள் பணம் செலுத்த வேண்டும். ஒப்பந்தம் செல்லும். ";
    let mixed = "🧑‍🌾👩🏽‍🌾 e\u{301}e\u{301} ﷽ \u{200B} ".to_owned() + english + hindi;
    vec![
        english.repeat(40),
        hindi.repeat(40),
        tamil.repeat(40),
        mixed.repeat(20),
        "x".repeat(3000),
        "क्ष".repeat(1000),
        format!("a{}", "\u{301}".repeat(500)),
        format!("  {}  ", "word ".repeat(300)),
        "short".to_owned(),
    ]
}

#[test]
fn every_character_that_is_not_blank_is_in_a_chunk() {
    for text in samples() {
        let chunks = chunks(&text, &Pieces, SIZE);
        let mut covered = vec![false; text.len()];
        for chunk in &chunks {
            covered[chunk.bytes.clone()].fill(true);
        }
        let missed = text.char_indices().find(|(place, character)| !character.is_whitespace() && !covered[*place]);
        assert_eq!(missed, None, "{}", &text[..text.len().min(60)]);
    }
}

#[test]
fn a_chunks_ranges_give_its_text() {
    for text in samples() {
        for chunk in chunks(&text, &Pieces, SIZE) {
            assert_eq!(&text[chunk.bytes.clone()], chunk.text);
            let range = chunk.characters.start as usize..chunk.characters.end as usize;
            let by_characters: String = text.chars().skip(range.start).take(range.len()).collect();
            assert_eq!(by_characters, chunk.text);
            assert_eq!(chunk.text.trim(), chunk.text);
            assert!(!chunk.text.is_empty());
        }
    }
}

#[test]
fn no_chunk_is_over_the_limit() {
    for text in samples() {
        for chunk in chunks(&text, &Pieces, SIZE) {
            assert!(chunk.tokens <= SIZE.tokens);
            let alone = Pieces.token_spans(&chunk.text).len();
            assert!(alone <= SIZE.tokens + 1, "{alone} tokens when tokenised alone: {}", chunk.text);
        }
    }
}

#[test]
fn chunks_go_forward_and_overlap_by_no_more_than_asked() {
    for text in samples() {
        let chunks = chunks(&text, &Pieces, SIZE);
        for pair in chunks.windows(2) {
            assert!(pair[0].bytes.start < pair[1].bytes.start);
            assert!(pair[0].bytes.end < pair[1].bytes.end);
            let shared = pair[1].bytes.start..pair[0].bytes.end.max(pair[1].bytes.start);
            assert!(Pieces.token_spans(&text[shared]).len() <= SIZE.overlap);
        }
    }
}

#[test]
fn chunks_of_prose_end_with_sentences_in_every_script() {
    for text in &samples()[..3] {
        let chunks = chunks(text, &Pieces, ChunkSize { tokens: 60, overlap: 12 });
        assert!(chunks.len() > 3);
        for chunk in &chunks {
            let last = chunk.text.chars().last().unwrap();
            assert!(".!?।॥".contains(last), "ends with `{last}`");
        }
    }
}

#[test]
fn an_abbreviation_or_a_decimal_point_does_not_end_a_chunk() {
    let text =
        "One two three four five six seven eight nine. The price is Rs. 1,250.50 per quintal net of tax. ".repeat(3);
    for chunk in chunks(&text, &Pieces, ChunkSize { tokens: 26, overlap: 0 }) {
        assert!(!chunk.text.ends_with("Rs."), "{}", chunk.text);
    }
}

#[test]
fn a_cut_never_separates_a_letter_from_its_vowel_sign() {
    for chunk in chunks(&"क्षिप्रा".repeat(300), &Pieces, SIZE) {
        let first = chunk.text.chars().next().unwrap();
        assert!(!crate::characters::is_mark(first), "begins with {first:?}");
    }
}

#[test]
fn words_that_the_model_does_not_know_do_not_make_huge_chunks() {
    let text = format!("{} {}", "x".repeat(10_000), "y".repeat(10_000));
    for chunk in chunks(&text, &Unknown, ChunkSize::default()) {
        assert!(chunk.text.chars().count() <= MAX_CHUNK_CHARACTERS);
    }
}

#[test]
fn blank_text_has_no_chunks_and_short_text_has_one() {
    assert!(chunks(" \n\t ", &Pieces, SIZE).is_empty());
    let one = chunks("  The buyer pays. ", &Pieces, SIZE);
    assert_eq!(one.len(), 1);
    assert_eq!(one[0].text, "The buyer pays.");
    assert_eq!(one[0].characters, 2..17);
}
