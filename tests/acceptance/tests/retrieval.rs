//! How well searches find, with floors: English questions over long legal texts, and ten languages by keywords.
//!
//! The floors lie a little below the figures of docs/retrieval.md, which `retrieval_quality` of the benches prints.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking; its tables are for people")]

use mandi_acceptance::Setup;
use mandi_acceptance::retrieval::decisions::decisions;
use mandi_acceptance::retrieval::declaration::{self, LANGUAGES};
use mandi_acceptance::retrieval::licences::{COLLECTION, Licences, Part};
use mandi_acceptance::retrieval::report::{Means, misses, table};
use mandi_acceptance::retrieval::searching::{HYBRID, KEYWORD, RERANKED, VECTOR, outcomes};

#[test]
fn given_the_licences_of_this_system_when_the_quotes_are_looked_up_then_they_are_there() {
    let licences = Licences::read();
    assert!(licences.questions.len() >= 60 && licences.not_in_the_documents.len() >= 20);
    let faults = licences.faults();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn given_licences_when_questions_are_asked_then_hybrid_search_beats_its_halves_and_reranking_orders_better() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    let licences = Licences::read();
    licences.load(&client).await;
    let all = licences.asked(Part::All);
    let keyword = Means::of(&outcomes(&client, COLLECTION, KEYWORD, &all).await);
    let vector = Means::of(&outcomes(&client, COLLECTION, VECTOR, &all).await);
    let found = outcomes(&client, COLLECTION, HYBRID, &all).await;
    let hybrid = Means::of(&found);
    // Reranking takes about a second for each question, so a half must do.
    let half = licences.asked(Part::HeldOut);
    let reranked = Means::of(&outcomes(&client, COLLECTION, RERANKED, &half).await);
    let hybrid_half = Means::of(licences.choose(&found, Part::HeldOut, None));
    let rows = [("keyword", keyword), ("vector", vector), ("hybrid", hybrid), ("hybrid, held-out half", hybrid_half)];
    let rows = rows.into_iter().chain([("hybrid + rerank, held-out half", reranked)]);
    println!("{}", table("licences", &rows.map(|(name, means)| (name.to_owned(), means)).collect::<Vec<_>>()));

    assert!(hybrid.recall_at_5 > keyword.recall_at_5 && hybrid.recall_at_5 > vector.recall_at_5);
    assert!(hybrid.ndcg_at_10 > keyword.ndcg_at_10 && hybrid.ndcg_at_10 > vector.ndcg_at_10);
    assert!(reranked.ndcg_at_10 > hybrid_half.ndcg_at_10, "{reranked:?}, {hybrid_half:?}");
    assert!(hybrid.recall_at_5 >= 0.86 && hybrid.ndcg_at_10 >= 0.77, "{hybrid:?}");
    assert!(reranked.recall_at_5 >= 0.87 && reranked.ndcg_at_10 >= 0.84, "{reranked:?}");
}

#[tokio::test]
async fn given_licences_when_questions_are_asked_then_answers_quote_what_answers_or_decline() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    let licences = Licences::read();
    licences.load(&client).await;
    let decided = decisions(&client, &licences, Part::HeldOut).await;
    println!("{}", decided.told());
    assert!(decided.wrongly_answered.len() <= 3, "{}", decided.told());
    assert!(decided.rightly_answered() >= 21 && decided.misled.len() <= 12, "{}", decided.told());
}

#[tokio::test]
async fn given_the_declaration_in_ten_languages_when_words_of_an_article_are_searched_then_it_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    declaration::load(&client).await;
    let mut rows = Vec::new();
    for (language, name) in LANGUAGES {
        let asked = declaration::asked(&declaration::articles(language));
        let outcomes = outcomes(&client, declaration::COLLECTION, KEYWORD, &asked).await;
        println!("{name}: not in the first five: {}", misses(&outcomes));
        rows.push((name.to_owned(), Means::of(&outcomes)));
    }
    println!("{}", table("keywords in", &rows));
    for (name, means) in rows {
        assert!(means.recall_at_5 >= 0.9, "{name}: {means:?}");
    }
}
