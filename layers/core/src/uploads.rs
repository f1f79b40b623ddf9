//! Files that are sent for later use: a signed URL to send the bytes to, and an id that names them where a route takes
//! a file. What is not used within a day is removed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Problem, ProblemKind, Result};
use crate::identity::{Principal, TenantId};
use crate::ids::UploadId;
use crate::ports::{
    Condition, Key, ObjectKey, Objects, Order, Partition, PutGrant, Query, Range, Record, Records, SignedPut, Write,
};
use crate::time::{Clock, Timestamp};

/// The longest file, in bytes: what S3 takes in one PUT.
pub const MAX_UPLOAD_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// For how long the URL holds.
pub const URL_VALID_FOR: Duration = Duration::from_secs(3600);
/// For how long a file is kept that nothing uses.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// For how long a file is kept after a job began to read it: longer than any job may take.
pub const HELD_FOR: Duration = Duration::from_secs(48 * 3600);
/// The longest name of a file, in characters.
pub const MAX_FILENAME_CHARACTERS: usize = 255;
/// How many files are removed in one go.
const EXPIRED_AT_ONCE: usize = 100;

/// What is to be sent.
#[derive(Clone, Debug, Deserialize)]
pub struct Announced {
    /// The file's name.
    pub filename: String,
    /// How long it is, in bytes.
    pub size_bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: Option<String>,
}

/// A file that was announced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// The file's name.
    pub filename: String,
    /// How long it is, in bytes.
    pub size_bytes: u64,
    /// Its SHA-256, in lower-case hexadecimal, where it was announced.
    pub sha256: Option<String>,
    /// When it is removed unless it is used.
    pub expires_at: Timestamp,
}

/// The uploads of all tenants.
#[derive(Clone, Debug)]
pub struct Uploads {
    records: Arc<dyn Records>,
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
}

fn record_key(tenant: &TenantId, id: &UploadId) -> Key {
    Key::new(Partition::of(tenant, &["uploads"]), id.as_str())
}

fn object_key(tenant: &TenantId, id: &UploadId) -> ObjectKey {
    ObjectKey::of(tenant, &["uploads", id.as_str()])
}

/// Where it is noted what has to be removed when.
fn expiry() -> Partition {
    Partition::of_platform(&["uploads"])
}

fn expiry_key(tenant: &TenantId, upload: &Upload) -> Key {
    Key::new(expiry(), format!("{:020}/{tenant}/{}", upload.expires_at.unix_ms(), upload.id))
}

fn note(tenant: &TenantId, upload: &Upload) -> Record {
    Record::new(expiry_key(tenant, upload)).with("tenant", tenant.as_str()).with("upload", upload.id.as_str())
}

impl Uploads {
    /// Uploads in a pair of stores.
    #[must_use]
    pub const fn new(records: Arc<dyn Records>, objects: Arc<dyn Objects>, clock: Arc<dyn Clock>) -> Self {
        Self { records, objects, clock }
    }

    /// Takes note of a file, and says where it is to be sent.
    ///
    /// # Errors
    /// A field is wrong, or the store fails.
    pub async fn announce(&self, caller: &Principal, announced: Announced) -> Result<(Upload, SignedPut)> {
        let sha256 = checked(&announced)?;
        let Announced { filename, size_bytes, .. } = announced;
        let expires_at = self.clock.now().plus(KEPT_FOR);
        let upload = Upload { id: UploadId::generate(), filename, size_bytes, sha256, expires_at };
        let tenant = &caller.tenant;
        let grant = PutGrant { size_bytes, valid_for: URL_VALID_FOR };
        let signed = self.objects.sign_put(&object_key(tenant, &upload.id), &grant).await?;
        let record = Record::new(record_key(tenant, &upload.id)).with_json("upload", &upload)?;
        let note = note(tenant, &upload);
        let writes = vec![Write::Put(record, Condition::Absent), Write::Put(note, Condition::Absent)];
        self.records.transact(writes, None).await?;
        Ok((upload, signed))
    }

    /// A file that has come, to be read from the store under the key.
    ///
    /// # Errors
    /// `unprocessable` at `pointer`: there is no such upload, it was not sent yet, or has another size.
    pub async fn find(&self, tenant: &TenantId, id: &str, pointer: &str) -> Result<(Upload, ObjectKey)> {
        let wrong = |detail: String| Problem::field(pointer, detail).of_kind(ProblemKind::Unprocessable);
        let missing =
            || wrong(format!("there is no upload `{id}`, or it was used or has expired; `POST /v1/uploads` makes one"));
        let id = UploadId::parse(id).ok_or_else(missing)?;
        let record = self.records.get(&record_key(tenant, &id)).await?.ok_or_else(missing)?;
        let upload: Upload = record.json("upload")?;
        let key = object_key(tenant, &id);
        match self.objects.size_bytes(&key).await? {
            Some(size_bytes) if size_bytes == upload.size_bytes => Ok((upload, key)),
            Some(size_bytes) => {
                let detail = format!("the file has {size_bytes} bytes; {} were announced", upload.size_bytes);
                Err(wrong(detail))
            }
            None => Err(wrong("the file was not sent yet: PUT it to the upload's `url` first".to_owned())),
        }
    }

    /// A file that a job reads while it works: as [`Self::find`], and it is kept for as long again.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub async fn hold(&self, tenant: &TenantId, id: &str, pointer: &str) -> Result<(Upload, ObjectKey)> {
        let (before, key) = self.find(tenant, id, pointer).await?;
        let held = Upload { expires_at: self.clock.now().plus(HELD_FOR), ..before.clone() };
        let record = Record::new(record_key(tenant, &held.id)).with_json("upload", &held)?;
        let mut writes =
            vec![Write::Put(record, Condition::Present), Write::Put(note(tenant, &held), Condition::Always)];
        if expiry_key(tenant, &before) != expiry_key(tenant, &held) {
            writes.push(Write::Delete(expiry_key(tenant, &before), Condition::Always));
        }
        self.records.transact(writes, None).await?;
        Ok((held, key))
    }

    /// Reads a file whole, and checks it.
    ///
    /// # Errors
    /// As [`Self::find`]; `too-large` when it has more than `most` bytes; `unprocessable` when it has another checksum
    /// than was announced.
    pub async fn read(&self, tenant: &TenantId, id: &str, most: u64, pointer: &str) -> Result<Bytes> {
        let (upload, key) = self.find(tenant, id, pointer).await?;
        if upload.size_bytes > most {
            let detail = format!("the file has {} bytes; at most {most} are taken here", upload.size_bytes);
            return Err(Problem::field(pointer, detail).of_kind(ProblemKind::TooLarge));
        }
        let content = self.objects.get(&key).await?.ok_or_else(|| {
            Problem::field(pointer, "the upload has expired; send it again").of_kind(ProblemKind::Unprocessable)
        })?;
        let found = hexadecimal(&Sha256::digest(&content));
        match &upload.sha256 {
            Some(announced) if *announced != found => {
                let detail = format!("the file's SHA-256 is {found}; {announced} was announced; send it again");
                Err(Problem::field(pointer, detail).of_kind(ProblemKind::Unprocessable))
            }
            _ => Ok(content),
        }
    }

    /// Removes a file that was used, or is not wanted any more.
    ///
    /// # Errors
    /// The store's.
    pub async fn remove(&self, tenant: &TenantId, id: &UploadId) -> Result<()> {
        let Some(record) = self.records.get(&record_key(tenant, id)).await? else { return Ok(()) };
        self.forget(tenant, id, expiry_key(tenant, &record.json("upload")?)).await
    }

    async fn forget(&self, tenant: &TenantId, id: &UploadId, note: Key) -> Result<()> {
        self.objects.delete(&object_key(tenant, id)).await?;
        let writes =
            vec![Write::Delete(record_key(tenant, id), Condition::Always), Write::Delete(note, Condition::Always)];
        Ok(self.records.transact(writes, None).await?)
    }

    /// Removes what nobody used in time. Returns how many files.
    ///
    /// # Errors
    /// The store's.
    pub async fn expire(&self) -> Result<usize> {
        let until = format!("{:020}", self.clock.now().unix_ms());
        let mut removed = 0;
        loop {
            let query = Query {
                partition: expiry(),
                range: Range::Between(String::new(), until.clone()),
                order: Order::Ascending,
                limit: EXPIRED_AT_ONCE,
                after: None,
            };
            let page = self.records.query(query).await?;
            if page.records.is_empty() && page.next.is_none() {
                return Ok(removed);
            }
            for note in page.records {
                let tenant = note.text("tenant").and_then(TenantId::from_stored);
                let id = note.text("upload").and_then(UploadId::parse);
                let (Some(tenant), Some(id)) = (tenant, id) else {
                    return Err(Problem::internal(format!("{:?} is no note of an upload", note.key)));
                };
                self.forget(&tenant, &id, note.key).await?;
                removed += 1;
            }
        }
    }
}

/// Checks what was announced. Returns the checksum in lower case.
fn checked(announced: &Announced) -> Result<Option<String>> {
    let characters = announced.filename.chars().count();
    if !(1..=MAX_FILENAME_CHARACTERS).contains(&characters) {
        return Err(Problem::field(
            "/filename",
            format!("it has {characters} characters; it is 1 to {MAX_FILENAME_CHARACTERS}"),
        ));
    }
    if !(1..=MAX_UPLOAD_BYTES).contains(&announced.size_bytes) {
        let detail = format!("{} is out of range; a file has 1 to {MAX_UPLOAD_BYTES} bytes", announced.size_bytes);
        return Err(Problem::field("/size_bytes", detail));
    }
    let Some(sha256) = &announced.sha256 else { return Ok(None) };
    if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Problem::field("/sha256", "it is no SHA-256: 64 hexadecimal digits"));
    }
    Ok(Some(sha256.to_ascii_lowercase()))
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
