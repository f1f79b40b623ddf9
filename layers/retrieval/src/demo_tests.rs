//! The demo's questions, answered by keywords and extraction alone: the floor under which no installation falls,
//! since the models add to it.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use mandi_core::identity::Principal;
use mandi_core::ports::{Embedder, Embedding, EmbeddingModel, EmbeddingPurpose, ModelError, ModelRef};
use mandi_core::{Language, Result, SystemClock, Timestamp};
use serde_json::Value;

use crate::answer::{
    AnswerDone, AnswerEngine, AnswerEvent, AnswerRequest, AnswerSettings, CallLog, Finish, RewriteMode,
};
use crate::chunk::{ChunkSize, chunks};
use crate::extract::{Source, extract};
use crate::fixtures::memory::MemoryIndex;
use crate::fixtures::{SixCharacterPieces, caller};
use crate::hybrid::{Collections, HybridSearch};
use crate::passage::{Chunk, CollectionName, DocumentKey, DocumentReference};
use crate::ports::IndexTable;

/// A model that knows nothing: its vectors are near to none.
#[derive(Debug)]
struct NoVectors(EmbeddingModel);

#[async_trait]
impl Embedder for NoVectors {
    fn model(&self) -> &EmbeddingModel {
        &self.0
    }

    async fn embed(&self, texts: &[String], _purpose: EmbeddingPurpose) -> Result<Vec<Embedding>, ModelError> {
        Ok(texts.iter().map(|_| Embedding { vector: vec![0.0], tokens: 0, truncated: false }).collect())
    }
}

#[derive(Debug)]
struct DemoCollections;

#[async_trait]
impl Collections for DemoCollections {
    async fn open(&self, caller: &Principal, collection: &CollectionName) -> Result<(IndexTable, Arc<dyn Embedder>)> {
        let model = ModelRef { provider: "test".to_owned(), model: "none".to_owned() };
        let made_at = Timestamp::from_unix_ms(0);
        let table = IndexTable { tenant: caller.tenant.clone(), collection: collection.clone(), made_at };
        Ok((table, Arc::new(NoVectors(EmbeddingModel { model, dimensions: 1, max_tokens: 256 }))))
    }

    async fn all(&self, _caller: &Principal) -> Result<Vec<CollectionName>> {
        Ok(Vec::new())
    }

    async fn has(&self, _caller: &Principal, _document: &DocumentReference) -> Result<bool> {
        Ok(false)
    }
}

fn demo(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo").join(path)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn index() -> MemoryIndex {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(demo("documents")).unwrap() {
        let document = json(&entry.unwrap().path());
        let text = |name: &str| document[name].as_str().unwrap().to_owned();
        let source = match document.get("content") {
            Some(content) => Source::Content(content.as_str().unwrap().to_owned()),
            None => Source::Fields(document["fields"].clone()),
        };
        let extracted = extract(&text("entity_type"), &source, "").unwrap();
        let key = DocumentKey { entity_type: text("entity_type"), entity_id: text("entity_id") };
        let parts = chunks(&extracted.text, &SixCharacterPieces, ChunkSize::default());
        for (number, part) in (0..).zip(parts) {
            let chunk = Chunk {
                document: key.clone(),
                number,
                title: extracted.title.clone(),
                text: part.text,
                characters: part.characters,
                metadata: extracted.metadata.clone(),
            };
            found.push((CollectionName::parse(&text("collection")).unwrap(), chunk, vec![0.0]));
        }
    }
    MemoryIndex::of(found)
}

/// The answer, and the ids and quotes of its citations.
async fn answer(question: &Value) -> (AnswerDone, Vec<(String, String)>) {
    let search = HybridSearch::new(Arc::new(index()), Arc::new(DemoCollections), None);
    let engine = AnswerEngine::new(Arc::new(search), None, Arc::new(SystemClock), AnswerSettings::default());
    let names = question["collections"].as_array().unwrap().iter();
    let request = AnswerRequest {
        caller: caller().await,
        question: question["question"].as_str().unwrap().to_owned(),
        history: Vec::new(),
        collections: names.map(|name| CollectionName::parse(name.as_str().unwrap()).unwrap()).collect(),
        k: 8,
        filter: None,
        documents: Vec::new(),
        rerank: false,
        rewrite: RewriteMode::Keywords,
        language: Language::En,
        instructions: String::new(),
        model: None,
        max_tokens: 200,
        calls: CallLog::default(),
    };
    let mut cited = Vec::new();
    let mut events = engine.answer(request);
    loop {
        match events.next().await.unwrap() {
            AnswerEvent::Citation(citation) => cited.push((citation.document.entity_id, citation.quote)),
            AnswerEvent::Done(done) => return (*done, cited),
            AnswerEvent::Token { .. } => {}
            AnswerEvent::Failed { problem, .. } => panic!("{problem}"),
        }
    }
}

#[tokio::test]
async fn every_question_with_an_answer_is_answered_from_the_right_document() {
    let mut wrong = Vec::new();
    for question in json(&demo("questions.json"))["questions"].as_array().unwrap() {
        let (done, cited) = answer(question).await;
        let quotes: Vec<&str> = cited.iter().map(|(_, quote)| quote.as_str()).collect();
        let said = format!("{}\n{}", done.answer, quotes.join("\n"));
        let expected = question["expected"].as_array().unwrap().iter();
        let holds = expected.map(|part| part.as_str().unwrap()).all(|part| said.contains(part));
        let right_document = cited.iter().any(|(id, _)| Some(id.as_str()) == question["cited_document"].as_str());
        if !holds || !right_document {
            wrong.push(format!("{}: {}", question["question"], done.answer));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_question_without_an_answer_gets_not_enough_data() {
    for question in json(&demo("questions.json"))["not_in_the_documents"].as_array().unwrap() {
        let (done, cited) = answer(question).await;
        assert_eq!(done.finish_reason, Finish::NotEnoughData, "{}: {}", question["question"], done.answer);
        assert!(cited.is_empty());
    }
}
