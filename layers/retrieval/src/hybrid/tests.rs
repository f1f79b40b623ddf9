#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use mandi_core::Timestamp;
use mandi_core::ports::{Embedding, EmbeddingModel, EmbeddingPurpose, ModelError, ModelRef};

use super::*;
use crate::filter::{Filter, Metadata, Scalar};
use crate::fixtures::memory::MemoryIndex;
use crate::fixtures::{WordReranker, caller};
use crate::passage::{Chunk, DocumentKey, SearchMode};

/// Puts a text where its words say: one dimension for each of a few topics.
#[derive(Debug)]
struct TopicEmbedder(EmbeddingModel);

const TOPICS: [&[&str]; 3] =
    [&["pay", "money", "price"], &["deliver", "ship", "port"], &["moisture", "quality", "grade"]];

impl TopicEmbedder {
    fn vector(text: &str) -> Vec<f32> {
        let text = text.to_lowercase();
        let mut vector: Vec<f32> =
            TOPICS.iter().map(|words| if words.iter().any(|word| text.contains(word)) { 1.0 } else { 0.01 }).collect();
        let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|value| *value /= norm);
        vector
    }
}

#[async_trait]
impl Embedder for TopicEmbedder {
    fn model(&self) -> &EmbeddingModel {
        &self.0
    }

    async fn embed(&self, texts: &[String], _purpose: EmbeddingPurpose) -> Result<Vec<Embedding>, ModelError> {
        Ok(texts.iter().map(|text| Embedding { vector: Self::vector(text), tokens: 1, truncated: false }).collect())
    }
}

#[derive(Debug)]
struct FailingReranker;

#[async_trait]
impl Reranker for FailingReranker {
    fn model(&self) -> ModelRef {
        ModelRef { provider: "test".to_owned(), model: "failing".to_owned() }
    }

    async fn scores(&self, _query: &str, _passages: &[String]) -> Result<Vec<f32>, ModelError> {
        Err(ModelError::Overloaded("busy".to_owned()))
    }
}

/// Two collections of a model of this name.
#[derive(Debug)]
struct TwoCollections(&'static str);

#[async_trait]
impl Collections for TwoCollections {
    async fn all(&self, _: &Principal) -> Result<Vec<CollectionName>> {
        Ok(vec![name("contracts"), name("rules")])
    }

    async fn has(&self, _: &Principal, document: &DocumentReference) -> Result<bool> {
        Ok(document.entity_id == "pay")
    }

    async fn open(&self, caller: &Principal, collection: &CollectionName) -> Result<(IndexTable, Arc<dyn Embedder>)> {
        if caller.tenant.as_str() != "demo" || !["contracts", "rules"].contains(&collection.as_str()) {
            return Err(Problem::not_found("collection"));
        }
        let model = ModelRef { provider: "test".to_owned(), model: self.0.to_owned() };
        let made_at = Timestamp::from_unix_ms(0);
        let table = IndexTable { tenant: caller.tenant.clone(), collection: collection.clone(), made_at };
        Ok((table, Arc::new(TopicEmbedder(EmbeddingModel { model, dimensions: 3, max_tokens: 256 }))))
    }
}

fn name(text: &str) -> CollectionName {
    CollectionName::parse(text).unwrap()
}

fn chunk(id: &str, text: &str, year: f64) -> Chunk {
    Chunk {
        document: DocumentKey { entity_type: "text".to_owned(), entity_id: id.to_owned() },
        number: 0,
        title: None,
        text: text.to_owned(),
        characters: 0..u32::try_from(text.chars().count()).unwrap(),
        metadata: Metadata::from([("year".to_owned(), Scalar::Number(year))]),
    }
}

fn search() -> HybridSearch {
    search_by("all-MiniLM-L6-v2")
}

fn search_by(model: &'static str) -> HybridSearch {
    search_with(model, Arc::new(WordReranker("Mundra")))
}

fn search_with(model: &'static str, reranker: Arc<dyn Reranker>) -> HybridSearch {
    let chunks = [
        ("contracts", chunk("pay", "The buyer shall pay within 30 days of the bill of lading.", 2026.0)),
        ("contracts", chunk("pay-again", "The Buyer shall pay  within 30 days of the bill of lading", 2025.0)),
        ("contracts", chunk("money", "Settlement of money happens at the bank.", 2026.0)),
        ("contracts", chunk("ship", "The seller shall deliver SHK6-170 at the port of Mundra.", 2025.0)),
        ("rules", chunk("grade", "Moisture of grade A rice is at most 12 %.", 2026.0)),
        ("rules", chunk("hindi", "क्रेता को ३० दिनों के भीतर भुगतान करना होगा।", 2026.0)),
    ];
    let index = MemoryIndex::of(chunks.map(|(collection, chunk)| {
        let vector = TopicEmbedder::vector(&chunk.text);
        (name(collection), chunk, vector)
    }));
    HybridSearch::new(Arc::new(index), Arc::new(TwoCollections(model)), Some(reranker))
}

fn request(query: &str, mode: SearchMode) -> SearchRequest {
    SearchRequest {
        collections: vec![name("contracts"), name("rules")],
        query: query.to_owned(),
        k: 5,
        mode,
        filter: None,
        documents: Vec::new(),
        rerank: Reranking::Never,
    }
}

async fn found(request: SearchRequest) -> Vec<Passage> {
    search().search(&caller().await, request).await.unwrap()
}

fn ids(passages: &[Passage]) -> Vec<&str> {
    passages.iter().map(|passage| passage.document.entity_id.as_str()).collect()
}

async fn refused(request: SearchRequest) -> Problem {
    search().search(&caller().await, request).await.unwrap_err()
}

#[tokio::test]
async fn hybrid_puts_first_what_both_lists_found_and_fills_all_scores() {
    let passages = found(request("When must the buyer pay?", SearchMode::Hybrid)).await;
    assert_eq!(passages[0].document.entity_id, "pay");
    let scores = passages[0].scores;
    assert!(scores.vector.is_some() && scores.keyword.is_some() && scores.fused.is_some() && scores.rerank.is_none());
    assert_eq!(Some(passages[0].score), scores.fused);
    assert!(ids(&passages).contains(&"money"), "found by its vector alone");
}

#[tokio::test]
async fn each_mode_uses_its_own_list() {
    let by_keyword = found(request("pay", SearchMode::Keyword)).await;
    assert_eq!(ids(&by_keyword), ["pay"]);
    assert!(by_keyword[0].scores.vector.is_none() && by_keyword[0].scores.fused.is_none());
    let by_vector = found(request("money", SearchMode::Vector)).await;
    assert!(ids(&by_vector).starts_with(&["pay"]) || ids(&by_vector).starts_with(&["money"]));
    assert_eq!(Some(by_vector[0].score), by_vector[0].scores.vector);
}

#[tokio::test]
async fn near_duplicates_are_shown_once() {
    let passages = found(request("the buyer shall pay", SearchMode::Hybrid)).await;
    let copies = ids(&passages).into_iter().filter(|id| id.starts_with("pay")).count();
    assert_eq!(copies, 1);
}

#[tokio::test]
async fn several_collections_are_merged() {
    let passages = found(request("moisture at the port", SearchMode::Hybrid)).await;
    let ids = ids(&passages);
    assert!(ids[..2].contains(&"grade") && ids[..2].contains(&"ship"), "{ids:?}");
}

#[tokio::test]
async fn a_filter_is_applied_in_both_lists() {
    let filter = Filter::parse(&serde_json::json!({"equals": {"field": "year", "value": 2025}}), "/filter").unwrap();
    let passages =
        found(SearchRequest { filter: Some(filter), ..request("pay at the port", SearchMode::Hybrid) }).await;
    let mut ids = ids(&passages);
    ids.sort_unstable();
    assert_eq!(ids, ["pay-again", "ship"]);
}

#[tokio::test]
async fn reranking_orders_anew_and_its_score_counts() {
    let passages =
        found(SearchRequest { rerank: Reranking::Always, ..request("pay at the port", SearchMode::Hybrid) }).await;
    assert_eq!(passages[0].document.entity_id, "ship");
    assert_eq!(passages[0].scores.rerank, Some(0.9));
    assert!((passages[0].score - 0.9).abs() < f32::EPSILON);
}

#[tokio::test]
async fn given_cosines_without_a_scale_then_a_search_that_has_to_judge_is_reranked_in_latin_script() {
    for (model, query, reranking, reranked) in [
        ("titan", "pay at the port", Reranking::Unmeasured, true),
        ("titan", "pay at the port", Reranking::Never, false),
        ("titan", "भुगतान कितने दिनों में", Reranking::Unmeasured, false),
        ("all-MiniLM-L6-v2", "pay at the port", Reranking::Unmeasured, false),
        ("all-MiniLM-L6-v2", "pay at the port", Reranking::Judging, true),
        ("all-MiniLM-L6-v2", "भुगतान कितने दिनों में", Reranking::Judging, false),
    ] {
        let request = SearchRequest { rerank: reranking, ..request(query, SearchMode::Hybrid) };
        let passages = search_by(model).search(&caller().await, request).await.unwrap();
        let by_vector = passages.iter().map(|passage| passage.scores).find(|scores| scores.vector.is_some()).unwrap();
        assert_eq!(by_vector.cosine_scale.is_none(), model == "titan");
        assert!(passages.iter().all(|passage| passage.scores.rerank.is_some() == reranked), "{model}: {query}");
    }
}

#[tokio::test]
async fn given_a_cross_encoder_that_fails_then_only_a_search_that_asked_for_it_fails() {
    for (reranking, fails) in [(Reranking::Unmeasured, false), (Reranking::Always, true)] {
        let request = SearchRequest { rerank: reranking, ..request("pay at the port", SearchMode::Hybrid) };
        let outcome = search_with("titan", Arc::new(FailingReranker)).search(&caller().await, request).await;
        assert_eq!(outcome.is_err(), fails, "{reranking:?}");
        let found = outcome.unwrap_or_default();
        assert!(found.iter().all(|passage| passage.scores.rerank.is_none()));
        assert_eq!(found.is_empty(), fails);
    }
}

#[tokio::test]
async fn a_query_in_another_script_is_led_by_its_keywords() {
    let passages = found(request("भुगतान कितने दिनों में", SearchMode::Hybrid)).await;
    assert_eq!(passages[0].document.entity_id, "hindi");
}

#[tokio::test]
async fn no_collections_named_means_all_of_the_tenant() {
    let passages = found(SearchRequest { collections: Vec::new(), ..request("moisture", SearchMode::Keyword) }).await;
    assert_eq!(ids(&passages), ["grade"]);
}

#[tokio::test]
async fn k_bounds_the_passages() {
    assert_eq!(found(SearchRequest { k: 1, ..request("pay", SearchMode::Hybrid) }).await.len(), 1);
}

#[tokio::test]
async fn a_collection_that_the_tenant_does_not_have_is_not_found() {
    let problem =
        refused(SearchRequest { collections: vec![name("secrets")], ..request("pay", SearchMode::Hybrid) }).await;
    assert_eq!(problem.kind, ProblemKind::NotFound);
}

#[tokio::test]
async fn bad_requests_name_the_field() {
    let good = || request("pay", SearchMode::Hybrid);
    let filter = Filter::Or(Vec::new());
    for (bad, pointer) in [
        (SearchRequest { k: 0, ..good() }, "/k"),
        (SearchRequest { k: 101, ..good() }, "/k"),
        (SearchRequest { query: " ? ".to_owned(), ..good() }, "/query"),
        (SearchRequest { query: "x".repeat(2001), ..good() }, "/query"),
        (SearchRequest { collections: vec![name("rules"); 17], ..good() }, "/collections"),
        (SearchRequest { collections: vec![name("rules"), name("rules")], ..good() }, "/collections"),
        (SearchRequest { filter: Some(filter), ..good() }, "/filter/or"),
    ] {
        assert_eq!(refused(bad).await.errors[0].pointer, pointer);
    }
}

#[tokio::test]
async fn no_collection_named_stands_for_all() {
    let all = SearchRequest { collections: Vec::new(), ..request("pay grade", SearchMode::Keyword) };
    let found = search().search(&caller().await, all).await.unwrap();
    let collections: HashSet<&str> = found.iter().map(|passage| passage.collection.as_str()).collect();
    assert_eq!(collections, HashSet::from(["contracts", "rules"]));
}

fn reference(collection: &str, id: &str) -> DocumentReference {
    DocumentReference { collection: name(collection), entity_type: "text".to_owned(), entity_id: id.to_owned() }
}

#[tokio::test]
async fn given_documents_then_nothing_else_is_found_not_even_under_the_same_name_in_another_collection() {
    let documents = vec![reference("contracts", "money"), reference("rules", "hindi"), reference("rules", "ship")];
    let asked = SearchRequest { documents, ..request("pay money at the port", SearchMode::Hybrid) };
    let ids: Vec<String> = found(asked).await.into_iter().map(|passage| passage.document.entity_id).collect();
    assert!(ids.contains(&"money".to_owned()), "{ids:?}");
    assert!(ids.iter().all(|id| ["money", "hindi"].contains(&id.as_str())), "{ids:?}");
}

#[tokio::test]
async fn collections_and_documents_that_are_not_there_are_named_by_their_places() {
    let documents = vec![reference("rules", "none"), reference("contracts", "pay"), reference("rules", "x")];
    let named = Named { collections: vec![name("rules"), name("absent")], documents };
    let missing = search().missing(&caller().await, &named).await.unwrap();
    assert_eq!(missing, Missing { collections: vec![1], documents: vec![0, 2] });
}
