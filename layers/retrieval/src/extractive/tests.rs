use super::*;
use crate::fixtures::passage;
use crate::passage::Scores;

fn keyword_only(mut passage: Passage) -> Passage {
    passage.scores = Scores { keyword: Some(1.0), ..Scores::default() };
    passage
}

fn corpus() -> Vec<Passage> {
    [
        (
            "Contract SHK6-170",
            "Contract SHK6-170: Basmati rice\nSeller: Patil Agro\nBuyer: Sharma Traders\n\nThe Buyer shall pay the full price \
             within thirty (30) days of the date of the bill of lading. Late payment bears interest at 1.5 % per month. \
             The Seller shall insure the goods until delivery at the port. The Seller delivers at Mundra by 15 December 2026.",
        ),
        (
            "Invoice INV-42",
            "Invoice INV-42\nBuyer: Sharma Traders\nTotal amount: INR 2,56,200.00\nPayment due date: 21 December 2026 (2026-12-21)",
        ),
        ("Quality", "Quality rules\n\nMoisture of basmati rice is at most 12.5 %. Broken grains are at most 3 % in grade A."),
        (
            "सूचना",
            "मंडी सूचना\n\nक्रेता को ३० दिनों के भीतर भुगतान करना होगा। देर से भुगतान पर २ प्रतिशत ब्याज लगेगा। मंडी २६ जनवरी को बंद रहेगी।",
        ),
        (
            "அறிவிப்பு",
            "சந்தை அறிவிப்பு\n\nவாங்குபவர் 15 நாட்களுக்குள் பணம் செலுத்த வேண்டும். தாமதமான கட்டணத்திற்கு 2 சதவீதம் வட்டி விதிக்கப்படும்.",
        ),
    ]
    .into_iter()
    .map(|(id, text)| keyword_only(passage(id, text)))
    .collect()
}

fn first(question: &str) -> String {
    extract_answer(question, &corpus()).first().map(|pick| pick.sentence.clone()).unwrap_or_default()
}

#[test]
fn the_sentence_that_answers_comes_first() {
    for (question, part) in [
        ("When must the buyer pay under contract SHK6-170?", "thirty (30) days"),
        ("How much interest does late payment bear?", "1.5 %"),
        ("Who insures the goods?", "Seller shall insure"),
        ("What is the total amount of invoice INV-42?", "INR 2,56,200.00"),
        ("When is the payment of invoice INV-42 due?", "21 December 2026"),
        ("How high may the moisture of basmati rice be?", "12.5 %"),
        ("क्रेता को भुगतान कब करना होगा?", "३० दिनों"),
        ("देर से भुगतान पर कितना ब्याज लगेगा?", "२ प्रतिशत"),
        ("மண்டி: வாங்குபவர் எப்போது பணம் செலுத்த வேண்டும்?", "15 நாட்களுக்குள்"),
    ] {
        let answer = first(question);
        assert!(answer.contains(part), "{question}: `{answer}`");
    }
}

#[test]
fn each_sentence_is_verbatim_from_its_passage_and_there_are_at_most_three() {
    let corpus = corpus();
    for question in ["When must the buyer pay interest on the price of basmati rice?", "भुगतान और ब्याज कब?"]
    {
        let picks = extract_answer(question, &corpus);
        assert!((1..=3).contains(&picks.len()), "{question}: {picks:?}");
        for pick in picks {
            assert_eq!(corpus[pick.passage].text[pick.bytes.clone()], pick.sentence);
        }
    }
}

#[test]
fn what_the_documents_do_not_hold_has_no_answer() {
    for question in [
        "What is the capital of France?",
        "What salary does the chief executive earn?",
        "Who won the cricket world cup in 2011?",
        "फ्रांस की राजधानी क्या है?",
        "பிரான்சின் தலைநகரம் எது?",
    ] {
        assert!(extract_answer(question, &corpus()).is_empty(), "{question}: {}", first(question));
    }
}

#[test]
fn a_question_about_a_code_is_answered_from_documents_that_hold_it_and_no_others() {
    assert!(first("What is the total amount of invoice INV-42?").contains("2,56,200.00"));
    assert!(extract_answer("What is the total amount of invoice INV-43?", &corpus()).is_empty());
    let corpus = corpus();
    let follow_up =
        Reading::of("and when must the buyer pay? (invoice INV-43)", &corpus).asked("and when must he pay?");
    assert!(!follow_up.relevant().is_empty());
}

#[test]
fn scores_of_sentences_by_a_cross_encoder_count_for_half() {
    let corpus = corpus();
    let question = "When must the buyer pay under contract SHK6-170?";
    let ranked = Reading::of(question, &corpus).candidates();
    let scores: Vec<f32> = ranked
        .iter()
        .map(|one| if corpus[one.passage].text[one.bytes.clone()].contains("15 December") { 1.0 } else { 0.0 })
        .collect();
    let again = with_sentence_scores(ranked, &scores);
    assert!(corpus[again[0].passage].text[again[0].bytes.clone()].contains("15 December"));
}

/// Whether a question is answered by a clause that the cross-encoder gives this probability.
fn is_answered(question: &str, probability: f32) -> bool {
    let mut clause = passage("Contract", "For a late lot the seller pays a penalty of 0.5 % of its value.");
    clause.scores.rerank = Some(0.9);
    let clauses = [clause];
    let reading = Reading::of(question, &clauses).strictly();
    !reading.pick(&with_sentence_scores(reading.candidates(), &[probability])).is_empty()
}

#[test]
fn given_a_word_that_no_passage_has_then_the_cross_encoder_must_be_sure() {
    assert!(is_answered("What penalty does the seller pay when a lot is late?", 0.5));
    assert!(!is_answered("What penalty does the seller pay when wheat is late?", 0.5));
    assert!(is_answered("What penalty does the seller pay when wheat is late?", 0.9));
    assert!(!is_answered("Does the seller pay when wheat is late?", 0.4));
    assert!(is_answered("Does the seller pay when wheat is late?", 0.6));
}

#[test]
fn given_sentences_that_the_cross_encoder_rules_out_then_words_must_cover_nearly_all() {
    let weak = "What penalty does the contract foresee?";
    assert!(!is_answered("Who signs for the seller?", 0.01), "no words");
    assert!(!is_answered(weak, 0.01));
    assert!(is_answered("What penalty does the seller pay for a late lot?", 0.01));
}

#[test]
fn the_number_of_a_clause_is_left_out_and_a_quantity_is_not() {
    for (text, shown) in [
        ("5.2 The Buyer shall pay in Pune.", "The Buyer shall pay in Pune."),
        ("2. खरीदार पुणे में भुगतान करेगा।", "खरीदार पुणे में भुगतान करेगा।"),
        ("2.5 tonnes the Buyer shall pay for.", "2.5 tonnes the Buyer shall pay for."),
    ] {
        let bytes = without_list_number(text, 0..text.len());
        assert_eq!(&text[bytes], shown);
    }
}

fn answer(question: &str, title: &str, text: &str) -> String {
    let passages = [keyword_only(passage(title, text))];
    extract_answer(question, &passages).first().map(|pick| pick.sentence.clone()).unwrap_or_default()
}

#[test]
fn a_record_answers_with_the_line_whose_label_is_asked_for() {
    let invoice = "Invoice INV-43\nInvoice date: 10 March 2026\nTax: INR 0.00\nTotal amount: INR 500.00\nPayment due date: \
                   25 March 2026\nStatus: overdue";
    let stock = "Item T-1: Turmeric\nQuantity in stock: 640 bag\nWarehouse: Erode\n\n400 bags are expected from Erode.";
    let offer = "Offer: yellow maize\nCommodity: yellow maize\nPrice: INR 2,190.00 per quintal";
    for (question, text, line) in [
        ("What is the total of invoice INV-43?", invoice, "Total amount: INR 500.00"),
        ("When is the due date of invoice INV-43?", invoice, "Payment due date: 25 March 2026"),
        ("Is invoice INV-43 paid?", invoice, "Status: overdue"),
        ("How many bags of turmeric are in Erode?", stock, "Quantity in stock: 640 bag"),
        ("What is the price of yellow maize?", offer, "Price: INR 2,190.00 per quintal"),
    ] {
        assert_eq!(answer(question, text.lines().next().unwrap_or_default(), text), line, "{question}");
    }
}

#[test]
fn a_sentence_that_refers_back_comes_with_the_one_before_it() {
    let text = "4. Bring a card and a book. These papers are checked for the pass.\n5. These papers are kept.";
    let both = "Bring a card and a book. These papers are checked for the pass.";
    assert_eq!(answer("Which papers are checked for the pass?", "Notice", text), both);
    assert_eq!(answer("Are papers kept?", "Notice", text), "These papers are kept.");
}
