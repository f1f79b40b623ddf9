//! Retrieval: how well each way of searching finds what answers; the tables of docs/retrieval.md.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench ends by panicking, and prints its tables")]

use mandi_acceptance::Setup;
use mandi_acceptance::retrieval::decisions::{decisions, near_miss_decisions};
use mandi_acceptance::retrieval::declaration::{self, LANGUAGES};
use mandi_acceptance::retrieval::licences::{COLLECTION, Kind, Licences, Part};
use mandi_acceptance::retrieval::report::{Means, misses, table};
use mandi_acceptance::retrieval::searching::{HYBRID, KEYWORD, Outcome, RERANKED, VECTOR, Way, outcomes};

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    let licences = Licences::read();
    licences.load(&client).await;
    let mut found = Vec::new();
    for way in [KEYWORD, VECTOR, HYBRID, RERANKED] {
        let outcomes = outcomes(&client, COLLECTION, way, &licences.asked(Part::All)).await;
        println!("{}: not in the first five: {}", way.name, misses(&outcomes));
        found.push((way, outcomes));
    }
    print_tables(&licences, &found);
    for part in [Part::Tuning, Part::HeldOut] {
        println!("answers, {part:?}: {}", decisions(&client, &licences, part).await.told());
    }
    drop(server);
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).with_demo().start().await;
    let client = server.client("demo");
    println!("answers, near misses of the demo: {}", near_miss_decisions(&client).await.told());
    declaration::load(&client).await;
    let mut rows = Vec::new();
    for (language, name) in LANGUAGES {
        let asked = declaration::asked(&declaration::articles(language));
        let outcomes = outcomes(&client, declaration::COLLECTION, KEYWORD, &asked).await;
        rows.push((name.to_owned(), Means::of(&outcomes)));
    }
    println!("\n{}", table("keywords in", &rows));
}

fn print_tables(licences: &Licences, found: &[(Way, Vec<Outcome>)]) {
    let tables = [
        ("all questions", Part::All, None),
        ("tuning half", Part::Tuning, None),
        ("held-out half", Part::HeldOut, None),
        ("paraphrases", Part::All, Some(Kind::Paraphrase)),
        ("words of the text", Part::All, Some(Kind::Words)),
        ("numbers and dates", Part::All, Some(Kind::Number)),
    ];
    for (heading, part, kind) in tables {
        let row = |(way, outcomes): &(Way, Vec<Outcome>)| {
            (way.name.to_owned(), Means::of(licences.choose(outcomes, part, kind)))
        };
        println!("\n{}", table(heading, &found.iter().map(row).collect::<Vec<_>>()));
    }
}
