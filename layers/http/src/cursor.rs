//! Opaque cursors for paging. A cursor holds only for the list that gave it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mandi_core::{Problem, Result, TenantId};
use sha2::{Digest, Sha256};

use crate::json::up_to;

const CHECK_BYTES: usize = 8;

/// The default and the largest page, in items.
pub const DEFAULT_LIMIT: usize = 20;
/// The largest page, in items.
pub const MAX_LIMIT: usize = 100;

/// A list that is paged, within a tenant.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The list's name.
    pub name: &'a str,
}

impl List<'_> {
    fn check(&self, after: &str) -> [u8; CHECK_BYTES] {
        let mut hash = Sha256::new();
        for part in [self.tenant.as_str(), self.name, after] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut check = [0; CHECK_BYTES];
        check.copy_from_slice(&digest[..CHECK_BYTES]);
        check
    }

    /// The cursor that goes on after a sort key.
    #[must_use]
    pub fn cursor(&self, after: &str) -> String {
        let mut bytes = self.check(after).to_vec();
        bytes.extend_from_slice(after.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The sort key that a cursor of this list stands for.
    ///
    /// # Errors
    /// The cursor is of another list or tenant, or made up.
    pub fn after(&self, cursor: &str) -> Result<String> {
        let refused = || Problem::field("cursor", "it is not a cursor of this list; start again without one");
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refused())?;
        let (check, after) = bytes.split_at_checked(CHECK_BYTES).ok_or_else(refused)?;
        let after = std::str::from_utf8(after).map_err(|_| refused())?;
        if check == self.check(after) { Ok(after.to_owned()) } else { Err(refused()) }
    }
}

/// A page's limit, checked.
///
/// # Errors
/// It is not 1 to [`MAX_LIMIT`].
pub fn limit(limit: Option<i64>) -> Result<usize> {
    up_to("limit", limit, DEFAULT_LIMIT, MAX_LIMIT)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_cursor_holds_for_its_own_list_only() {
        let (demo, other) = (TenantId::from_stored("demo").unwrap(), TenantId::from_stored("other").unwrap());
        let list = List { tenant: &demo, name: "conversations" };
        let cursor = list.cursor("conv_1");
        assert_eq!(list.after(&cursor).unwrap(), "conv_1");
        assert!(List { tenant: &other, ..list }.after(&cursor).is_err());
        assert!(List { name: "documents", ..list }.after(&cursor).is_err());
        for made_up in ["", "x", "AAAA", "not base64 ✓"] {
            assert!(list.after(made_up).is_err());
        }
    }
}
