//! What a character is to keyword search and to quotes, in all the scripts that Mandi speaks.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// The zeros of the decimal digits that we map to ASCII: Arabic-Indic, Persian, then the ten Indian scripts
/// (Devanagari, Bengali, Gurmukhi, Gujarati, Odia, Tamil, Telugu, Kannada, Malayalam), then full width.
const ZEROS: [u32; 12] =
    [0x0660, 0x06F0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0xFF10];

/// The ASCII digit of a decimal digit of any of these scripts; other characters come back as they are.
#[must_use]
pub fn ascii_digit(character: char) -> char {
    let code = u32::from(character);
    let value = ZEROS.iter().find_map(|zero| code.checked_sub(*zero).filter(|value| *value < 10));
    value.and_then(|value| char::from_digit(value, 10)).unwrap_or(character)
}

/// Zero-width joiner and non-joiner: they shape Indic letters, and belong to the word they stand in.
#[must_use]
pub const fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200C}' | '\u{200D}')
}

/// Characters without width or meaning of their own: joiners, zero-width space, byte-order mark, soft hyphen.
#[must_use]
pub const fn is_invisible(character: char) -> bool {
    is_joiner(character) || matches!(character, '\u{200B}' | '\u{2060}' | '\u{FEFF}' | '\u{00AD}')
}

/// Letters, marks (vowel signs and viramas among them) and numbers: what words are made of.
#[must_use]
pub fn is_word(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric();
    }
    matches!(
        character.general_category_group(),
        GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark | GeneralCategoryGroup::Number
    )
}

/// A mark that belongs to the letter before it.
#[must_use]
pub fn is_mark(character: char) -> bool {
    !character.is_ascii() && character.general_category_group() == GeneralCategoryGroup::Mark
}

/// A currency sign, such as `₹` or `$`.
#[must_use]
pub fn is_currency_sign(character: char) -> bool {
    character.general_category() == GeneralCategory::CurrencySymbol
}

/// Hyphens and dashes become `-`, quotation marks and apostrophes `"` and `'`; others come back as they are.
#[must_use]
pub const fn plain_punctuation(character: char) -> char {
    match character {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}' => '-',
        '\u{2018}'..='\u{201B}' | '\u{2032}' | '\u{02BC}' | '`' | '\u{00B4}' => '\'',
        '\u{201C}'..='\u{201F}' | '\u{2033}' | '\u{00AB}' | '\u{00BB}' => '"',
        _ => character,
    }
}

/// Whether most letters of a text are of another script than Latin.
#[must_use]
pub fn is_mostly_not_latin(text: &str) -> bool {
    let (mut latin, mut other) = (0_usize, 0_usize);
    for character in text.chars().filter(|character| character.is_alphabetic()) {
        if character < '\u{0250}' {
            latin += 1;
        } else {
            other += 1;
        }
    }
    other > latin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_every_script_become_ascii() {
        for digits in ["१७०", "১৭০", "੧੭੦", "૧૭૦", "௧௭௦", "౧౭౦", "೧೭೦", "൧൭൦", "١٧٠", "１７０"]
        {
            assert_eq!(digits.chars().map(ascii_digit).collect::<String>(), "170", "{digits}");
        }
    }

    #[test]
    fn vowel_signs_and_viramas_are_parts_of_words() {
        assert!("भुगतानஒப்பந்தம்".chars().all(is_word));
        assert!(!"।॥-, ₹".chars().any(is_word));
    }

    #[test]
    fn the_script_of_most_letters_decides() {
        assert!(is_mostly_not_latin("अनुबंध SHK6 का भुगतान कब होगा"));
        assert!(!is_mostly_not_latin("When is the भुगतान due?"));
        assert!(!is_mostly_not_latin("170"));
    }
}
