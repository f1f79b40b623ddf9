//! The names of the months in English and nine Indian languages.

/// Full names and the usual variants, from January; English ones also by their first three letters.
const NAMES: [&[&str]; 12] = [
    &["january", "जनवरी", "जानेवारी", "ஜனவரி", "జనవరి", "જાન્યુઆરી", "ಜನವರಿ", "ജനുവരി", "ਜਨਵਰੀ", "জানুয়ারি"],
    &["february", "फरवरी", "फ़रवरी", "फेब्रुवारी", "பிப்ரவரி", "ఫిబ్రవరి", "ફેબ્રુઆરી", "ಫೆಬ್ರವರಿ", "ഫെബ്രുവരി", "ਫਰਵਰੀ", "ফেব্রুয়ারি"],
    &["march", "मार्च", "மார்ச்", "మార్చి", "માર્ચ", "ಮಾರ್ಚ್", "മാർച്ച്", "ਮਾਰਚ", "মার্চ"],
    &["april", "अप्रैल", "एप्रिल", "ஏப்ரல்", "ఏప్రిల్", "એપ્રિલ", "ಏಪ್ರಿಲ್", "ഏപ്രിൽ", "ਅਪ੍ਰੈਲ", "এপ্রিল"],
    &["may", "मई", "मे", "மே", "మే", "મે", "ಮೇ", "മേയ്", "ਮਈ", "মে"],
    &["june", "जून", "ஜூன்", "జూన్", "જૂન", "ಜೂನ್", "ജൂൺ", "ਜੂਨ", "জুন"],
    &["july", "जुलाई", "जुलै", "ஜூலை", "జూలై", "જુલાઈ", "ಜುಲೈ", "ജൂലൈ", "ਜੁਲਾਈ", "জুলাই"],
    &["august", "अगस्त", "ऑगस्ट", "ஆகஸ்ட்", "ఆగస్టు", "ઑગસ્ટ", "ಆಗಸ್ಟ್", "ഓഗസ്റ്റ്", "ਅਗਸਤ", "আগস্ট"],
    &["september", "सितंबर", "सितम्बर", "सप्टेंबर", "செப்டம்பர்", "సెప్టెంబర్", "સપ્ટેમ્બર", "ಸೆಪ್ಟೆಂಬರ್", "സെപ്റ്റംബർ", "ਸਤੰਬਰ", "সেপ্টেম্বর"],
    &["october", "अक्टूबर", "अक्तूबर", "ऑक्टोबर", "அக்டோபர்", "అక్టోబర్", "ઑક્ટોબર", "ಅಕ್ಟೋಬರ್", "ഒക്ടോബർ", "ਅਕਤੂਬਰ", "অক্টোবর"],
    &["november", "नवंबर", "नवम्बर", "नोव्हेंबर", "நவம்பர்", "నవంబర్", "નવેમ્બર", "ನವೆಂಬರ್", "നവംബർ", "ਨਵੰਬਰ", "নভেম্বর"],
    &["december", "दिसंबर", "दिसम्बर", "डिसेंबर", "டிசம்பர்", "డిసెంబర్", "ડિસેમ્બર", "ಡಿಸೆಂಬರ್", "ഡിസംബർ", "ਦਸੰਬਰ", "ডিসেম্বর"],
];

/// The month, 1 to 12, that a lower-case NFC word names.
pub(super) fn month(word: &str) -> Option<u32> {
    let english = |name: &str| name.is_ascii() && (word == &name[..3] || (name == "september" && word == "sept"));
    let place = NAMES.iter().position(|names| names.iter().any(|name| *name == word || english(name)))?;
    u32::try_from(place + 1).ok()
}

/// Whether a lower-case NFC word names a month.
pub(crate) fn is_month(word: &str) -> bool {
    month(word).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_known_by_name_and_by_three_letters() {
        for (word, number) in [("november", 11), ("nov", 11), ("sept", 9), ("नवंबर", 11), ("நவம்பர்", 11), ("may", 5)]
        {
            assert_eq!(month(word), Some(number), "{word}");
        }
        assert_eq!(month("monsoon"), None);
    }

    #[test]
    fn the_table_is_in_nfc_as_the_words_are_that_it_is_compared_with() {
        use unicode_normalization::is_nfc;
        assert!(NAMES.iter().flat_map(|names| names.iter()).all(|name| is_nfc(name)));
    }
}
