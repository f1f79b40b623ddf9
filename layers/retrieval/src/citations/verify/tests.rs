//! Q9: fabricated, stitched and misattributed quotes are all removed, and none that is verbatim is.

use super::*;
use crate::citations::parse_claim;

/// The passages of all cases: an English contract, an invoice, a Hindi and a Tamil notice, a quality rule.
const PASSAGES: [(&str, &str); 5] = [
    (
        "Contract SHK6-170",
        "4. Payment. The Buyer shall pay the full price of INR 12,50,000.00 within thirty (30) days of the date of the \
         bill of lading, by telegraphic transfer.\nLate payment bears interest at 1.5 % per month.\n\n5. Delivery. The \
         Seller shall deliver 120 metric tonnes of basmati rice, FOB Mundra, on or before 15 December 2026. The Seller \
         shall not be liable for delay caused by force majeure.\n\n6. Claims – the Buyer’s “quality claims” must reach \
         the Seller within 60 days after arrival.",
    ),
    (
        "Invoice INV-2026-0042",
        "Invoice INV-2026-0042\nInvoice date: 21 November 2026 (2026-11-21)\nBuyer: Sharma Traders Pvt Ltd\nLine 1: \
         Turmeric fingers, 40 bag at INR 6,100.00 per bag, amount INR 2,44,000.00\nTotal amount: INR 2,56,200.00\nPayment \
         due date: 21 December 2026 (2026-12-21)",
    ),
    (
        "सूचना",
        "मंडी समिति सूचित करती है कि क्रेता को ३० दिनों के भीतर भुगतान करना होगा। देर से भुगतान पर २ प्रतिशत ब्याज लगेगा। मंडी २६ जनवरी को बंद रहेगी। \
         तौल केवल सरकारी काँटे पर होगी।",
    ),
    (
        "அறிவிப்பு",
        "வாங்குபவர் 15 நாட்களுக்குள் பணம் செலுத்த வேண்டும். தாமதமான கட்டணத்திற்கு 2 சதவீதம் வட்டி விதிக்கப்படும். சந்தை ஜனவரி 26 அன்று மூடப்படும்.",
    ),
    ("Quality rule", "Moisture of basmati rice is at most 12.5 %. Broken grains are at most 3 % by weight in grade A."),
];

/// A quote, the passage it cites, what it is an example of.
type Case = (usize, &'static str, &'static str);

/// These stand in their passage: they must never be removed.
const VERBATIM: &[Case] = &[
    (1, "The Buyer shall pay the full price of INR 12,50,000.00 within thirty (30) days", "verbatim"),
    (1, "within thirty (30) days of the date of the bill of lading", "verbatim, part of a sentence"),
    (1, "Late payment bears interest at 1.5 % per month.", "verbatim, a whole sentence"),
    (1, "by telegraphic transfer", "verbatim, the end of a sentence"),
    (1, "FOB Mundra, on or before 15 December 2026", "verbatim, with a date"),
    (1, "by telegraphic transfer. Late payment bears interest", "verbatim, over a line break"),
    (1, "120 metric tonnes of basmati rice", "verbatim, with a number"),
    (1, "INR 12,50,000.00", "verbatim, an amount alone"),
    (1, "shall not be liable for delay caused by force majeure", "verbatim, with its negation"),
    (1, "Claims - the Buyer's \"quality claims\" must reach", "other dashes and quotation marks"),
    (1, "Claims – the Buyer’s “quality claims” must reach", "the source's dashes and quotation marks"),
    (1, "the buyer shall pay the full price", "other case"),
    (1, "THE SELLER SHALL DELIVER 120 METRIC TONNES", "other case"),
    (1, "within  thirty\n(30)   days", "other white space"),
    (1, "within\u{A0}thirty (30)\u{2009}days", "other white space: no-break and thin"),
    (1, "\"within thirty (30) days\"", "its own quotation marks"),
    (1, "within thirty (30) days.", "a full stop of the sentence around it"),
    (1, "…on or before 15 December 2026…", "marks of omission at its ends"),
    (
        1,
        "The Buyer shall pay the full price of INR 12,50,000.00 within thirty (30) days of the date of the bill of lading, by telegraphic transfer.",
        "a long quote",
    ),
    (2, "Payment due date: 21 December 2026", "a labelled line"),
    (2, "Total amount: INR 2,56,200.00", "a labelled amount"),
    (2, "Buyer: Sharma Traders Pvt Ltd", "a party"),
    (2, "2026-12-21", "a date alone"),
    (2, "Turmeric fingers, 40 bag at INR 6,100.00 per bag", "a line of an invoice"),
    (2, "Sharma Traders Pvt Ltd Line 1: Turmeric", "over a line break"),
    (3, "क्रेता को ३० दिनों के भीतर भुगतान करना होगा", "Devanagari"),
    (3, "देर से भुगतान पर २ प्रतिशत ब्याज लगेगा।", "Devanagari, with its danda"),
    (3, "मंडी २६ जनवरी को बंद रहेगी", "Devanagari, a date"),
    (3, "तौल केवल सरकारी काँटे पर होगी", "Devanagari, candrabindu"),
    (3, "तौल केवल  सरकारी\nकाँटे पर", "Devanagari, other white space"),
    (3, "क्\u{200D}रेता को ३० दिनों", "Devanagari, with a joiner"),
    (3, "भुगतान करना होगा। देर से भुगतान", "Devanagari, over two sentences that follow each other"),
    (4, "வாங்குபவர் 15 நாட்களுக்குள் பணம் செலுத்த வேண்டும்", "Tamil"),
    (4, "2 சதவீதம் வட்டி விதிக்கப்படும்.", "Tamil, with its full stop"),
    (4, "சந்தை ஜனவரி 26 அன்று மூடப்படும்", "Tamil, a date"),
    (4, "பணம்  செலுத்த வேண்டும்", "Tamil, other white space"),
    (5, "Moisture of basmati rice is at most 12.5 %", "verbatim, a decimal"),
    (5, "broken grains are at most 3 % by weight", "other case"),
    (5, "grade A", "two words"),
];

/// These do not stand in the passage they cite: they must always be removed.
const FABRICATED: &[Case] = &[
    (
        1,
        "The Buyer shall pay the full price of INR 12,50,000.00 within sixty (60) days",
        "changed number, in words too",
    ),
    (1, "within thirty (31) days of the date", "changed number"),
    (1, "the full price of INR 12,60,000.00", "changed amount"),
    (1, "the full price of INR 1,250,000.00", "regrouped amount: not the source's words"),
    (1, "interest at 15 % per month", "lost decimal point"),
    (1, "interest at 1.5 % per year", "changed unit"),
    (1, "on or before 15 December 2027", "changed year"),
    (1, "on or before 16 December 2026", "changed day"),
    (1, "deliver 12 metric tonnes of basmati rice", "number cut short"),
    (1, "20 metric tonnes of basmati rice", "number cut at its beginning"),
    (1, "INR 12,50,000", "amount cut before its decimals"),
    (1, "shall be liable for delay caused by force majeure", "lost negation"),
    (1, "The Buyer shall not pay the full price", "added negation"),
    (1, "The Seller shall pay the full price", "changed party"),
    (1, "The Buyer shall pay the full price on or before 15 December 2026", "stitched from two places"),
    (1, "The Buyer shall pay ... on or before 15 December 2026", "stitched, with an ellipsis"),
    (1, "The Buyer shall pay […] by telegraphic transfer", "stitched, with an ellipsis in brackets"),
    (1, "within thirty (30) days after arrival", "stitched at the seam"),
    (1, "Late payment bears interest at 1.5 % per month. The Seller shall not be liable", "stitched over a gap"),
    (1, "Payment due date: 21 December 2026", "from another chunk"),
    (1, "Moisture of basmati rice is at most 12.5 %", "from another chunk"),
    (1, "क्रेता को ३० दिनों के भीतर भुगतान करना होगा", "from another chunk, Devanagari"),
    (2, "within thirty (30) days", "from another chunk"),
    (2, "INR 12,50,000.00", "from another chunk, an amount"),
    (5, "FOB Mundra", "from another chunk"),
    (1, "The purchaser must settle the entire price in thirty days", "paraphrased"),
    (1, "Payment is due 30 days from the bill of lading", "paraphrased"),
    (1, "The Buyer must pay the full price", "one word replaced"),
    (1, "The Buyer shall pay full price", "one word left out"),
    (1, "The Buyer shall promptly pay the full price", "one word added"),
    (1, "shall the Buyer pay the full price", "other order"),
    (1, "The Buyеr shall pay the full price", "look-alike: Cyrillic е"),
    (1, "Τhe Buyer shall pay", "look-alike: Greek Τ"),
    (1, "within thirty (３0) days", "look-alike: full-width digit"),
    (1, "within thirty (3O) days", "look-alike: letter O for zero"),
    (1, "by telegraphic transƒer", "look-alike: ƒ"),
    (1, "The Buyer shall de\u{301}liver", "another letter with its accent"),
    (1, "he Buyer shall pay", "cut inside a word at its beginning"),
    (1, "by telegraphic trans", "cut inside a word at its end"),
    (1, "", "empty"),
    (1, "...", "no words"),
    (2, "Payment due date: 21 November 2026", "stitched date of another label"),
    (2, "Total amount: INR 2,44,000.00", "amount of another label"),
    (2, "Buyer: Sharma Traders Private Limited", "paraphrased name"),
    (2, "40 bags at INR 6,100.00", "another form of the word"),
    (3, "क्रेता को ४० दिनों के भीतर भुगतान करना होगा", "Devanagari, changed number"),
    (3, "क्रेता को 30 दिनों के भीतर भुगतान करना होगा", "Devanagari, digits of another script"),
    (3, "विक्रेता को ३० दिनों के भीतर भुगतान करना होगा", "Devanagari, changed party"),
    (3, "क्रेता को ३० दिनों के भीतर भुगतान नहीं करना होगा", "Devanagari, added negation"),
    (3, "क्रेता को ३० दिनों में भुगतान करना होगा", "Devanagari, paraphrased"),
    (3, "क्रेता को ३० दिनों के भीतर ब्याज लगेगा", "Devanagari, stitched"),
    (3, "क्रेता को ३० दिनों के भीतर भुगतान करना हो", "Devanagari, cut before a vowel sign"),
    (3, "तौल केवल सरकारी कांटे पर होगी", "Devanagari, look-alike sign: anusvara for candrabindu"),
    (3, "मंडी २६ फरवरी को बंद रहेगी", "Devanagari, changed month"),
    (4, "வாங்குபவர் 25 நாட்களுக்குள் பணம் செலுத்த வேண்டும்", "Tamil, changed number"),
    (4, "விற்பவர் 15 நாட்களுக்குள் பணம் செலுத்த வேண்டும்", "Tamil, changed party"),
    (4, "வாங்குபவர் பணம் செலுத்த வேண்டும்", "Tamil, stitched"),
    (4, "வாங்குபவர் 15 நாட்களுக்குள் பணம் செலுத்த வேண்டு", "Tamil, cut before its virama"),
    (4, "சந்தை ஜனவரி 27 அன்று மூடப்படும்", "Tamil, changed date"),
    (4, "मंडी २६ जनवरी को बंद रहेगी", "from another chunk, another script"),
    (6, "within thirty (30) days", "a passage that was not given"),
    (0, "within thirty (30) days", "passage 0"),
];

fn passages() -> Vec<Source<'static>> {
    PASSAGES.iter().map(|(title, text)| Source { title: Some(title), text }).collect()
}

/// The sentence is the quote itself, so that the quote alone decides.
fn check(n: usize, quote: &str) -> VerifiedClaim {
    let claim = Claim { text: quote.to_owned(), citations: vec![Citation { n, quote: Some(quote.to_owned()) }] };
    verify(&claim, &passages())
}

fn said(sentence: &str) -> VerifiedClaim {
    verify(&parse_claim(sentence), &passages())
}

#[test]
fn the_table_has_at_least_eighty_cases_of_both_kinds() {
    assert!(VERBATIM.len() >= 30 && FABRICATED.len() >= 50);
}

#[test]
fn no_verbatim_quote_is_removed_and_what_is_shown_is_the_sources_own_text() {
    for (n, quote, what) in VERBATIM {
        let verified = check(*n, quote);
        assert!(verified.is_supported(), "{what}: `{quote}`: {:?}", verified.rejected);
        let citation = &verified.citations[0];
        assert_eq!(citation.passage, n - 1);
        assert_eq!(PASSAGES[n - 1].1[citation.bytes.clone()], citation.quote, "{what}");
    }
}

#[test]
fn every_fabricated_quote_is_removed() {
    for (n, quote, what) in FABRICATED {
        assert!(!check(*n, quote).is_supported(), "{what}: `{quote}`");
    }
}

#[test]
fn a_sentence_with_a_verbatim_quote_is_shown() {
    for sentence in [
        "The buyer pays within 30 days of the bill of lading [1: \"within thirty (30) days of the date of the bill of lading\"].",
        "Under contract SHK6-170 the buyer pays INR 1,250,000 [1: \"The Buyer shall pay the full price of INR 12,50,000.00\"].",
        "Delivery is due on 2026-12-15 [1: \"on or before 15 December 2026\"].",
        "The seller is not liable for delay caused by force majeure [1: \"be liable for delay caused by force majeure\"].",
        "क्रेता को 30 दिनों के भीतर भुगतान करना होगा [3: \"क्रेता को ३० दिनों के भीतर भुगतान करना होगा\"]।",
    ] {
        let verified = said(sentence);
        assert!(verified.is_supported(), "{sentence}: {:?}", verified.rejected);
    }
}

#[test]
fn a_sentence_that_says_other_than_its_verbatim_quote_is_not() {
    for (sentence, why) in [
        ("The buyer pays within 60 days [1: \"within thirty (30) days of the date\"].", "number of another clause"),
        ("The buyer pays within 45 days [1: \"within thirty (30) days of the date\"].", "number of no clause"),
        ("The invoice is due on 21 November 2026 [2: \"Payment due date: 21 December 2026\"].", "date of another line"),
        ("Under contract SHK6-171 the buyer pays the full price [1: \"The Buyer shall pay the full price\"].", "code"),
        ("The seller is liable for delay [1: \"be liable for delay caused by force majeure\"].", "negation cut off"),
        ("The buyer need not pay the full price [1: \"The Buyer shall pay the full price\"].", "negation added"),
        ("Elephants enjoy swimming and mangoes [1: \"by telegraphic transfer\"].", "nothing to do with it"),
    ] {
        assert!(!said(sentence).is_supported(), "{why}: {sentence}");
    }
}

#[test]
fn a_citation_without_a_quote_gets_the_sentence_that_supports_it() {
    let verified = said("Late payment bears interest at 1.5 % per month [1].");
    assert_eq!(verified.citations[0].quote, "Late payment bears interest at 1.5 % per month.");
    let verified = said("क्रेता को 30 दिनों के भीतर भुगतान करना होगा [3]।");
    assert!(verified.citations[0].quote.contains("३० दिनों"), "{verified:?}");
}

#[test]
fn a_citation_without_a_quote_falls_when_its_passage_does_not_say_so() {
    for sentence in [
        "Late payment bears interest at 2.5 % per month [1].",
        "Late payment bears interest at 1.5 % per month [5].",
        "The goods are insured by the seller [1].",
        "Late payment bears interest at 1.5 % per month [9].",
    ] {
        assert!(!said(sentence).is_supported(), "{sentence}");
    }
}

#[test]
fn a_sentence_without_citations_is_attributed_or_not_shown() {
    let verified = said("Broken grains are at most 3 % by weight in grade A.");
    assert_eq!(verified.citations.iter().map(|citation| citation.passage).collect::<Vec<_>>(), [4]);
    assert!(!said("Sure, here is the answer to your question.").is_supported());
}

#[test]
fn of_two_citations_the_good_one_stays() {
    let verified = said(
        "Late payment bears interest at 1.5 % per month [1: \"interest at 1.5 % per month\"][2: \"interest at 1.5 % per month\"].",
    );
    assert_eq!(verified.citations.len(), 1);
    assert_eq!(verified.rejected, [(2, Rejection::NotVerbatim)]);
}
