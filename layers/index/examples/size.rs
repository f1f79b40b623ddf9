//! The smallest program that links the index: its release binary is what LanceDB costs
//! (`docs/adr/0002-lancedb.md`).

use mandi_index::{IndexOptions, LanceIndex};

#[tokio::main]
async fn main() -> Result<(), mandi_core::Problem> {
    let place = std::env::temp_dir().join("mandi-size");
    let index = LanceIndex::open(&place.to_string_lossy(), IndexOptions::default())?;
    index.settle().await;
    Ok(())
}
