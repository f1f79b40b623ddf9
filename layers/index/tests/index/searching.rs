//! What the two lists find, in which order, with which score.

use mandi_core::ProblemKind;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::fixture::{DIMENSIONS, Fixture, direction, document, ids, keyword, nearest, point};

fn axis(place: usize, length: f32) -> Vec<f32> {
    let mut vector = vec![0.0; DIMENSIONS];
    vector[place] = length;
    vector
}

#[tokio::test]
async fn the_nearest_are_ordered_by_cosine() {
    let fixture = Fixture::new().await;
    let mut between = axis(0, 1.0);
    between[1] = 1.0;
    fixture
        .upsert(vec![point("across", &axis(1, 1.0)), point("between", &between), point("same", &axis(0, 1.0))])
        .await;

    let hits = fixture.nearest(&axis(0, 1.0), 3).await;
    assert_eq!(ids(&hits), ["same", "between", "across"]);
    // 1, 1/sqrt(2), 0; 32-bit arithmetic.
    for (hit, expected) in hits.iter().zip([1.0, std::f32::consts::FRAC_1_SQRT_2, 0.0]) {
        assert!((hit.score - expected).abs() < 1e-5, "{} is not {expected}", hit.score);
    }
}

#[tokio::test]
async fn vectors_of_a_wrong_norm_or_of_none_disturb_nobody() {
    let fixture = Fixture::new().await;
    let points = vec![
        point("zero", &axis(0, 0.0)),
        point("long", &axis(1, 50.0)),
        point("short", &axis(2, 1e-3)),
        point("unit", &axis(0, 1.0)),
    ];
    fixture.upsert(points).await;

    let hits = fixture.nearest(&axis(0, 1.0), 10).await;
    assert_eq!(ids(&hits)[0], "unit");
    assert!(!ids(&hits).contains(&"zero"), "a zero vector has no direction");
    let long = fixture.nearest(&axis(1, 1.0), 1).await;
    assert_eq!(ids(&long), ["long"]);
    assert!((long[0].score - 1.0).abs() < 1e-5, "the cosine does not depend on the norm");
    assert!(fixture.nearest(&axis(0, 0.0), 10).await.is_empty(), "a query without direction is near to nothing");
}

#[tokio::test]
async fn the_exact_scan_finds_what_arithmetic_says() {
    let fixture = Fixture::new().await;
    let mut random = StdRng::seed_from_u64(7);
    let points: Vec<_> = (0..500).map(|n| (format!("p{n}"), direction(&mut random, DIMENSIONS))).collect();
    fixture.upsert(points.iter().map(|(id, vector)| point(id, vector)).collect()).await;
    for _ in 0..10 {
        let query = direction(&mut random, DIMENSIONS);
        let cosine = |vector: &[f32]| query.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>();
        let mut expected: Vec<&(String, Vec<f32>)> = points.iter().collect();
        expected.sort_by(|one, other| cosine(&other.1).total_cmp(&cosine(&one.1)));
        let expected: Vec<&str> = expected.iter().take(10).map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids(&fixture.nearest(&query, 10).await), expected);
    }
}

#[tokio::test]
async fn a_query_of_other_dimensions_is_refused() {
    let fixture = Fixture::new().await;
    let problem = nearest(&fixture.index, &fixture.table, &[1.0, 0.0], 5, None).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::InvalidRequest);
    assert!(problem.detail.contains("2 dimensions") && problem.detail.contains('8'), "{}", problem.detail);
}

#[tokio::test]
async fn a_rare_word_counts_more_than_a_common_one() {
    let fixture = Fixture::new().await;
    let mut documents: Vec<_> = (0..30).map(|n| document(&format!("common{n}"), &["payment of goods"])).collect();
    documents.push(document("rare", &["payment by demurrage"]));
    fixture.upsert(documents).await;

    let hits = fixture.keyword("payment demurrage").await;
    assert_eq!(ids(&hits)[0], "rare");
    assert_eq!(hits.len(), 31, "any of the terms is enough");
    assert!(hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
}

#[tokio::test]
async fn words_of_every_script_are_found_whole() {
    let fixture = Fixture::new().await;
    let texts = [
        ("hi", "क्रेता को भुगतान तीस दिनों में करना होगा", "भुगतान"),
        ("ta", "இந்த ஒப்பந்தம் கையெழுத்தானது", "ஒப்பந்தம்"),
        ("te", "చెల్లింపు గడువు ముప్పై రోజులు", "చెల్లింపు"),
        ("bn", "ক্রেতা মূল্য পরিশোধ করবে", "পরিশোধ"),
        ("mr", "खरेदीदाराने रक्कम द्यावी", "रक्कम"),
        ("gu", "ખરીદનારે ચુકવણી કરવી", "ચુકવણી"),
        ("kn", "ಖರೀದಿದಾರರು ಪಾವತಿ ಮಾಡಬೇಕು", "ಪಾವತಿ"),
        ("ml", "വാങ്ങുന്നയാൾ പണം നൽകണം", "പണം"),
        ("pa", "ਖਰੀਦਦਾਰ ਭੁਗਤਾਨ ਕਰੇਗਾ", "ਭੁਗਤਾਨ"),
        ("en", "Invoices of SHK6-170 fall due", "invoice shk6-170"),
    ];
    fixture.upsert(texts.iter().map(|(id, text, _)| document(id, &[text])).collect()).await;
    for (id, _, query) in texts {
        assert_eq!(ids(&fixture.keyword(query).await), [id], "searching `{query}`");
    }
}

#[tokio::test]
async fn words_of_the_title_are_found_too() {
    let fixture = Fixture::new().await;
    let mut titled = document("a", &["Payment within 30 days."]);
    titled.chunks[0].chunk.title = Some("Cardamom supply".to_owned());
    fixture.upsert(vec![titled, document("b", &["Payment at once."])]).await;
    assert_eq!(ids(&fixture.keyword("cardamom").await), ["a"]);
}

#[tokio::test]
async fn a_query_is_words_and_never_an_expression() {
    let fixture = Fixture::new().await;
    fixture.upsert(vec![document("a", &["payment terms"]), document("b", &["delivery"])]).await;
    let queries =
        ["payment AND NOT terms", "\"payment\"", "payment' OR 1=1 --", "+payment -terms", "payment~2", "pay*"];
    for query in queries {
        let hits = fixture.keyword(query).await;
        assert!(!ids(&hits).contains(&"b"), "`{query}` found {:?}", ids(&hits));
    }
    for nothing in ["", "   ", "?!…", "\u{0}", "\u{200D}", "pay*"] {
        assert!(fixture.keyword(nothing).await.is_empty(), "`{nothing}` holds no word of the texts");
    }
}

#[tokio::test]
async fn a_very_long_query_is_answered() {
    let fixture = Fixture::new().await;
    fixture.upsert(vec![document("a", &["payment terms"])]).await;
    let query = format!("payment {}", (0..20_000).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" "));
    assert_eq!(ids(&fixture.keyword(&query).await), ["a"]);
}

#[tokio::test]
async fn k_is_respected_and_nothing_is_found_in_an_empty_table() {
    let fixture = Fixture::new().await;
    assert!(fixture.keyword("payment").await.is_empty());
    assert!(fixture.nearest(&axis(0, 1.0), 5).await.is_empty());
    fixture.upsert((0..20).map(|n| document(&format!("d{n}"), &["payment"])).collect()).await;
    for (k, found) in [(0, 0), (1, 1), (7, 7), (1_000_000_000, 20)] {
        assert_eq!(keyword(&fixture.index, &fixture.table, "payment", k, None).await.unwrap().len(), found);
        assert_eq!(fixture.nearest(&axis(0, 1.0), k).await.len(), found);
    }
}
