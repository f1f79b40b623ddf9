//! Makes a follow-up question stand alone: "and when must he pay?" after a question about a contract.
//!
//! Without a language model the key terms of the earlier questions (names, codes, subjects) are carried over.
//! With one, the model rewrites, and what it writes is used only if it passes [`check_rewrite`].

use mandi_core::ports::{ChatMessage, Role};

use crate::citations::Facts;
use crate::prompts;
use crate::question::topic_terms;
use crate::terms::terms;

/// How many earlier questions are read.
const EARLIER_QUESTIONS: usize = 3;
/// How many terms are carried over.
const CARRIED_TERMS: usize = 8;
/// A question with at most so many topic terms is taken to lean on what was said before, if it also begins so.
const SHORT_TOPIC: usize = 3;
/// The longest rewrite, in characters.
const MAX_REWRITE_CHARACTERS: usize = 300;
/// The least share of a rewrite's terms that must come from the conversation.
const MIN_KNOWN_SHARE: f32 = 0.7;

/// A message of the conversation so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who said it.
    pub role: Role,
    /// What was said.
    pub text: String,
}

/// Words that stand for something said before, in English, Hindi (also romanised), Marathi, Tamil, Telugu,
/// Gujarati, Kannada, Malayalam, Punjabi, Bengali.
const PRONOUNS: &[&str] = &[
    "he",
    "she",
    "it",
    "they",
    "him",
    "her",
    "them",
    "his",
    "its",
    "their",
    "theirs",
    "that",
    "this",
    "those",
    "these",
    "there",
    "then",
    "one",
    "वह",
    "वे",
    "उसे",
    "उन्हें",
    "उसका",
    "उसकी",
    "उसके",
    "उनका",
    "इसका",
    "इसकी",
    "इसके",
    "यह",
    "ये",
    "इसमें",
    "उसमें",
    "वो",
    "तो",
    "त्याने",
    "त्याला",
    "त्याचा",
    "ते",
    "அவர்",
    "அவன்",
    "அவள்",
    "அது",
    "அவை",
    "அவருக்கு",
    "அதன்",
    "இது",
    "இதன்",
    "అతను",
    "ఆయన",
    "అది",
    "దాని",
    "వారు",
    "તે",
    "તેણે",
    "તેને",
    "તેનું",
    "ಅವನು",
    "ಅವರು",
    "ಅದು",
    "ಅದರ",
    "അവൻ",
    "അവർ",
    "അത്",
    "അതിന്റെ",
    "ਉਹ",
    "ਉਸਨੂੰ",
    "ਉਸਦਾ",
    "ਇਹ",
    "সে",
    "তিনি",
    "তারা",
    "এটা",
    "এটি",
    "তাকে",
    "তার",
    "woh",
    "usko",
    "uska",
    "uski",
    "iska",
    "iski",
    "yeh",
];

/// Words that begin a question which goes on from the one before.
const OPENERS: &[&str] = &[
    "and",
    "but",
    "or",
    "also",
    "then",
    "so",
    "और",
    "या",
    "तो",
    "फिर",
    "आणि",
    "मग",
    "மேலும்",
    "மற்றும்",
    "మరియు",
    "అయితే",
    "અને",
    "ಮತ್ತು",
    "അപ്പോൾ",
    "ਅਤੇ",
    "ਤੇ",
    "এবং",
    "আর",
    "aur",
];

/// Whether a question leans on what was said before it.
#[must_use]
pub fn is_follow_up(question: &str) -> bool {
    let lower = question.to_lowercase();
    let words: Vec<&str> =
        lower.split(|character: char| !crate::characters::is_word(character)).filter(|word| !word.is_empty()).collect();
    let opens = words.first().is_some_and(|word| OPENERS.contains(word))
        || lower.trim_start().starts_with("what about")
        || lower.trim_start().starts_with("how about");
    let refers = words.iter().any(|word| PRONOUNS.contains(word));
    let topic = topic_terms(question);
    opens || (refers && topic.len() <= SHORT_TOPIC) || topic.is_empty()
}

/// The question with the key terms of the earlier questions; `None` when it stands alone, or nothing was asked
/// before.
#[must_use]
pub fn carry_over(question: &str, history: &[Turn]) -> Option<String> {
    if !is_follow_up(question) {
        return None;
    }
    let earlier: Vec<&str> =
        history.iter().filter(|turn| turn.role == Role::User).map(|turn| turn.text.as_str()).collect();
    let mut known = terms(question);
    let mut carried: Vec<&str> = Vec::new();
    // The last question first; further back only while it leans on the one before it, too.
    for turn in earlier.iter().rev().take(EARLIER_QUESTIONS) {
        for word in key_words(turn) {
            let new: Vec<String> = terms(word).into_iter().filter(|term| !known.contains(term)).collect();
            if !new.is_empty() && carried.len() < CARRIED_TERMS {
                known.extend(new);
                carried.push(word);
            }
        }
        if !is_follow_up(turn) {
            break;
        }
    }
    (!carried.is_empty()).then(|| format!("{} ({})", question.trim(), carried.join(" ")))
}

/// The words of a question that say what it is about, as they are written.
fn key_words(question: &str) -> Vec<&str> {
    let topic = topic_terms(question);
    let words = question.split_whitespace().map(|word| word.trim_matches(|c: char| !crate::characters::is_word(c)));
    words
        .filter(|word| !word.is_empty() && !PRONOUNS.contains(&word.to_lowercase().as_str()))
        .filter(|word| !OPENERS.contains(&word.to_lowercase().as_str()))
        .filter(|word| {
            let own = terms(word);
            own.iter().any(|term| topic.contains(term))
                && !own.iter().all(|term| matches!(term.as_str(), "must" | "shall" | "may"))
        })
        .collect()
}

/// The prompt that asks a language model for the question alone, or `None` when the question stands alone.
#[must_use]
pub fn rewrite_prompt(question: &str, history: &[Turn]) -> Option<Vec<ChatMessage>> {
    if history.is_empty() || !is_follow_up(question) {
        return None;
    }
    let recent = &history[history.len().saturating_sub(2 * EARLIER_QUESTIONS)..];
    Some(prompts::rewrite(question, recent))
}

/// What a model wrote, if it is a question that the conversation accounts for: one line, not long, no number,
/// date or code that was not said, and mostly words that were.
#[must_use]
pub fn check_rewrite(written: &str, question: &str, history: &[Turn]) -> Option<String> {
    let line = written.trim().lines().next()?.trim().trim_matches(['"', '“', '”']).trim();
    if line.is_empty() || line.chars().count() > MAX_REWRITE_CHARACTERS || written.trim().lines().count() > 1 {
        return None;
    }
    let mut said: Vec<String> = terms(question);
    let mut facts = Facts::of(question);
    for turn in history {
        said.extend(terms(&turn.text));
        facts.extend(Facts::of(&turn.text));
    }
    let written = terms(line);
    let known = written.iter().filter(|term| said.contains(term)).count();
    let enough = !written.is_empty() && share(known, written.len()) >= MIN_KNOWN_SHARE;
    let keeps_topic = topic_terms(question).iter().all(|term| written.contains(term) || is_reference(term));
    (enough && keeps_topic && Facts::of(line).missing_from(&facts).is_none()).then(|| line.to_owned())
}

fn is_reference(term: &str) -> bool {
    PRONOUNS.contains(&term) || OPENERS.contains(&term)
}

#[expect(clippy::cast_precision_loss, reason = "counts of terms are far below 2^24")]
fn share(part: usize, whole: usize) -> f32 {
    part as f32 / whole as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Turn {
        Turn { role: Role::User, text: text.to_owned() }
    }

    fn answered(text: &str) -> Turn {
        Turn { role: Role::Assistant, text: text.to_owned() }
    }

    #[test]
    fn a_follow_up_takes_over_what_the_last_question_was_about() {
        let history =
            [asked("What does contract SHK6-170 say about Sharma Traders?"), answered("It is a supply contract.")];
        let rewritten = carry_over("and when must he pay?", &history).unwrap_or_default();
        assert!(rewritten.starts_with("and when must he pay?"), "{rewritten}");
        for word in ["contract", "SHK6-170", "Sharma", "Traders"] {
            assert!(rewritten.contains(word), "{word}: {rewritten}");
        }
    }

    #[test]
    fn a_chain_of_follow_ups_reaches_back_to_the_subject() {
        let history = [asked("Who buys under SHK6-170?"), answered("Sharma."), asked("and how does he pay?")];
        assert!(carry_over("and when?", &history).is_some_and(|rewritten| rewritten.contains("SHK6-170")));
    }

    #[test]
    fn a_question_that_stands_alone_is_left_alone() {
        let history = [asked("What is the price of rice?")];
        for question in ["When must the buyer pay under contract SHK6-170?", "कुल भुगतान की राशि कितनी है?"]
        {
            assert_eq!(carry_over(question, &history), None, "{question}");
        }
        assert_eq!(carry_over("and when?", &[]), None);
    }

    #[test]
    fn follow_ups_in_hindi_and_tamil_are_seen() {
        let history = [asked("अनुबंध SHK6-170 में क्रेता कौन है?")];
        assert!(carry_over("और वह कब भुगतान करेगा?", &history).is_some_and(|rewritten| rewritten.contains("SHK6-170")));
        let history = [asked("ஒப்பந்தம் SHK6-170 யாருடையது?")];
        assert!(
            carry_over("அவர் எப்போது செலுத்த வேண்டும்?", &history).is_some_and(|rewritten| rewritten.contains("SHK6-170"))
        );
    }

    #[test]
    fn a_models_rewrite_is_used_only_when_the_conversation_accounts_for_it() {
        let history = [asked("What does contract SHK6-170 say about Sharma Traders?")];
        let check = |written: &str| check_rewrite(written, "and when must he pay?", &history);
        let good = "When must Sharma Traders pay under contract SHK6-170?";
        assert_eq!(check(&format!("\"{good}\"\n")).as_deref(), Some(good));
        for bad in [
            "",
            "When must Sharma Traders pay under contract SHK6-171?",
            "Sharma Traders must pay within 30 days.",
            "The capital of France is Paris, a beautiful town.",
            "When must Sharma Traders pay?\nHere is an explanation.",
            "What does contract SHK6-170 say about Sharma Traders?",
        ] {
            assert_eq!(check(bad), None, "{bad}");
        }
    }
}
