//! Units that change the sense of a number: spans of time, and per cent.

/// A unit of time, or per cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Weeks.
    Week,
    /// Months.
    Month,
    /// Years.
    Year,
    /// Per cent.
    Percent,
}

/// The beginnings of the words for each unit in ten languages (their endings vary with case and number).
const WORDS: [(Unit, &[&str]); 6] = [
    (Unit::Hour, &["hour", "घंटे", "घंटा", "घण्ट", "तास", "மணி", "గంట", "કલાક", "ಗಂಟೆ", "മണിക്കൂ", "ਘੰਟ", "ঘণ্টা"]),
    (Unit::Day, &["day", "दिन", "दिवस", "நாள்", "நாட்க", "రోజు", "દિવસ", "ದಿನ", "ദിവസ", "ਦਿਨ", "দিন"]),
    (Unit::Week, &["week", "सप्ताह", "हफ्ते", "हफ़्ते", "आठवड", "வார", "వార", "અઠવાડ", "ವಾರ", "ആഴ്ച", "ਹਫ਼ਤ", "ਹਫਤ", "সপ্তাহ"]),
    (Unit::Month, &["month", "महीन", "माह", "मास", "महिन", "மாத", "నెల", "મહિન", "ತಿಂಗಳ", "മാസ", "ਮਹੀਨ", "মাস"]),
    (Unit::Year, &["year", "वर्ष", "साल", "வருட", "ஆண்டு", "సంవత్సర", "વર્ષ", "ವರ್ಷ", "വർഷ", "ਸਾਲ", "বছর"]),
    (Unit::Percent, &["%", "percent", "प्रतिशत", "टक्के", "சதவீத", "శాతం", "ટકા", "ಶೇಕಡ", "ശതമാന", "ਪ੍ਰਤੀਸ਼ਤ", "শতাংশ"]),
];

impl Unit {
    /// The unit that a lower-case word names. English words must be the unit's own (`day`, `days`).
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let names = |start: &&str| {
            word.strip_prefix(*start).is_some_and(|ending| !start.is_ascii() || matches!(ending, "" | "s"))
        };
        WORDS.iter().find(|(_, starts)| starts.iter().any(names)).map(|(unit, _)| *unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_known_by_their_words() {
        for (word, unit) in [
            ("days", Unit::Day),
            ("दिनों", Unit::Day),
            ("நாட்களுக்குள்", Unit::Day),
            ("महीने", Unit::Month),
            ("%", Unit::Percent),
            ("వారాలు", Unit::Week),
        ] {
            assert_eq!(Unit::of_word(word), Some(unit), "{word}");
        }
        assert_eq!(Unit::of_word("daylight"), None);
    }
}
