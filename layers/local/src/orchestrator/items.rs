//! Objects as distributed maps see them: the bucket is a name within the tenant's objects.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use mandi_core::TenantId;
use mandi_core::ports::{ObjectKey, ObjectPrefix, Objects};
use mandi_states::engine::{ItemStore, Listed};

/// The most objects that one listing gives.
const MAX_LISTED: usize = 1_000_000;

/// A tenant's objects: `Bucket` and `Key` of a definition are the tenant's object `<bucket>/<key>`, so that no definition
/// reaches those of another tenant.
#[derive(Debug)]
pub(super) struct TenantItems {
    pub(super) objects: Arc<dyn Objects>,
    pub(super) tenant: TenantId,
}

impl TenantItems {
    fn key(&self, bucket: &str, key: &str) -> ObjectKey {
        let parts: Vec<&str> = std::iter::once(bucket).chain(key.split('/')).collect();
        ObjectKey::of(&self.tenant, &parts)
    }
}

#[async_trait]
impl ItemStore for TenantItems {
    async fn get(&self, bucket: &str, key: &str) -> Result<Bytes, String> {
        let found = self.objects.get(&self.key(bucket, key)).await.map_err(|error| error.to_string())?;
        found.ok_or_else(|| format!("there is no object {bucket}/{key}"))
    }

    async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Listed>, String> {
        // A prefix of the store covers whole parts: list the folder, and keep what begins as asked.
        let folder: Vec<&str> =
            prefix.rsplit_once('/').map(|(folder, _)| folder.split('/').collect()).unwrap_or_default();
        let parts: Vec<&str> = std::iter::once(bucket).chain(folder).collect();
        let place = ObjectPrefix::of(&self.tenant, &parts);
        let root = ObjectPrefix::of(&self.tenant, &[bucket]);
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = self.objects.list(&place, after.as_deref(), 1_000).await.map_err(|error| error.to_string())?;
            for key in page.keys {
                let key = key
                    .as_str()
                    .strip_prefix(root.as_str())
                    .unwrap_or_default()
                    .replace("%2F", "/")
                    .replace("%25", "%");
                if key.starts_with(prefix) {
                    listed.push(Listed { key, size_bytes: 0, modified_at: None });
                }
            }
            if listed.len() > MAX_LISTED {
                return Err(format!("{bucket}/{prefix} has more than {MAX_LISTED} objects"));
            }
            after = page.next;
            if after.is_none() {
                return Ok(listed);
            }
        }
    }

    async fn put(&self, bucket: &str, key: &str, content: Bytes) -> Result<(), String> {
        self.objects.put(&self.key(bucket, key), content).await.map_err(|error| error.to_string())
    }
}
