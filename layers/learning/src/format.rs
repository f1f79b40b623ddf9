//! Versions of stored formats.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version of a stored format, written as the number `N`. Reading refuses any other number, so that a newer
/// format is never taken for this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format<const N: u32>;

impl<const N: u32> Serialize for Format<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(N)
    }
}

impl<'de, const N: u32> Deserialize<'de> for Format<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = u32::deserialize(deserializer)?;
        let refusal = || {
            serde::de::Error::custom(format!(
                "format {found} is not known here: this version of Mandi reads format {N}; use the one that wrote it"
            ))
        };
        (found == N).then_some(Self).ok_or_else(refusal)
    }
}
