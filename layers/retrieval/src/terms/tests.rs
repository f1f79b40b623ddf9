use super::*;

fn found(text: &str) -> Vec<String> {
    terms(text)
}

fn has(text: &str, term: &str) -> bool {
    terms(text).iter().any(|found| found == term)
}

#[test]
fn indic_words_keep_their_vowel_signs_and_viramas() {
    assert_eq!(found("भुगतान की तारीख"), ["भुगतान", "की", "तारीख"]);
    assert_eq!(found("ஒப்பந்தம், விலை"), ["ஒப்பந்தம்", "விலை"]);
    for word in ["ఒప్పందం", "करारपत्र", "કરાર", "ಒಪ್ಪಂದ", "കരാർ", "ਇਕਰਾਰਨਾਮਾ", "চুক্তি"]
    {
        assert_eq!(found(&format!("({word})")), [word]);
    }
}

#[test]
fn a_word_is_the_same_with_and_without_joiners() {
    assert_eq!(found("क्\u{200D}ष"), found("क्ष"));
    assert_eq!(found("श्री\u{200C}मान"), found("श्रीमान"));
    assert_eq!(found("അവന\u{0D4D}\u{200D}"), found("അവൻ"));
    assert_eq!(found("হঠাত\u{09CD}\u{200D}"), found("হঠাৎ"));
}

#[test]
fn composed_and_decomposed_letters_are_the_same() {
    assert_eq!(found("\u{0958}लम"), found("\u{0915}\u{093C}लम"));
    assert_eq!(found("Café"), found("Cafe\u{301}"));
}

#[test]
fn persian_letters_of_hindi_are_the_same_with_and_without_their_dots() {
    for (dotted, plain) in
        [("काग़ज़", "कागज"), ("ज़्यादा", "ज्यादा"), ("क़ीमत", "कीमत"), ("फ़सल", "फसल"), ("ख़रीदार", "खरीदार")]
    {
        assert_eq!(found(dotted), [plain]);
    }
    for word in ["सड़क", "पढ़ना"] {
        assert_eq!(found(word)[0].matches('\u{093C}').count(), 1, "{word}");
    }
}

#[test]
fn digits_of_every_script_are_ascii_digits() {
    for text in ["१७०", "১৭০", "੧੭੦", "૧૭૦", "௧௭௦", "౧౭౦", "೧೭೦", "൧൭൦"]
    {
        assert_eq!(found(text), ["170"]);
    }
}

#[test]
fn a_code_is_found_whole_and_by_part() {
    assert_eq!(found("SHK6-170"), ["shk6-170", "shk6170", "shk6", "170"]);
    assert!(has("INV/2026/0042.", "inv/2026/0042"));
    assert!(has("INV/2026/0042.", "0042"));
    assert!(has("due 2026-11-21", "2026-11-21"));
    assert!(has("SHK6\u{2011}170", "shk6-170"), "a non-breaking hyphen is a hyphen");
}

#[test]
fn numbers_are_found_without_commas_and_without_ending_zeros() {
    assert_eq!(found("1,250.00"), ["1250", "1250.00"]);
    assert_eq!(found("12,50,000"), ["1250000"]);
    assert_eq!(found("3.50 %"), ["3.5", "3.50"]);
    assert_eq!(found("1,2"), ["12"]);
    assert_eq!(found("clause 4.2.1"), ["claus", "4.2.1"]);
    assert_eq!(found("rice,wheat"), ["rice", "wheat"]);
}

#[test]
fn english_is_stemmed_and_its_function_words_are_dropped() {
    assert_eq!(found("When must the buyer pay?"), ["must", "buyer", "pay"]);
    assert_eq!(found("Deliveries"), found("delivery"));
    assert_eq!(found("the buyer's"), ["buyer"]);
    assert!(has("shall not", "not"), "a negation is no function word");
}

#[test]
fn hyphenated_words_are_found_joined_and_by_part() {
    assert_eq!(found("e-mail"), ["email", "e", "mail"]);
    assert_eq!(found("and/or"), Vec::<String>::new());
}

#[test]
fn the_stop_words_are_sorted_for_the_binary_search() {
    assert!(STOP_WORDS.is_sorted());
}

#[test]
fn a_blob_makes_one_short_term() {
    let blob = "x".repeat(10_000);
    assert!(found(&blob).iter().all(|term| term.chars().count() <= MAX_TERM_CHARACTERS));
}

#[test]
fn blank_text_and_bare_punctuation_have_no_terms() {
    assert_eq!(found(" \n—…।॥ ।"), Vec::<String>::new());
}
