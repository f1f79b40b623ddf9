//! What comes in through a signed URL, of the stated length or not at all.

use bytes::Bytes;
use futures::{Stream, StreamExt};
use mandi_core::ports::{ObjectKey, ObjectWriter, ObjectsError};

use super::FileObjects;
use super::signed::PutQuery;

/// Why content was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveFault {
    /// The URL was not signed here, was changed, or has run out.
    #[error("the URL is not valid, or not any more")]
    NotAdmitted,
    /// The content is longer or shorter than was signed.
    #[error("the content has {received} bytes{more}; {signed} were announced", more = if *.received > *.signed { " or more" } else { "" })]
    Size {
        /// What came, in bytes.
        received: u64,
        /// What was announced, in bytes.
        signed: u64,
    },
    /// The sender went away.
    #[error("the content did not come to its end")]
    CutOff,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ObjectsError),
}

impl FileObjects {
    /// Takes content that comes with a signed URL, in place of what is there. Nothing is changed unless all of it came.
    ///
    /// # Errors
    /// [`ReceiveFault`].
    pub async fn receive<E>(
        &self,
        query: PutQuery,
        mut content: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    ) -> Result<(), ReceiveFault> {
        if !self.0.doorway.admits(&query) {
            return Err(ReceiveFault::NotAdmitted);
        }
        let signed = query.size_bytes;
        let mut writer = self.begin(ObjectKey::from_listed(query.key)).await?;
        let mut received = 0;
        while let Some(piece) = content.next().await {
            let Ok(piece) = piece else { return Err(ReceiveFault::CutOff) };
            received += piece.len() as u64;
            if received > signed {
                return Err(ReceiveFault::Size { received, signed });
            }
            writer.write(piece).await?;
        }
        if received < signed {
            return Err(ReceiveFault::Size { received, signed });
        }
        Ok(Box::new(writer).finish().await?)
    }
}
