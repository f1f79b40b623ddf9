//! What kind of answer a question asks for, in ten languages.

mod words;

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
    /// An amount of money or a share: a price, a rate, a penalty.
    Amount,
    /// A person or a party.
    Who,
    /// A place.
    Where,
    /// What somebody or something is called.
    Name,
    /// Yes or no.
    Whether,
    /// Something else.
    Other,
}

/// Words that ask, by what they ask for. Sorted by language: English, Hindi, Marathi, Tamil, Telugu, Gujarati,
/// Kannada, Malayalam, Punjabi, Bengali, romanised Hindi.
const CUES: [(Asked, &[&str]); 5] = [
    (
        Asked::When,
        &[
            "when",
            "how long",
            "how soon",
            "how many days",
            "deadline",
            "due date",
            "what date",
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
    (
        Asked::Name,
        &[
            "what is the name",
            "नाम क्या",
            "नाम बताएं",
            "नाव काय",
            "பெயர் என்ன",
            "పేరు ఏమిటి",
            "નામ શું",
            "ಹೆಸರು ಏನು",
            "പേര് എന്താണ്",
            "ਨਾਮ ਕੀ",
            "ਨਾਂ ਕੀ",
            "নাম কী",
            "নাম কি",
        ],
    ),
];

impl Asked {
    /// What a question asks for.
    #[must_use]
    pub fn by(question: &str) -> Self {
        let words = format!(" {} ", plain_words(question));
        let asks = |cue: &&str| {
            // Indian words carry endings; English and romanised ones are whole.
            if cue.is_ascii() { words.contains(&format!(" {cue} ")) } else { words.contains(&format!(" {cue}")) }
        };
        let cued = CUES.iter().find(|(_, cues)| cues.iter().any(asks)).map(|(asked, _)| *asked);
        let amount = asks_for_amount(&words);
        // `What penalty is due when a lot is late?` asks for no time.
        let begins_with_amount = amount && [" what ", " which "].iter().any(|word| words.starts_with(word));
        let cued = cued.map(|asked| match asked {
            Self::HowMuch if names_amount(&words) => Self::Amount,
            Self::When if begins_with_amount => Self::Amount,
            asked => asked,
        });
        let yes_or_no =
            || YES_OR_NO.iter().any(|word| words.starts_with(&format!(" {word} "))).then_some(Self::Whether);
        cued.or_else(|| amount.then_some(Self::Amount)).or_else(yes_or_no).unwrap_or(Self::Other)
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
            Self::Amount => Some(has_amount(sentence)),
            Self::Who => Some(has_name(sentence) || has_word(sentence, PARTY_WORDS)),
            // Scripts without capitals do not show names.
            Self::Where | Self::Name => (!is_mostly_not_latin(sentence)).then(|| has_name(sentence)),
            Self::Whether | Self::Other => None,
        }
    }
}

/// What amounts of money and shares are called, after `what` or `which`.
const AMOUNTS: &[&str] = &[
    "amount",
    "brokerage",
    "charge",
    "charges",
    "commission",
    "cost",
    "damages",
    "demurrage",
    "discount",
    "fee",
    "fees",
    "fine",
    "interest",
    "penalty",
    "percentage",
    "price",
    "rate",
    "rent",
    "tax",
    "total",
    "value",
];
/// How many words may stand between `what` and an amount's name: `what is the credit limit`.
const WORDS_TO_AMOUNT: usize = 4;

/// Words that questions for yes or no begin with.
const YES_OR_NO: &[&str] =
    &["is", "are", "was", "were", "has", "have", "do", "does", "did", "may", "can", "must", "shall"];

fn asks_for_amount(words: &str) -> bool {
    let mut words = words.split_whitespace().skip_while(|word| !matches!(*word, "what" | "which"));
    words.next().is_some() && words.take(WORDS_TO_AMOUNT).any(|word| AMOUNTS.contains(&word))
}

/// Whether it is an amount of which a question asks how much.
fn names_amount(words: &str) -> bool {
    words.split_whitespace().any(|word| AMOUNTS.contains(&word) || matches!(word, "pay" | "pays" | "paid" | "costs"))
}

/// A number that is no date and no span of time; or a share.
fn has_amount(sentence: &str) -> bool {
    let facts = Facts::of(sentence);
    let spans: HashSet<&String> =
        facts.quantities.iter().filter(|(_, unit)| *unit != Unit::Percent).map(|(number, _)| number).collect();
    facts.quantities.iter().any(|(_, unit)| *unit == Unit::Percent)
        || facts.numbers.iter().any(|number| !spans.contains(number))
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

/// Words that mean something in the sentence before.
const BACK_REFERENCES: &[&str] = &[
    "this",
    "these",
    "that",
    "those",
    "it",
    "they",
    "such",
    "यह",
    "ये",
    "इस",
    "इन",
    "इसे",
    "इन्हें",
    "उस",
    "उन",
    "वह",
    "वे",
    "हा",
    "ही",
    "हे",
    "या",
    "இது",
    "இந்த",
    "இவை",
    "அது",
    "அந்த",
    "ఇది",
    "ఈ",
    "આ",
    "તે",
    "ಇದು",
    "ಈ",
    "ഇത്",
    "ഈ",
    "ਇਹ",
    "এই",
    "এটি",
];

/// Whether a sentence begins with a word that means something in the sentence before it.
#[must_use]
pub fn refers_back(sentence: &str) -> bool {
    let first = sentence.split(|character: char| !crate::characters::is_word(character)).find(|word| !word.is_empty());
    first.is_some_and(|word| BACK_REFERENCES.contains(&word.to_lowercase().as_str()))
}

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

fn plain_words(question: &str) -> String {
    let is_word = crate::characters::is_word;
    question
        .to_lowercase()
        .split(|character: char| !is_word(character))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The terms of what a question is about, each once: without the words that ask, and of a code such as
/// `SHK6-170` the whole alone.
#[must_use]
pub fn topic_terms(question: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let empty = |term: &str| {
        words::is_empty(term)
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
            ("Is it insured?", Asked::Whether),
            ("Which law holds?", Asked::Other),
            ("What is the penalty?", Asked::Amount),
            ("What penalty is due when a lot is late?", Asked::Amount),
            ("What is the due date of the fee?", Asked::When),
            ("Until what date may it be moved?", Asked::When),
            ("What interest does the buyer pay?", Asked::Amount),
            ("What is the name of the mill that gave a discount?", Asked::Name),
            ("How much interest does the buyer pay?", Asked::Amount),
            ("மேலாளரின் பெயர் என்ன?", Asked::Name),
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
        assert_eq!(Asked::Amount.is_answered_by("The buyer pays within 60 days."), Some(false));
        assert_eq!(Asked::Amount.is_answered_by("Interest is 9 % a year."), Some(true));
        assert_eq!(Asked::Amount.is_answered_by("The price is INR 5,840 per quintal."), Some(true));
        assert_eq!(Asked::Who.is_answered_by("the buyer insures it"), Some(true));
        assert_eq!(Asked::Where.is_answered_by("the seat is London"), Some(true));
        assert_eq!(Asked::Other.is_answered_by("x"), None);
    }

    #[test]
    fn the_topic_of_a_question_is_without_its_asking_words() {
        assert_eq!(topic_terms("When must the buyer pay under SHK6-170?"), ["buyer", "pay", "under", "shk6-170"]);
        assert_eq!(topic_terms("भुगतान कब होगा?"), ["भुगतान"]);
        assert_eq!(topic_terms("How much is the price?"), ["price"]);
        assert_eq!(topic_terms("किसान को क्या काग़ज़ लाने होंगे?"), ["किसान", "कागज", "लाने"]);
        assert_eq!(topic_terms("நமி: ஈரப்பதம் எவ்வளவு இருக்கலாம்?"), ["நமி", "ஈரப்பதம்"]);
    }
}
