//! Objects in one S3 bucket.

mod multipart;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::EncodingType;
use bytes::Bytes;
use mandi_core::ports::{
    GetGrant, ObjectKey, ObjectPage, ObjectPrefix, ObjectWriter, Objects, ObjectsError, PutGrant, PutOutcome,
    SignedPut, content_disposition,
};

use multipart::MultipartWriter;

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 1024;

/// The most keys that S3 lists in a page.
const MAX_LISTED: usize = 1000;

/// How often a put-if-absent is sent while S3 says that another one of the same key is under way.
const MOST_TRIES: u32 = 6;

/// The store of objects in a bucket.
#[derive(Clone)]
pub struct S3Objects {
    client: Client,
    bucket: String,
}

impl fmt::Debug for S3Objects {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "S3Objects({})", self.bucket)
    }
}

impl S3Objects {
    /// The store in `bucket`.
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }
}

#[async_trait]
impl Objects for S3Objects {
    async fn size_bytes(&self, key: &ObjectKey) -> Result<Option<u64>, ObjectsError> {
        let answer = self.client.head_object().bucket(&self.bucket).key(checked(key)?).send().await;
        match answer {
            Ok(head) => Ok(Some(head.content_length().and_then(|size| u64::try_from(size).ok()).unwrap_or(0))),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    async fn sign_put(&self, key: &ObjectKey, grant: &PutGrant) -> Result<SignedPut, ObjectsError> {
        let length = i64::try_from(grant.size_bytes).map_err(|error| ObjectsError::Unavailable(error.into()))?;
        // S3 refuses content of another length than the one that was signed.
        let put = self.client.put_object().bucket(&self.bucket).key(checked(key)?).content_length(length);
        let signed = put.presigned(validity(grant.valid_for)?).await.map_err(fault)?;
        let headers = signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(SignedPut { url: signed.uri().to_owned(), headers })
    }

    async fn sign_get(&self, key: &ObjectKey, grant: &GetGrant) -> Result<String, ObjectsError> {
        let get = self.client.get_object().bucket(&self.bucket).key(checked(key)?);
        let named = get.response_content_disposition(content_disposition(&grant.filename));
        let typed = named.response_content_type(&grant.content_type);
        let signed = typed.presigned(validity(grant.valid_for)?).await.map_err(fault)?;
        Ok(signed.uri().to_owned())
    }

    async fn writer(&self, key: &ObjectKey) -> Result<Box<dyn ObjectWriter>, ObjectsError> {
        checked(key)?;
        Ok(Box::new(MultipartWriter::new(self.clone(), key.clone())))
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Bytes>, ObjectsError> {
        match self.client.get_object().bucket(&self.bucket).key(checked(key)?).send().await {
            Ok(found) => content(found).await.map(Some),
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Option<Bytes>, ObjectsError> {
        if range.start < range.end {
            let header = format!("bytes={}-{}", range.start, range.end - 1);
            let answer = self.client.get_object().bucket(&self.bucket).key(checked(key)?).range(header).send().await;
            match answer {
                Ok(found) => return content(found).await.map(Some),
                Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(None),
                Err(error) if code(&error) == Some("InvalidRange") => {}
                Err(error) => return Err(fault(error)),
            }
        }
        // HTTP cannot ask for no bytes, and refuses the range that begins where the object ends.
        match self.size_bytes(key).await? {
            None => Ok(None),
            Some(size_bytes) if range.start > size_bytes => Err(ObjectsError::OutOfRange { size_bytes }),
            Some(_) => Ok(Some(Bytes::new())),
        }
    }

    async fn put(&self, key: &ObjectKey, content: Bytes) -> Result<(), ObjectsError> {
        let put = self.client.put_object().bucket(&self.bucket).key(checked(key)?);
        put.body(ByteStream::from(content)).send().await.map(drop).map_err(fault)
    }

    async fn put_if_absent(&self, key: &ObjectKey, content: Bytes) -> Result<PutOutcome, ObjectsError> {
        for attempt in 0.. {
            let put = self.client.put_object().bucket(&self.bucket).key(checked(key)?).if_none_match("*");
            let Err(error) = put.body(ByteStream::from(content.clone())).send().await else { break };
            match code(&error) {
                Some("PreconditionFailed") => return Ok(PutOutcome::Existed),
                // Another writer of the same key is not done yet; it may still fail.
                Some("ConditionalRequestConflict") if attempt < MOST_TRIES => {
                    tokio::time::sleep(Duration::from_millis(20 << attempt)).await;
                }
                _ => return Err(fault(error)),
            }
        }
        Ok(PutOutcome::Written)
    }

    async fn list(&self, prefix: &ObjectPrefix, after: Option<&str>, limit: usize) -> Result<ObjectPage, ObjectsError> {
        let answer = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix.as_str())
            .set_start_after(after.map(str::to_owned))
            // XML cannot carry every character that a key may have.
            .encoding_type(EncodingType::Url)
            .max_keys(i32::try_from(limit.clamp(1, MAX_LISTED)).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(fault)?;
        let encoded = answer.contents().iter().filter_map(|object| object.key());
        let keys: Vec<_> = encoded.map(decoded).collect::<Result<_, _>>()?;
        let next = if answer.is_truncated() == Some(true) { keys.last().cloned() } else { None };
        Ok(ObjectPage { keys: keys.into_iter().map(ObjectKey::from_listed).collect(), next })
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), ObjectsError> {
        self.client.delete_object().bucket(&self.bucket).key(checked(key)?).send().await.map(drop).map_err(fault)
    }
}

fn checked(key: &ObjectKey) -> Result<&str, ObjectsError> {
    if key.as_str().len() > MAX_KEY_BYTES { Err(ObjectsError::KeyTooLong) } else { Ok(key.as_str()) }
}

fn validity(valid_for: Duration) -> Result<PresigningConfig, ObjectsError> {
    PresigningConfig::expires_in(valid_for).map_err(|error| ObjectsError::Unavailable(Box::new(error)))
}

async fn content(found: GetObjectOutput) -> Result<Bytes, ObjectsError> {
    let collected = found.body.collect().await.map_err(|error| ObjectsError::Unavailable(Box::new(error)))?;
    Ok(collected.into_bytes())
}

/// Reads a key of a listing: percent-encoded, with `+` for a space.
fn decoded(key: &str) -> Result<String, ObjectsError> {
    let malformed = || ObjectsError::Unavailable(format!("a listing has a malformed key: {key:?}").into());
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else { return Err(malformed()) };
                u8::try_from(high * 16 + low).map_err(|_| malformed())?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

fn fault<E, R>(error: SdkError<E, R>) -> ObjectsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    match code(&error) {
        Some("SlowDown" | "ServiceUnavailable" | "RequestLimitExceeded" | "Throttling" | "ThrottlingException") => {
            ObjectsError::Throttled
        }
        Some("KeyTooLongError") => ObjectsError::KeyTooLong,
        _ => ObjectsError::Unavailable(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_key_is_decoded_and_a_damaged_one_is_an_error() {
        assert_eq!(decoded("t/a+b%2Bc/%E0%A4%A6%00").ok().as_deref(), Some("t/a b+c/द\0"));
        assert!(decoded("%4").is_err());
        assert!(decoded("%ff").is_err());
    }
}
