//! `mandi token`: a JWT for a data folder.

use std::path::Path;
use std::time::Duration;

use mandi_core::identity::{Grant, LocalSecret, TokenIssuer};
use mandi_core::settings::{self, Settings};
use mandi_core::{Clock, Problem, Result, SystemClock};
use mandi_local::secret_of;

use crate::commands::Token;
use crate::terminal;

/// Prints a token.
pub fn run(settings: &Settings, asked: &Token) -> Result<()> {
    let roles = if asked.role.is_empty() && asked.permission.is_empty() {
        vec!["admin".to_owned()]
    } else {
        asked.role.clone()
    };
    let now = SystemClock.now();
    let grant = Grant {
        tenant: &asked.tenant,
        user: &asked.user,
        roles,
        permissions: asked.permission.clone(),
        not_before: None,
        expires_at: now.plus(Duration::from_secs(u64::from(asked.hours) * 3600)),
    };
    terminal::say(&issuer(settings)?.issue(&grant)?);
    Ok(())
}

/// A token of a few minutes for one run of the command line.
pub fn for_command(settings: &Settings, tenant: &str, user: &str) -> Result<String> {
    issuer(settings)?.issue(&Grant {
        tenant,
        user,
        roles: vec!["admin".to_owned()],
        permissions: Vec::new(),
        not_before: None,
        expires_at: SystemClock.now().plus(Duration::from_secs(3600)),
    })
}

fn issuer(settings: &Settings) -> Result<TokenIssuer> {
    let folder = settings.required(settings::DATA_DIR)?;
    let secret = secret_of(Path::new(folder))?;
    let secret =
        LocalSecret::new(secret.as_bytes().to_vec()).ok_or_else(|| Problem::internal("the secret is too short"))?;
    let (issuer, audience) = (settings.required(settings::JWT_ISSUER)?, settings.required(settings::JWT_AUDIENCE)?);
    Ok(TokenIssuer::new(secret, issuer, audience))
}
