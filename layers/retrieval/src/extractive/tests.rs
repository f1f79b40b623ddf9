use super::*;
use crate::cosine::CosineScale;
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

fn relevant(question: &str, passage: &Passage) -> Vec<usize> {
    Reading::of(question, std::slice::from_ref(passage)).relevant()
}

#[test]
fn a_passage_that_the_models_find_relevant_needs_no_common_words() {
    let mut found = passage("Terms", "Settlement takes place a month after shipment.");
    assert!(relevant("When do I get my money?", &found).is_empty());
    found.scores.rerank = Some(0.8);
    assert_eq!(relevant("When do I get my money?", &found), [0]);
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
fn a_passage_that_the_cross_encoder_doubts_needs_nearly_all_words() {
    let mut found = passage("Terms", "The buyer and the seller meet in Pune.");
    found.scores.rerank = Some(0.001);
    assert!(relevant("When must the buyer pay the seller?", &found).is_empty());
}

#[test]
fn given_no_cross_encoder_when_the_vectors_doubt_a_passage_then_it_needs_nearly_all_words() {
    let question = "What salary does the managing director have?";
    let mut found = passage("Terms", "The director of quality manages the samples.");
    found.scores.vector = Some(CosineScale::MINILM.doubtful + 0.01);
    assert_eq!(relevant(question, &found), [0]);
    found.scores.vector = Some(CosineScale::MINILM.doubtful - 0.01);
    assert!(relevant(question, &found).is_empty());
}

#[test]
fn given_a_cosine_without_a_scale_then_words_decide_and_the_cross_encoder_if_it_was_asked() {
    let close = "When must the buyer pay the seller?";
    let far = "What salary does the managing director have?";
    let mut found = passage("Terms", "The buyer shall pay the seller within 30 days.");
    found.scores.cosine_scale = None;
    for cosine in [-0.2, 0.1, 0.8, 1.0] {
        found.scores.vector = Some(cosine);
        assert_eq!((relevant(close, &found), relevant(far, &found)), (vec![0], Vec::new()), "{cosine}");
    }
    let score = |found: &Passage| Reading::of(close, std::slice::from_ref(found)).candidates()[0].score;
    let high = score(&found);
    found.scores.vector = None;
    assert!((score(&found) - high).abs() < f32::EPSILON);
    found.scores.rerank = Some(MIN_RERANK);
    assert_eq!(relevant(far, &found), [0]);
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
