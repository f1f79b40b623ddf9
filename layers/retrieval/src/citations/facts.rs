//! The numbers, dates and codes of a text, in any script and format, so that they can be compared.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;

use super::months::month;
use super::units::Unit;
use crate::characters::{ascii_digit, is_joiner, is_word, plain_punctuation};

/// A date, or as much of one as the text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateFact {
    /// The year, of four digits.
    pub year: Option<u32>,
    /// The month, 1 to 12.
    pub month: u32,
    /// The day of the month.
    pub day: Option<u32>,
}

impl DateFact {
    /// Whether `other` says all that this one says.
    fn within(self, other: Self) -> bool {
        let same = |mine: Option<u32>, others: Option<u32>| mine.is_none_or(|mine| others == Some(mine));
        self.month == other.month && same(self.year, other.year) && same(self.day, other.day)
    }
}

/// What a text says in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Numbers as decimals without grouping, leading or ending zeros: `1250`, `0.5`.
    pub numbers: BTreeSet<String>,
    /// Numbers with the unit that follows them within three words; they are among `numbers` too.
    pub quantities: BTreeSet<(String, Unit)>,
    /// Dates. Their numbers are not among `numbers`.
    pub dates: BTreeSet<DateFact>,
    /// Words of letters and digits, such as `shk6-170`. Their digits are not among `numbers`.
    pub codes: BTreeSet<String>,
}

/// How far from its number a unit may stand, in words: `thirty (30) calendar days`.
const UNIT_DISTANCE: usize = 3;

impl Facts {
    /// Reads them: digits of every script, commas of thousands and lakhs, decimals, English number words from
    /// two to ninety-nine, and dates as `2026-11-21`, `21/11/2026` (day first, unless that is no date),
    /// `21 November 2026`, `November 21, 2026`, `Nov 2026`, `21st of November`, month names in ten languages.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let tokens = tokens(text);
        let mut facts = Self::default();
        let mut at = 0;
        while at < tokens.len() {
            at += match date_at(&tokens[at..]) {
                Some((date, length)) => {
                    facts.dates.insert(date);
                    length
                }
                None => facts.number_at(&tokens[at..]),
            };
        }
        facts
    }

    /// Reads a number or a code at the beginning of the tokens; returns how many tokens it took.
    fn number_at(&mut self, tokens: &[String]) -> usize {
        let first = &tokens[0];
        if let Some(tens) = number_word(first) {
            let follows = |unit: &u32| tens >= 20 && tens % 10 == 0 && (1..10).contains(unit);
            let unit = tokens.get(1).and_then(|next| number_word(next)).filter(follows);
            let taken = 1 + usize::from(unit.is_some());
            let value = tens + unit.unwrap_or(0);
            if value != 1 {
                self.add_number(value.to_string(), &tokens[taken..]);
            }
            return taken;
        }
        if !first.contains(|character: char| character.is_ascii_digit()) {
            return 1;
        }
        let amount = CURRENCIES.iter().find_map(|name| first.strip_prefix(name)).unwrap_or(first);
        let letters = amount.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '/'));
        if letters.contains(|character: char| character.is_ascii_digit()) {
            self.codes.insert(first.clone());
            return 1;
        }
        if let Some(unit) = Unit::of_word(letters) {
            self.quantities.insert((canonical(amount.trim_end_matches(letters)), unit));
        }
        for run in amount.split(|character: char| !(character.is_ascii_digit() || matches!(character, '.' | ','))) {
            let run = run.trim_matches(['.', ',']);
            if !run.is_empty() {
                self.add_number(canonical(run), &tokens[1..]);
            }
        }
        1
    }

    fn add_number(&mut self, number: String, after: &[String]) {
        let near = after.iter().take(UNIT_DISTANCE);
        if let Some(unit) = near.map(|word| Unit::of_word(word)).find_map(|unit| unit) {
            self.quantities.insert((number.clone(), unit));
        }
        self.numbers.insert(number);
    }

    /// The first number, quantity, date or code of these that the source does not hold, in words; `None` when it
    /// holds all. A date may be a part of a source's date; a number may be a part of one.
    #[must_use]
    pub fn missing_from(&self, source: &Self) -> Option<String> {
        let date = self.dates.iter().find(|date| !source.dates.iter().any(|other| date.within(*other)));
        if let Some(date) = date {
            let part = |part: Option<u32>| part.map_or_else(|| "?".to_owned(), |value| value.to_string());
            return Some(format!("{}-{}-{}", part(date.year), date.month, part(date.day)));
        }
        if let Some((number, unit)) = self.quantities.iter().find(|quantity| !source.quantities.contains(quantity)) {
            return Some(format!("{number} {unit:?}"));
        }
        let number = self.numbers.iter().find(|number| !source.holds_number(number));
        number.or_else(|| self.codes.iter().find(|code| !source.codes.contains(*code))).cloned()
    }

    /// Whether both say a number, a quantity of one unit, or a date that the other does not say: one of them was
    /// changed.
    #[must_use]
    pub fn contradicts(&self, other: &Self) -> bool {
        let lacks = |one: &Self, other: &Self| one.numbers.iter().any(|number| !other.holds_number(number));
        let lacks_date =
            |one: &Self, other: &Self| one.dates.iter().any(|date| !other.dates.iter().any(|held| date.within(*held)));
        (lacks(self, other) && lacks(other, self)) || (lacks_date(self, other) && lacks_date(other, self))
    }

    fn holds_number(&self, number: &str) -> bool {
        let part_of = |date: &DateFact| {
            [date.year, Some(date.month), date.day].into_iter().flatten().any(|value| value.to_string() == *number)
        };
        self.numbers.contains(number) || self.dates.iter().any(part_of)
    }

    /// Adds what another text says.
    pub fn extend(&mut self, other: Self) {
        self.numbers.extend(other.numbers);
        self.quantities.extend(other.quantities);
        self.dates.extend(other.dates);
        self.codes.extend(other.codes);
    }
}

/// What may stand before an amount without a space.
const CURRENCIES: [&str; 7] = ["inr", "usd", "eur", "gbp", "aed", "rs.", "rs"];

/// `01,250.50` is `1250.5`; `4.2.1` is left as it is.
fn canonical(run: &str) -> String {
    let number: String = run.chars().filter(|character| *character != ',').collect();
    if number.matches('.').count() > 1 {
        return number;
    }
    let (whole, decimals) = number.split_once('.').unwrap_or((&number, ""));
    match (whole.trim_start_matches('0'), decimals.trim_end_matches('0')) {
        ("", "") => "0".to_owned(),
        (whole, "") => whole.to_owned(),
        ("", decimals) => format!("0.{decimals}"),
        (whole, decimals) => format!("{whole}.{decimals}"),
    }
}

/// Words, numbers with their points, commas, slashes and hyphens, and per cent signs; lower case, ASCII digits.
fn tokens(text: &str) -> Vec<String> {
    let folded: Vec<char> = text
        .nfc()
        .filter(|character| !is_joiner(*character))
        .flat_map(char::to_lowercase)
        .map(|character| ascii_digit(plain_punctuation(character)))
        .collect();
    let digit_at = |place: usize| folded.get(place).is_some_and(char::is_ascii_digit);
    let word_at = |place: usize| folded.get(place).is_some_and(|character| is_word(*character));
    let joins = |place: usize| {
        let before = place.wrapping_sub(1);
        match folded[place] {
            '.' | ',' | '/' => digit_at(before) && digit_at(place + 1),
            '-' => word_at(before) && digit_at(place + 1),
            _ => false,
        }
    };
    let mut tokens = Vec::new();
    let mut token = String::new();
    for (place, character) in folded.iter().enumerate() {
        if is_word(*character) || joins(place) {
            token.push(*character);
            continue;
        }
        if !token.is_empty() {
            tokens.push(std::mem::take(&mut token));
        }
        if *character == '%' {
            tokens.push("%".to_owned());
        }
    }
    if !token.is_empty() {
        tokens.push(token);
    }
    tokens
}

/// A date at the beginning of the tokens, and how many tokens it took.
fn date_at(tokens: &[String]) -> Option<(DateFact, usize)> {
    let first = tokens.first()?;
    if let Some(date) = date_of_digits(first) {
        return Some((date, 1));
    }
    if let Some(day) = day_of(first) {
        let of = usize::from(tokens.get(1).is_some_and(|word| word == "of" || word == "day"));
        let month = tokens.get(1 + of).and_then(|word| month(word))?;
        let year = tokens.get(2 + of).and_then(|word| year_of(word));
        return Some((DateFact { year, month, day: Some(day) }, 2 + of + usize::from(year.is_some())));
    }
    let month = month(first)?;
    let second = tokens.get(1)?;
    if let Some(year) = year_of(second) {
        return Some((DateFact { year: Some(year), month, day: None }, 2));
    }
    let day = day_of(second)?;
    let year = tokens.get(2).and_then(|word| year_of(word));
    Some((DateFact { year, month, day: Some(day) }, 2 + usize::from(year.is_some())))
}

fn day_of(token: &str) -> Option<u32> {
    let digits = token.trim_end_matches(|character: char| character.is_ascii_lowercase());
    let suffix = &token[digits.len()..];
    let day = digits.parse().ok().filter(|day| (1..=31).contains(day))?;
    matches!(suffix, "" | "st" | "nd" | "rd" | "th").then_some(day)
}

fn year_of(token: &str) -> Option<u32> {
    token.parse().ok().filter(|year| token.len() == 4 && (1900..=2199).contains(year))
}

/// `2026-11-21`, `21/11/2026`, `21-11-2026`, `21.11.2026`, and with the month first where day first is no date.
fn date_of_digits(token: &str) -> Option<DateFact> {
    // A time of day follows an ISO date after a `t`.
    let token = token.split('t').next()?;
    let separator = token.chars().find(|character| !character.is_ascii_digit())?;
    let parts: Vec<&str> = token.split(separator).collect();
    let [first, second, third] = parts.as_slice() else { return None };
    let (year, one, other) = match (year_of(first), year_of(third)) {
        (Some(year), _) => (year, third.parse::<u32>().ok()?, second.parse::<u32>().ok()?),
        (_, Some(year)) => (year, first.parse().ok()?, second.parse().ok()?),
        _ => return None,
    };
    let (day, month) = if other <= 12 { (one, other) } else { (other, one) };
    let date = DateFact { year: Some(year), month, day: Some(day) };
    ((1..=31).contains(&day) && (1..=12).contains(&month)).then_some(date)
}

fn number_word(word: &str) -> Option<u32> {
    const UNITS: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let place =
        |names: &[&str]| names.iter().position(|name| *name == word).and_then(|place| u32::try_from(place).ok());
    place(&UNITS).or_else(|| place(&TENS).map(|place| (place + 2) * 10))
}

#[cfg(test)]
mod tests;
