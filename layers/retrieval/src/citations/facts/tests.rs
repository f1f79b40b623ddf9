use super::*;

fn numbers(text: &str) -> Vec<String> {
    Facts::of(text).numbers.into_iter().collect()
}

const DATE: DateFact = DateFact { year: Some(2026), month: 11, day: Some(21) };

#[test]
fn a_number_is_the_same_in_every_script_and_grouping() {
    for text in ["1250000", "1,250,000.00", "12,50,000", "१२,५०,०००", "௧௨௫௦௦௦௦", "₹12,50,000/-", "Rs.12,50,000."]
    {
        assert_eq!(numbers(text), ["1250000"], "{text}");
    }
    for text in ["USD500", "500kg", "Rs500", "INR 500"] {
        assert_eq!(numbers(text), ["500"], "{text}");
    }
    assert_eq!(numbers("0.50 %"), ["0.5"]);
    assert_eq!(numbers("clause 4.2.1"), ["4.2.1"]);
}

#[test]
fn number_words_are_numbers_and_the_word_one_is_not() {
    assert_eq!(numbers("thirty days"), ["30"]);
    assert_eq!(numbers("forty-five or forty five"), ["45"]);
    assert_eq!(numbers("one of the parties"), Vec::<String>::new());
}

#[test]
fn a_code_is_one_fact_and_not_its_digits() {
    let facts = Facts::of("contract SHK6-170, lot A-12");
    assert_eq!(facts.codes.into_iter().collect::<Vec<_>>(), ["a-12", "shk6-170"]);
    assert!(facts.numbers.is_empty());
}

#[test]
fn a_date_is_the_same_in_every_format() {
    for text in [
        "2026-11-21",
        "21/11/2026",
        "21-11-2026",
        "21.11.2026",
        "11/21/2026",
        "21 November 2026",
        "21st of November, 2026",
        "November 21, 2026",
        "21 Nov 2026",
        "२१ नवंबर २०२६",
        "21 நவம்பர் 2026",
        "2026-11-21T09:30:00Z",
    ] {
        assert!(Facts::of(text).dates.contains(&DATE), "{text}: {:?}", Facts::of(text));
    }
}

#[test]
fn a_part_of_a_date_is_held_by_the_date_and_another_date_is_not() {
    let source = Facts::of("due on 21 November 2026");
    for part in ["November 2026", "21 November", "in 2026", "2026-11-21"] {
        assert_eq!(Facts::of(part).missing_from(&source), None, "{part}");
    }
    for other in ["22 November 2026", "21 December", "in 2027", "November 2025"] {
        assert!(Facts::of(other).missing_from(&source).is_some(), "{other}");
    }
}

#[test]
fn a_changed_number_is_missing() {
    let source = Facts::of("thirty (30) calendar days, 1.5 % a month");
    assert_eq!(Facts::of("within 30 days at 1.50 %").missing_from(&source), None);
    assert!(Facts::of("within sixty days").missing_from(&source).is_some());
    assert!(Facts::of("15 %").missing_from(&source).is_some());
}

#[test]
fn a_number_with_another_unit_is_missing() {
    let source = Facts::of("30 days for payment, 60 bags of rice");
    assert!(Facts::of("60 days").missing_from(&source).is_some());
    assert!(Facts::of("30 months").missing_from(&source).is_some());
    assert!(Facts::of("३० दिनों").missing_from(&source).is_none());
}

#[test]
fn texts_contradict_when_each_has_a_number_that_the_other_lacks() {
    let quote = Facts::of("pay within 30 days");
    assert!(Facts::of("pays within 60 days").contradicts(&quote));
    assert!(!Facts::of("pays 500 within 30 days").contradicts(&quote));
    assert!(!Facts::of("pays").contradicts(&quote));
    assert!(Facts::of("on 21 May 2026").contradicts(&Facts::of("on 22 May 2026")));
}
