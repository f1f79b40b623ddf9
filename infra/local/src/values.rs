//! Values of the command line that have a rule, checked before anything is done.

use std::ops::RangeInclusive;

use mandi_core::ids::ConversationId;
use mandi_retrieval::CollectionName;
use reqwest::Url;

/// For how many hours a token may hold: up to a year.
pub const HOURS: RangeInclusive<i64> = 1..=8760;

/// The longest name of a user that servers take, in bytes.
const MAX_USER_BYTES: usize = 256;

/// A collection's name.
pub fn collection(text: &str) -> Result<CollectionName, &'static str> {
    CollectionName::parse(text).ok_or(CollectionName::RULE)
}

/// A conversation's id.
pub fn conversation(text: &str) -> Result<ConversationId, &'static str> {
    ConversationId::parse(text)
        .ok_or("a conversation's id is `conv_` and 32 hexadecimal digits, as `mandi ask` prints it at its end")
}

/// A user's name.
pub fn user(text: &str) -> Result<String, &'static str> {
    let fits = !text.trim().is_empty() && text.len() <= MAX_USER_BYTES;
    fits.then(|| text.to_owned()).ok_or("a user is 1 to 256 bytes, and not blank")
}

/// A server's address.
pub fn address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    url.ok_or("an address begins with `http://` or `https://`, such as http://127.0.0.1:8080")
}
