//! `tokenkeep revoke`.

use clap::Args;
use serde::Serialize;
use tokenkeep::{Error, TokenFilter};

use crate::exit::{Exit, Failure};
use crate::input::SecretArgs;
use crate::output::Output;
use crate::session::Session;

/// Revoke one token: the one read from standard input, or the one with this audit id
///
/// Exits with 1 if there is no such active token.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    token: SecretArgs,
    /// The token's audit id, with `--user`: no secret is needed
    #[arg(long, value_name = "ID", requires = "user")]
    audit_id: Option<String>,
    /// Who the token with this audit id is for
    #[arg(long, value_name = "ID", requires = "audit_id")]
    user: Option<String>,
}

impl Revoke {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<Exit, Failure> {
        let revoked = match (&self.audit_id, &self.user) {
            (Some(audit_id), Some(user)) => self.by_audit_id(audit_id, user, session).await?,
            _ => self.by_secret(session).await?,
        };
        answer(revoked, output)
    }

    async fn by_secret(&self, session: &Session) -> Result<usize, Failure> {
        let secret = self.token.read().await?;
        session.manager().await?.delete_token(&secret).await?;
        Ok(1)
    }

    async fn by_audit_id(
        &self,
        audit_id: &str,
        user: &str,
        session: &Session,
    ) -> Result<usize, Failure> {
        if self.token.is_given() {
            return Err(Failure::usage(
                "give either --token-file or --audit-id with --user",
            ));
        }
        let filter = TokenFilter::new()
            .with_user(user)?
            .with_audit_id(audit_id)?;
        let revoked = session.manager().await?.delete_matching(&filter).await?;
        if revoked.is_empty() {
            return Err(Error::not_found().into());
        }
        Ok(revoked.len())
    }
}

/// How many tokens were revoked.
#[derive(Serialize)]
struct Revoked {
    revoked: usize,
}

/// Tells how many tokens were revoked.
pub(super) fn answer(revoked: usize, output: &mut Output) -> Result<Exit, Failure> {
    if output.is_json() {
        output.json(&Revoked { revoked })?;
    } else {
        output.line(format_args!("revoked {}", tokens(revoked as u64)))?;
    }
    Ok(Exit::Done)
}

/// A number of tokens in words.
pub(super) fn tokens(count: u64) -> String {
    match count {
        1 => "1 token".to_owned(),
        _ => format!("{count} tokens"),
    }
}
