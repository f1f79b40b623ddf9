//! The languages that Mandi speaks.

use serde::{Deserialize, Serialize};

/// English and nine Indian languages, by ISO 639-1 code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Hindi.
    Hi,
    /// Tamil.
    Ta,
    /// Telugu.
    Te,
    /// Marathi.
    Mr,
    /// Gujarati.
    Gu,
    /// Kannada.
    Kn,
    /// Malayalam.
    Ml,
    /// Punjabi (Gurmukhi script).
    Pa,
    /// Bengali.
    Bn,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 10] =
        [Self::En, Self::Hi, Self::Ta, Self::Te, Self::Mr, Self::Gu, Self::Kn, Self::Ml, Self::Pa, Self::Bn];

    /// The ISO 639-1 code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Hi => "hi",
            Self::Ta => "ta",
            Self::Te => "te",
            Self::Mr => "mr",
            Self::Gu => "gu",
            Self::Kn => "kn",
            Self::Ml => "ml",
            Self::Pa => "pa",
            Self::Bn => "bn",
        }
    }

    /// Its English name, as a prompt says it.
    #[must_use]
    pub const fn english_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Hi => "Hindi",
            Self::Ta => "Tamil",
            Self::Te => "Telugu",
            Self::Mr => "Marathi",
            Self::Gu => "Gujarati",
            Self::Kn => "Kannada",
            Self::Ml => "Malayalam",
            Self::Pa => "Punjabi",
            Self::Bn => "Bengali",
        }
    }

    /// The language of a text by its script, where the script tells. Devanagari is Marathi if `otherwise` is,
    /// else Hindi; Latin script is English when it has function words of English; everything else is `otherwise`, for
    /// Indian languages are written in Latin script too.
    #[must_use]
    pub fn of_text(text: &str, otherwise: Self) -> Self {
        let latin = if has_english_words(text) { Self::En } else { otherwise };
        let mut counts = [0_u32; 9];
        let scripts: [(std::ops::RangeInclusive<char>, Self); 9] = [
            ('\u{0900}'..='\u{097F}', if otherwise == Self::Mr { Self::Mr } else { Self::Hi }),
            ('\u{0980}'..='\u{09FF}', Self::Bn),
            ('\u{0A00}'..='\u{0A7F}', Self::Pa),
            ('\u{0A80}'..='\u{0AFF}', Self::Gu),
            ('\u{0B80}'..='\u{0BFF}', Self::Ta),
            ('\u{0C00}'..='\u{0C7F}', Self::Te),
            ('\u{0C80}'..='\u{0CFF}', Self::Kn),
            ('\u{0D00}'..='\u{0D7F}', Self::Ml),
            ('A'..='z', latin),
        ];
        for character in text.chars().filter(|character| !character.is_ascii() || character.is_ascii_alphabetic()) {
            if let Some(found) = scripts.iter().position(|(range, _)| range.contains(&character)) {
                counts[found] += 1;
            }
        }
        let most = (0..scripts.len()).max_by_key(|place| (counts[*place], *place));
        most.map_or(otherwise, |place| scripts[place].1)
    }

    /// What is said, in this language, when the documents do not hold the answer.
    #[must_use]
    pub const fn not_enough_data(self) -> &'static str {
        match self {
            Self::En => "There is not enough data in the documents to answer this.",
            Self::Hi => "इस प्रश्न का उत्तर देने के लिए दस्तावेज़ों में पर्याप्त जानकारी नहीं है।",
            Self::Ta => "இந்தக் கேள்விக்குப் பதிலளிக்க ஆவணங்களில் போதுமான தகவல் இல்லை.",
            Self::Te => "ఈ ప్రశ్నకు సమాధానం ఇవ్వడానికి పత్రాలలో తగినంత సమాచారం లేదు.",
            Self::Mr => "या प्रश्नाचे उत्तर देण्यासाठी कागदपत्रांमध्ये पुरेशी माहिती नाही.",
            Self::Gu => "આ પ્રશ્નનો જવાબ આપવા માટે દસ્તાવેજોમાં પૂરતી માહિતી નથી.",
            Self::Kn => "ಈ ಪ್ರಶ್ನೆಗೆ ಉತ್ತರಿಸಲು ದಾಖಲೆಗಳಲ್ಲಿ ಸಾಕಷ್ಟು ಮಾಹಿತಿ ಇಲ್ಲ.",
            Self::Ml => "ഈ ചോദ്യത്തിന് ഉത്തരം നൽകാൻ രേഖകളിൽ മതിയായ വിവരമില്ല.",
            Self::Pa => "ਇਸ ਸਵਾਲ ਦਾ ਜਵਾਬ ਦੇਣ ਲਈ ਦਸਤਾਵੇਜ਼ਾਂ ਵਿੱਚ ਲੋੜੀਂਦੀ ਜਾਣਕਾਰੀ ਨਹੀਂ ਹੈ।",
            Self::Bn => "এই প্রশ্নের উত্তর দেওয়ার জন্য নথিগুলিতে যথেষ্ট তথ্য নেই।",
        }
    }
}

/// Whether a text has words that English sentences have and romanised Indian ones do not.
fn has_english_words(text: &str) -> bool {
    const WORDS: [&str; 28] = [
        "a", "an", "and", "are", "by", "can", "does", "for", "from", "how", "if", "is", "must", "of", "or", "shall",
        "the", "there", "this", "what", "when", "where", "which", "who", "why", "will", "with", "you",
    ];
    let words = text.split(|character: char| !character.is_ascii_alphabetic());
    words.filter(|word| !word.is_empty()).any(|word| WORDS.contains(&word.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_in_the_language_of_its_script() {
        assert_eq!(Language::of_text("खरीदार को भुगतान कब करना है?", Language::En), Language::Hi);
        assert_eq!(Language::of_text("खरेदीदाराने पैसे कधी द्यावेत?", Language::Mr), Language::Mr);
        assert_eq!(Language::of_text("வாங்குபவர் எப்போது பணம் செலுத்த வேண்டும்?", Language::En), Language::Ta);
        assert_eq!(Language::of_text("When must the buyer pay?", Language::En), Language::En);
        assert_eq!(Language::of_text("When must the buyer pay?", Language::Hi), Language::En);
        assert_eq!(Language::of_text("kapas ka bhugtan kab hoga?", Language::Hi), Language::Hi);
        assert_eq!(Language::of_text("12345", Language::Bn), Language::Bn);
    }

    #[test]
    fn every_language_can_say_that_it_does_not_know() {
        for language in Language::ALL {
            assert_eq!(Language::of_text(language.not_enough_data(), language), language);
        }
    }
}
