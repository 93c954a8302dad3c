//! `tokenkeep validate`.

use clap::Args;
use serde::Serialize;
use tokenkeep::{ErrorKind, TokenRecord};

use crate::exit::{Exit, Failure};
use crate::input::SecretArgs;
use crate::output::{Output, PublicToken, Table};
use crate::session::Session;

/// Say whether a token, read from standard input, is valid
///
/// Exits with 0 if it is and with 1 if it is unknown, revoked or expired.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    #[command(flatten)]
    token: SecretArgs,
}

impl Validate {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<Exit, Failure> {
        let secret = self.token.read().await?;
        let manager = session.manager().await?;
        match manager.validate(&secret).await {
            Ok(record) => answer(Some(&record), output),
            Err(error) if error.kind() == ErrorKind::NotFound => answer(None, output),
            Err(error) => Err(error.into()),
        }
    }
}

#[derive(Serialize)]
struct Validity<'a> {
    valid: bool,
    #[serde(flatten)]
    public: Option<PublicToken<'a>>,
}

fn answer(record: Option<&TokenRecord>, output: &mut Output) -> Result<Exit, Failure> {
    let public = record.map(PublicToken::from);
    let valid = public.is_some();
    if output.is_json() {
        output.json(&Validity { valid, public })?;
    } else {
        output.line(if valid { "valid" } else { "invalid" })?;
        let mut fields = Table::fields();
        for (name, value) in public.iter().flat_map(PublicToken::fields) {
            fields.field(name, value);
        }
        output.table(fields)?;
    }
    Ok(if valid { Exit::Done } else { Exit::Negative })
}
