//! A local model that is checked at start and loaded at its first use.

use std::path::PathBuf;

use async_trait::async_trait;
use mandi_core::ports::{Abilities, Generation, GenerationStream, LanguageModel, ModelError, ModelRef};
use tokio::sync::OnceCell;

use super::{ABILITIES, GgufModel, PROVIDER, file};
use crate::timeouts::Timeouts;

/// A model whose file was found whole at start; its weights are loaded once, when they are first needed.
#[derive(Debug)]
pub struct LazyGgufModel {
    path: PathBuf,
    name: String,
    context_tokens: usize,
    timeouts: Timeouts,
    model: OnceCell<GgufModel>,
}

impl LazyGgufModel {
    /// Checks the file and reads its header, not its weights.
    ///
    /// # Errors
    /// [`ModelError::Broken`] when the file is missing, cut off or no GGUF file, with the way out.
    pub fn open(path: PathBuf, name: impl Into<String>, timeouts: Timeouts) -> Result<Self, ModelError> {
        let (content, _) = file::open(&path)?;
        let context_tokens =
            file::count(&content, "llama.context_length").map_err(|error| file::broken(&path, &error.to_string()))?;
        Ok(Self { path, name: name.into(), context_tokens, timeouts, model: OnceCell::new() })
    }

    async fn load(&self) -> Result<GgufModel, ModelError> {
        let (path, name, timeouts) = (self.path.clone(), self.name.clone(), self.timeouts);
        tokio::task::spawn_blocking(move || GgufModel::load(&path, name, timeouts))
            .await
            .map_err(|error| ModelError::Broken(format!("loading the model failed: {error}")))?
    }
}

#[async_trait]
impl LanguageModel for LazyGgufModel {
    fn model(&self) -> ModelRef {
        ModelRef { provider: PROVIDER.to_owned(), model: self.name.clone() }
    }

    fn abilities(&self) -> Abilities {
        ABILITIES
    }

    fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    async fn generate(&self, generation: Generation) -> Result<GenerationStream, ModelError> {
        let model = self.model.get_or_try_init(|| self.load()).await?;
        model.generate(generation).await
    }
}
