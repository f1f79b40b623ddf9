//! The ChatML template of SmolLM2's `tokenizer.chat_template`.

use mandi_core::ports::{ChatMessage, ModelError, Role};

use super::tokenizer::GgufTokenizer;

/// What the template says where the caller gives no system message.
const DEFAULT_SYSTEM: &str = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";

/// The tokens of a prompt, up to where the assistant begins.
pub(super) fn tokens(messages: &[ChatMessage], tokenizer: &GgufTokenizer) -> Result<Vec<u32>, ModelError> {
    let mut tokens = Vec::new();
    let mut say = |role: &str, content: Option<&str>| -> Result<(), ModelError> {
        let encode = |text: &str| tokenizer.encode(text).map_err(|error| ModelError::Broken(error.to_string()));
        tokens.push(tokenizer.message_start);
        match content {
            Some(content) => {
                tokens.extend(encode(&format!("{role}\n{content}"))?);
                tokens.push(tokenizer.message_end);
                tokens.extend(encode("\n")?);
            }
            None => tokens.extend(encode(&format!("{role}\n"))?),
        }
        Ok(())
    };
    if messages.first().is_none_or(|first| first.role != Role::System) {
        say("system", Some(DEFAULT_SYSTEM))?;
    }
    for message in messages {
        let role = match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        say(role, Some(&message.content))?;
    }
    say("assistant", None)?;
    Ok(tokens)
}
