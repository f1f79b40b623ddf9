//! What kind of answer a question asks for, in ten languages.

use std::collections::HashSet;

use crate::characters::is_mostly_not_latin;
use crate::citations::{Facts, Unit};
use crate::terms::terms;

/// What a question asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A date or a span of time.
    When,
    /// A number or an amount.
    HowMuch,
    /// A person or a party.
    Who,
    /// A place.
    Where,
    /// Something else.
    Other,
}

/// Words that ask, by what they ask for. Sorted by language: English, Hindi, Marathi, Tamil, Telugu, Gujarati,
/// Kannada, Malayalam, Punjabi, Bengali, romanised Hindi.
const CUES: [(Asked, &[&str]); 4] = [
    (
        Asked::When,
        &[
            "when",
            "how long",
            "how soon",
            "how many days",
            "deadline",
            "due date",
            "by what date",
            "which date",
            "कब",
            "कितने दिन",
            "किस तारीख",
            "केव्हा",
            "कधी",
            "किती दिवस",
            "எப்போது",
            "எத்தனை நாட்",
            "எந்த தேதி",
            "ఎప్పుడు",
            "ఎన్ని రోజు",
            "ક્યારે",
            "કેટલા દિવસ",
            "ಯಾವಾಗ",
            "ಎಷ್ಟು ದಿನ",
            "എപ്പോൾ",
            "എത്ര ദിവസ",
            "ਕਦੋਂ",
            "ਕਿੰਨੇ ਦਿਨ",
            "কখন",
            "কবে",
            "কত দিন",
            "kab",
            "kitne din",
        ],
    ),
    (
        Asked::HowMuch,
        &[
            "how much",
            "how many",
            "what price",
            "what is the price",
            "what amount",
            "how large",
            "how high",
            "what percentage",
            "कितना",
            "कितने",
            "कितनी",
            "किती",
            "எவ்வளவு",
            "எத்தனை",
            "ఎంత",
            "ఎన్ని",
            "કેટલ",
            "ಎಷ್ಟು",
            "എത്ര",
            "ਕਿੰਨ",
            "কত",
            "kitna",
            "kitne",
            "kitni",
        ],
    ),
    (
        Asked::Who,
        &[
            "who",
            "whom",
            "whose",
            "which party",
            "कौन",
            "किसे",
            "किसने",
            "किसको",
            "कोण",
            "யார்",
            "யாருக்கு",
            "ఎవరు",
            "ఎవరికి",
            "કોણ",
            "કોને",
            "ಯಾರು",
            "ಯಾರಿಗೆ",
            "ആര്",
            "ആരാണ്",
            "ആർക്ക്",
            "ਕੌਣ",
            "ਕਿਸਨੂੰ",
            "কে",
            "কাকে",
            "kaun",
            "kisko",
        ],
    ),
    (
        Asked::Where,
        &[
            "where",
            "which place",
            "which warehouse",
            "which port",
            "कहाँ",
            "कहां",
            "कुठे",
            "எங்கே",
            "எங்கு",
            "ఎక్కడ",
            "ક્યાં",
            "ಎಲ್ಲಿ",
            "എവിടെ",
            "ਕਿੱਥੇ",
            "কোথায়",
            "kahan",
        ],
    ),
];

/// Words of questions that say nothing of what is asked about, beside those of the cues.
const EMPTY_WORDS: &[&str] = &[
    "क्या",
    "है",
    "हैं",
    "होगा",
    "होगी",
    "होता",
    "का",
    "की",
    "के",
    "को",
    "में",
    "से",
    "पर",
    "तक",
    "और",
    "कौन",
    "सा",
    "सी",
    "से",
    "आहे",
    "आहेत",
    "चा",
    "ची",
    "चे",
    "काय",
    "என்ன",
    "எது",
    "ஆகும்",
    "உள்ளது",
    "ఏమిటి",
    "ఏది",
    "ఉంది",
    "શું",
    "છે",
    "ની",
    "નો",
    "નું",
    "ಏನು",
    "ಇದೆ",
    "എന്ത്",
    "എന്താണ്",
    "ആണ്",
    "ਕੀ",
    "ਹੈ",
    "ਦਾ",
    "ਦੀ",
    "ਦੇ",
    "কী",
    "কি",
    "হয়",
    "এর",
    "kya",
    "hai",
    "ka",
    "ki",
    "ke",
    "ko",
    "mein",
    "much",
    "many",
    "long",
    "soon",
];

impl Asked {
    /// What a question asks for.
    #[must_use]
    pub fn by(question: &str) -> Self {
        let words = format!(" {} ", words(question));
        let asks = |cue: &&str| {
            // Indian words carry endings; English and romanised ones are whole.
            if cue.is_ascii() { words.contains(&format!(" {cue} ")) } else { words.contains(&format!(" {cue}")) }
        };
        CUES.iter().find(|(_, cues)| cues.iter().any(asks)).map_or(Self::Other, |(asked, _)| *asked)
    }

    /// Whether a sentence has what is asked for; `None` when that cannot be seen.
    #[must_use]
    pub fn is_answered_by(self, sentence: &str) -> Option<bool> {
        match self {
            Self::When => {
                let facts = Facts::of(sentence);
                let span = facts.quantities.iter().any(|(_, unit)| *unit != Unit::Percent);
                Some(span || !facts.dates.is_empty() || has_word(sentence, TIME_WORDS))
            }
            Self::HowMuch => Some(!Facts::of(sentence).numbers.is_empty()),
            Self::Who => Some(has_name(sentence) || has_word(sentence, PARTY_WORDS)),
            // A place has a name; scripts without capitals do not show it.
            Self::Where => (!is_mostly_not_latin(sentence)).then(|| has_name(sentence)),
            Self::Other => None,
        }
    }
}

const TIME_WORDS: &[&str] = &[
    "immediately",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "daily",
    "weekly",
    "monthly",
    "annually",
    "before",
    "after",
    "upon",
    "सोमवार",
    "मंगलवार",
    "बुधवार",
    "गुरुवार",
    "शुक्रवार",
    "शनिवार",
    "रविवार",
    "तुरंत",
    "உடனடியாக",
];

const PARTY_WORDS: &[&str] = &[
    "buyer",
    "seller",
    "supplier",
    "customer",
    "vendor",
    "carrier",
    "broker",
    "licensor",
    "licensee",
    "contributor",
    "owner",
    "author",
    "party",
    "parties",
    "क्रेता",
    "विक्रेता",
    "खरीदार",
    "வாங்குபவர்",
    "விற்பவர்",
    "விற்பனையாளர்",
];

fn has_word(sentence: &str, words: &[&str]) -> bool {
    sentence.split(|character: char| !crate::characters::is_word(character)).any(|word| {
        let word = word.to_lowercase();
        words.contains(&word.as_str())
    })
}

/// A capital inside the sentence, in scripts that have capitals.
fn has_name(sentence: &str) -> bool {
    sentence.split_whitespace().skip(1).any(|word| word.chars().next().is_some_and(char::is_uppercase))
}

fn words(question: &str) -> String {
    let is_word = crate::characters::is_word;
    question
        .to_lowercase()
        .split(|character: char| !is_word(character))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Words of questions that only ask or say that something must be, as English terms.
const ENGLISH_EMPTY_TERMS: &[&str] = &[
    "must", "shall", "may", "might", "need", "much", "mani", "long", "soon", "high", "low", "larg", "far", "often",
    "ani", "kab", "kitna", "kitn", "kitni", "kaun", "kisko", "kahan",
];

/// The terms of what a question is about, each once: without the words that ask, and of a code such as
/// `SHK6-170` the whole alone.
#[must_use]
pub fn topic_terms(question: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let empty = |term: &str| {
        EMPTY_WORDS.contains(&term)
            || ENGLISH_EMPTY_TERMS.contains(&term)
            || CUES
                .iter()
                .any(|(_, cues)| cues.iter().any(|cue| !cue.contains(' ') && !cue.is_ascii() && term.starts_with(cue)))
    };
    let of_word = |word: &str| {
        let mut found = terms(word);
        let is_code = found.len() > 1 && found[0].bytes().any(|byte| byte.is_ascii_digit());
        if is_code {
            found.truncate(1);
        }
        found
    };
    let found = question.split_whitespace().flat_map(of_word).filter(|term| !empty(term));
    found.filter(|term| seen.insert(term.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_asks_for_a_time_an_amount_a_party_or_a_place_in_any_language() {
        for (question, asked) in [
            ("When must the buyer pay?", Asked::When),
            ("How many days does the seller have?", Asked::When),
            ("How much rice is in stock?", Asked::HowMuch),
            ("Who pays for insurance?", Asked::Who),
            ("Where is the rice?", Asked::Where),
            ("Is it insured?", Asked::Other),
            ("भुगतान कब करना है?", Asked::When),
            ("कितना चावल है?", Asked::HowMuch),
            ("பணம் எப்போது செலுத்த வேண்டும்?", Asked::When),
            ("விலை எவ்வளவு?", Asked::HowMuch),
            ("bhugtan kab hoga", Asked::When),
        ] {
            assert_eq!(Asked::by(question), asked, "{question}");
        }
    }

    #[test]
    fn a_sentence_shows_whether_it_has_what_is_asked_for() {
        assert_eq!(Asked::When.is_answered_by("within 30 days"), Some(true));
        assert_eq!(Asked::When.is_answered_by("३० दिनों के भीतर"), Some(true));
        assert_eq!(Asked::When.is_answered_by("The price is fixed"), Some(false));
        assert_eq!(Asked::HowMuch.is_answered_by("INR 500"), Some(true));
        assert_eq!(Asked::Who.is_answered_by("the buyer insures it"), Some(true));
        assert_eq!(Asked::Where.is_answered_by("the seat is London"), Some(true));
        assert_eq!(Asked::Other.is_answered_by("x"), None);
    }

    #[test]
    fn the_topic_of_a_question_is_without_its_asking_words() {
        assert_eq!(topic_terms("When must the buyer pay under SHK6-170?"), ["buyer", "pay", "under", "shk6-170"]);
        assert_eq!(topic_terms("भुगतान कब होगा?"), ["भुगतान"]);
        assert_eq!(topic_terms("How much is the price?"), ["price"]);
    }
}
