use super::*;
use crate::cosine::CosineScale;
use crate::fixtures::passage;

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

fn about(question: &str, passages: &[Passage]) -> Vec<String> {
    let places = Reading::of(question, passages).strictly().relevant();
    places.into_iter().map(|place| passages[place].document.entity_id.clone()).collect()
}

/// Clauses of three contracts; the second is found with the clause that names its buyer.
fn clauses() -> Vec<Passage> {
    let mut found = vec![
        passage("Cotton contract", "The seat of arbitration is Ahmedabad."),
        passage("Rice contract", "The buyer is Hansa. The contract was signed in 2026."),
        passage("Rice contract", "The seat of arbitration is London, under English law."),
        passage("Warehouse agreement", "There is no arbitration."),
    ];
    found[2].chunk = 1;
    for clause in &mut found {
        clause.scores.rerank = Some(0.9);
    }
    found
}

#[test]
fn given_a_name_that_no_document_holds_when_read_strictly_then_nothing_is_relevant() {
    let clauses = clauses();
    for question in ["Why is the seat of arbitration Paris?", "Where was the seat of arbitration in 2019?"] {
        assert!(about(question, &clauses).is_empty(), "{question}");
        assert_eq!(Reading::of(question, &clauses).relevant().len(), 4, "{question}");
    }
}

#[test]
fn given_a_name_that_another_passage_of_the_document_holds_then_its_passages_are_relevant() {
    let found = about("What is the seat of arbitration with Hansa?", &clauses());
    assert_eq!(found, ["Rice contract", "Rice contract"]);
}

#[test]
fn given_a_name_in_the_metadata_then_the_document_holds_it() {
    let mut clauses = clauses();
    clauses[0].metadata.insert("buyer".to_owned(), Scalar::Text("Kaveri Spinning Mills".to_owned()));
    assert_eq!(about("What is the seat of arbitration with Kaveri?", &clauses), ["Cotton contract"]);
}

#[test]
fn given_a_word_of_a_title_then_documents_without_it_are_not_relevant() {
    let clauses = clauses();
    assert_eq!(about("What is the seat of arbitration of the warehouse agreement?", &clauses), ["Warehouse agreement"]);
    assert_eq!(about("What is the seat of arbitration of the cotton contract?", &clauses), ["Cotton contract"]);
    assert_eq!(about("What is the seat of arbitration?", &clauses).len(), 4);
}

#[test]
fn given_a_follow_up_then_names_that_it_carries_over_need_not_be_held() {
    let clauses = clauses();
    let asked = Reading::of("and the seat of arbitration? (Paris)", &clauses).asked("and the seat of arbitration?");
    assert_eq!(asked.strictly().relevant().len(), 4);
}
