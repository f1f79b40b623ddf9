//! The Universal Declaration of Human Rights in ten languages, article by article, and queries made of its words.
//!
//! The queries of an article are made by a rule, so that nobody chose them: of its content words, in order, the two that
//! begin at a quarter, the three at the half, and the two at three quarters of them. A content word has at least three
//! characters and stands in at most a third of the declaration's articles in that language. A query that another article
//! gave already, or that repeats one word, is left out, since no search could tell which article is meant.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::searching::{Asked, Found};
use crate::Client;

/// The collection that all languages are loaded into.
pub const COLLECTION: &str = "declaration";

/// The languages, by ISO 639-3 code: the name of the file, and the language's.
pub const LANGUAGES: [(&str, &str); 10] = [
    ("hin", "Hindi"),
    ("tam", "Tamil"),
    ("tel", "Telugu"),
    ("mar", "Marathi"),
    ("guj", "Gujarati"),
    ("kan", "Kannada"),
    ("mal", "Malayalam"),
    ("pan", "Punjabi"),
    ("ben", "Bengali"),
    ("eng", "English"),
];

/// The most articles, of all, in which a content word stands: one in so many.
const ONE_ARTICLE_IN: usize = 3;
/// The shortest content word, in characters.
const MIN_CHARACTERS: usize = 3;
/// How many documents are sent in one request.
const DOCUMENTS_A_REQUEST: usize = 50;

/// An article.
#[derive(Clone, Debug)]
pub struct Article {
    /// Its id among those of all languages: `hin-07`.
    pub id: String,
    /// Its HTML.
    pub html: String,
}

impl Article {
    /// Its words without its heading, in order, without punctuation.
    fn words(&self) -> Vec<String> {
        let body = self.html.split_once("</h2>").map_or(self.html.as_str(), |(_, body)| body);
        let mut in_tag = false;
        let text: String = body
            .chars()
            .map(|character| {
                in_tag = character == '<' || (in_tag && character != '>');
                if in_tag || character == '>' { ' ' } else { character }
            })
            .collect();
        let is_edge = |character: char| character.is_ascii_punctuation() || "।॥‘’“”–—…‐".contains(character);
        text.split_whitespace()
            .map(|word| word.trim_matches(is_edge).to_lowercase())
            .filter(|word| !word.is_empty())
            .collect()
    }
}

/// The articles of a language.
///
/// # Panics
/// Its file is not there, or has not 30 articles.
#[must_use]
pub fn articles(language: &str) -> Vec<Article> {
    let path = crate::models().join("udhr").join(format!("{language}.html"));
    let html = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; `python3 scripts/models.py --tests` fetches it", path.display()));
    let articles: Vec<Article> = html
        .split("<article")
        .skip(1)
        .zip(1..)
        .map(|(part, number)| {
            let inner = part.split_once('>').unwrap().1.split("</article>").next().unwrap();
            Article { id: format!("{language}-{number:02}"), html: inner.to_owned() }
        })
        .collect();
    assert_eq!(articles.len(), 30, "articles in {}", path.display());
    articles
}

/// The queries of all articles, each with the article that it is made of.
#[must_use]
pub fn asked(articles: &[Article]) -> Vec<Asked> {
    let words: Vec<Vec<String>> = articles.iter().map(Article::words).collect();
    let mut holders: HashMap<&str, usize> = HashMap::new();
    for article in &words {
        for word in article.iter().collect::<HashSet<_>>() {
            *holders.entry(word).or_default() += 1;
        }
    }
    let is_content =
        |word: &str| word.chars().count() >= MIN_CHARACTERS && holders[word] * ONE_ARTICLE_IN <= articles.len();
    let mut seen = HashSet::new();
    let mut asked = Vec::new();
    for (article, words) in articles.iter().zip(&words) {
        let content: Vec<&str> = words.iter().map(String::as_str).filter(|word| is_content(word)).collect();
        for query in queries(&content) {
            if seen.insert(query.clone()) {
                let id = article.id.clone();
                let meets = move |found: &Found| if found.document == id { vec![0] } else { Vec::new() };
                asked.push(Asked { id: article.id.clone(), query, needs: 1, meets: Box::new(meets) });
            }
        }
    }
    asked
}

/// The queries of an article with these content words.
fn queries(content: &[&str]) -> Vec<String> {
    let places = [(1, 2), (2, 3), (3, 2)];
    let at = |(quarter, length): (usize, usize)| {
        let start = (content.len() * quarter / 4).min(content.len().saturating_sub(length));
        &content[start..content.len().min(start + length)]
    };
    let differ = |words: &&[&str]| words.iter().collect::<HashSet<_>>().len() >= 2;
    places.into_iter().map(at).filter(differ).map(|words| words.join(" ")).collect()
}

/// Loads the articles of all languages into one collection.
///
/// # Panics
/// One of them cannot be loaded.
pub async fn load(client: &Client) {
    client.put(&format!("/v1/collections/{COLLECTION}"), &json!({})).await;
    let all = LANGUAGES.iter().flat_map(|(language, _)| articles(language));
    let documents: Vec<Value> = all
        .map(|article| json!({"entity_type": "text", "format": "html", "entity_id": article.id, "content": article.html}))
        .collect();
    for some in documents.chunks(DOCUMENTS_A_REQUEST) {
        client.load(COLLECTION, &json!({"documents": some})).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_eight_content_words_when_queries_are_made_then_they_begin_at_the_quarters() {
        assert_eq!(queries(&["a", "b", "c", "d", "e", "f", "g", "h"]), ["c d", "e f g", "g h"]);
    }

    #[test]
    fn given_one_content_word_when_queries_are_made_then_there_are_none() {
        assert!(queries(&["a"]).is_empty());
    }

    #[test]
    fn given_the_html_of_an_article_when_its_words_are_read_then_heading_tags_and_punctuation_are_gone() {
        let html = "<h2>Article 3</h2><p>Everyone has the <b>right</b> to life, liberty.</p>".to_owned();
        let words = Article { id: "eng-03".to_owned(), html }.words();
        assert_eq!(words, ["everyone", "has", "the", "right", "to", "life", "liberty"]);
    }

    #[test]
    fn given_articles_when_queries_are_made_then_words_of_most_articles_are_not_in_them() {
        let article = |id: &str, text: &str| Article { id: id.to_owned(), html: format!("<h2>1</h2><p>{text}</p>") };
        let three =
            [article("a", "has right life"), article("b", "has right work"), article("c", "has right vote fair")];
        let queries: Vec<String> = asked(&three).into_iter().map(|one| one.query).collect();
        assert_eq!(queries, ["vote fair"]);
    }
}
