//! An object that is written piece by piece, by a multipart upload.

use std::fmt;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use mandi_core::ports::{ObjectKey, ObjectWriter, Objects, ObjectsError};

use super::{S3Objects, fault};

/// How long a part is, but the last, in bytes. S3 takes 5 MiB and more, and 10,000 parts: so objects of 78 GiB.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// Holds one part in memory. What a dropped writer has sent is removed by the bucket's lifecycle rule for broken uploads
/// (`AbortIncompleteMultipartUpload`): nothing can be awaited in a drop.
pub(super) struct MultipartWriter {
    store: S3Objects,
    key: ObjectKey,
    upload: Option<Upload>,
    /// What was not sent yet, less than a part; `None` after a write that failed or was cut off.
    gathered: Option<BytesMut>,
}

/// An upload that has begun.
struct Upload {
    id: String,
    parts: Vec<CompletedPart>,
}

impl fmt::Debug for MultipartWriter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.upload.as_ref().map_or(0, |upload| upload.parts.len());
        write!(formatter, "MultipartWriter({}, {parts} parts)", self.key.as_str())
    }
}

impl MultipartWriter {
    /// Begins an object. Nothing is sent before the first part is full.
    pub(super) fn new(store: S3Objects, key: ObjectKey) -> Self {
        Self { store, key, upload: None, gathered: Some(BytesMut::new()) }
    }

    async fn send(&mut self, part: Bytes) -> Result<(), ObjectsError> {
        let S3Objects { client, bucket } = &self.store;
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => {
                let create = client.create_multipart_upload().bucket(bucket).key(self.key.as_str());
                let begun = create.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.map_err(fault)?;
                let id = begun.upload_id.ok_or_else(|| unavailable("S3 gave the upload no id"))?;
                none.insert(Upload { id, parts: Vec::new() })
            }
        };
        let number = i32::try_from(upload.parts.len() + 1).map_err(|_| unavailable("the object has too many parts"))?;
        let sent = client
            .upload_part()
            .bucket(bucket)
            .key(self.key.as_str())
            .upload_id(&upload.id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(ByteStream::from(part))
            .send()
            .await
            .map_err(fault)?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
        upload.parts.push(part.set_checksum_crc32(sent.checksum_crc32).build());
        Ok(())
    }
}

#[async_trait]
impl ObjectWriter for MultipartWriter {
    async fn write(&mut self, mut piece: Bytes) -> Result<(), ObjectsError> {
        let mut gathered = self.gathered.take().ok_or_else(broken)?;
        while gathered.len() + piece.len() >= PART_BYTES {
            gathered.extend_from_slice(&piece.split_to(PART_BYTES - gathered.len()));
            self.send(std::mem::take(&mut gathered).freeze()).await?;
        }
        gathered.extend_from_slice(&piece);
        self.gathered = Some(gathered);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), ObjectsError> {
        let rest = self.gathered.take().ok_or_else(broken)?.freeze();
        if self.upload.is_none() {
            return self.store.put(&self.key, rest).await;
        }
        if !rest.is_empty() {
            self.send(rest).await?;
        }
        let Some(Upload { id, parts }) = self.upload else { return Err(broken()) };
        let S3Objects { client, bucket } = &self.store;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = client.complete_multipart_upload().bucket(bucket).key(self.key.as_str()).upload_id(id);
        complete.multipart_upload(parts).send().await.map(drop).map_err(fault)
    }

    async fn abort(self: Box<Self>) -> Result<(), ObjectsError> {
        let Some(Upload { id, .. }) = self.upload else { return Ok(()) };
        let S3Objects { client, bucket } = &self.store;
        let abort = client.abort_multipart_upload().bucket(bucket).key(self.key.as_str()).upload_id(id);
        abort.send().await.map(drop).map_err(fault)
    }
}

fn unavailable(reason: &'static str) -> ObjectsError {
    ObjectsError::Unavailable(reason.into())
}

fn broken() -> ObjectsError {
    unavailable("an earlier piece of the object was not written")
}
