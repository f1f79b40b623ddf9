//! Signed URLs of the store: a key, a size and an end, under an HMAC (RFC 2104) with the data folder's secret.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use mandi_core::ports::{ObjectKey, PutGrant, SignedPut};
use mandi_core::{Clock, Timestamp};
use sha2::Sha256;

use crate::data_dir::Secret;

/// The length of a block of SHA-256, in bytes.
const BLOCK_BYTES: usize = 64;

/// Where the runner takes what a signed URL lets in, and how it knows one.
#[derive(Clone)]
pub struct Doorway {
    base_url: String,
    secret: Secret,
    clock: Arc<dyn Clock>,
}

/// The query of a signed URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutQuery {
    /// The key's text.
    pub key: String,
    /// How long the content is, in bytes.
    pub size_bytes: u64,
    /// Until when it holds, in milliseconds since 1970.
    pub expires_ms: i64,
    /// The signature, in hexadecimal.
    pub signature: String,
}

impl fmt::Debug for Doorway {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Doorway({})", self.base_url)
    }
}

impl Doorway {
    /// A doorway at `base_url`, such as `http://127.0.0.1:8080/local-objects`.
    pub fn new(base_url: impl Into<String>, secret: Secret, clock: Arc<dyn Clock>) -> Self {
        Self { base_url: base_url.into(), secret, clock }
    }

    pub(super) fn sign(&self, key: &ObjectKey, grant: &PutGrant) -> SignedPut {
        let expires_ms = self.clock.now().plus(grant.valid_for).unix_ms();
        let tag = self.tag(key.as_str(), grant.size_bytes, expires_ms).finalize().into_bytes();
        let signature: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        let key: String = key.as_str().bytes().map(escaped).collect();
        let url = format!(
            "{}?key={key}&size_bytes={}&expires_ms={expires_ms}&signature={signature}",
            self.base_url, grant.size_bytes
        );
        SignedPut { url, headers: Vec::new() }
    }

    /// Whether this doorway signed the query, and it has not run out.
    pub(super) fn admits(&self, query: &PutQuery) -> bool {
        let digit = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let Some(signature) = query.signature.as_bytes().chunks(2).map(digit).collect::<Option<Vec<u8>>>() else {
            return false;
        };
        let signed = self.tag(&query.key, query.size_bytes, query.expires_ms).verify_slice(&signature).is_ok();
        signed && self.clock.now() < Timestamp::from_unix_ms(query.expires_ms)
    }

    fn tag(&self, key: &str, size_bytes: u64, expires_ms: i64) -> Hmac<Sha256> {
        // RFC 2104, section 2: a key that is shorter than a block is filled up with zeros.
        let mut block = [0; BLOCK_BYTES];
        block.iter_mut().zip(self.secret.as_bytes()).for_each(|(to, from)| *to = *from);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        // A name of its own, so that no token and no other signature of this secret is one.
        mac.update(format!("mandi-put\n{size_bytes}\n{expires_ms}\n{key}").as_bytes());
        mac
    }
}

/// A byte of a query: as it is where RFC 3986 leaves it unreserved.
fn escaped(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}
