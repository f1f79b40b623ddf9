//! Signed URLs of the store: their query stands under an HMAC (RFC 2104) with the data folder's secret.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use mandi_core::ports::{GetGrant, ObjectKey, PutGrant, SignedPut};
use mandi_core::uploads::hexadecimal;
use mandi_core::{Clock, Timestamp};
use sha2::Sha256;

use crate::data_dir::Secret;

/// The length of a block of SHA-256, in bytes.
const BLOCK_BYTES: usize = 64;

/// Where the runner takes and gives what a signed URL lets its holder send and read, and how it knows one.
#[derive(Clone)]
pub struct Doorway {
    base_url: String,
    secret: Secret,
    clock: Arc<dyn Clock>,
}

/// The query of a signed URL to send content to.
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

/// The query of a signed URL to read an object from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetQuery {
    /// The key's text.
    pub key: String,
    /// The name under which the file is to be kept.
    pub filename: String,
    /// What the file is, as an HTTP `Content-Type`.
    pub content_type: String,
    /// Until when it holds, in milliseconds since 1970.
    pub expires_ms: i64,
    /// The signature, in hexadecimal.
    pub signature: String,
}

/// What is signed of a query.
pub(super) trait Signed {
    /// What it lets its holder do: a name of its own, so that no token and no other signature of the secret is one.
    const DOMAIN: &str;

    /// The query without the signature, in one spelling.
    fn unsigned(&self) -> String;

    /// Until when it holds, in milliseconds since 1970.
    fn expires_ms(&self) -> i64;

    /// The signature, in hexadecimal.
    fn signature(&self) -> &str;
}

impl Signed for PutQuery {
    const DOMAIN: &str = "mandi-put";

    fn unsigned(&self) -> String {
        format!("key={}&size_bytes={}&expires_ms={}", escaped(&self.key), self.size_bytes, self.expires_ms)
    }

    fn expires_ms(&self) -> i64 {
        self.expires_ms
    }

    fn signature(&self) -> &str {
        &self.signature
    }
}

impl Signed for GetQuery {
    const DOMAIN: &str = "mandi-get";

    fn unsigned(&self) -> String {
        let [key, filename, content_type] = [&self.key, &self.filename, &self.content_type].map(|text| escaped(text));
        format!("key={key}&filename={filename}&content_type={content_type}&expires_ms={}", self.expires_ms)
    }

    fn expires_ms(&self) -> i64 {
        self.expires_ms
    }

    fn signature(&self) -> &str {
        &self.signature
    }
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

    pub(super) fn sign_put(&self, key: &ObjectKey, grant: &PutGrant) -> SignedPut {
        let query = PutQuery {
            key: key.as_str().to_owned(),
            size_bytes: grant.size_bytes,
            expires_ms: self.end(grant.valid_for),
            signature: String::new(),
        };
        SignedPut { url: self.url(&query), headers: Vec::new() }
    }

    pub(super) fn sign_get(&self, key: &ObjectKey, grant: &GetGrant) -> String {
        self.url(&GetQuery {
            key: key.as_str().to_owned(),
            filename: grant.filename.clone(),
            content_type: grant.content_type.clone(),
            expires_ms: self.end(grant.valid_for),
            signature: String::new(),
        })
    }

    /// Whether this doorway signed the query, and it has not run out.
    pub(super) fn admits<Q: Signed>(&self, query: &Q) -> bool {
        let digit = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let Some(signature) = query.signature().as_bytes().chunks(2).map(digit).collect::<Option<Vec<u8>>>() else {
            return false;
        };
        let signed = self.tag::<Q>(&query.unsigned()).verify_slice(&signature).is_ok();
        signed && self.clock.now() < Timestamp::from_unix_ms(query.expires_ms())
    }

    fn end(&self, valid_for: Duration) -> i64 {
        self.clock.now().plus(valid_for).unix_ms()
    }

    fn url<Q: Signed>(&self, query: &Q) -> String {
        let unsigned = query.unsigned();
        let signature = hexadecimal(&self.tag::<Q>(&unsigned).finalize().into_bytes());
        format!("{}?{unsigned}&signature={signature}", self.base_url)
    }

    fn tag<Q: Signed>(&self, unsigned: &str) -> Hmac<Sha256> {
        // RFC 2104, section 2: a key that is shorter than a block is filled up with zeros.
        let mut block = [0; BLOCK_BYTES];
        block.iter_mut().zip(self.secret.as_bytes()).for_each(|(to, from)| *to = *from);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(format!("{}\n{unsigned}", Q::DOMAIN).as_bytes());
        mac
    }
}

/// A text in a query: each byte as it is where RFC 3986 leaves it unreserved.
fn escaped(text: &str) -> String {
    let escape = |byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}
