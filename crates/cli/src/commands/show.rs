//! `tokenkeep show`.

use clap::Args;

use crate::exit::{Exit, Failure};
use crate::input::SecretArgs;
use crate::output::{FullToken, Output, Table};
use crate::session::Session;

/// Show all that is kept for a token, which is read from standard input
///
/// Its data are shown as text if they are UTF-8, else in base64; `data_encoding` says which.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    token: SecretArgs,
}

impl Show {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<Exit, Failure> {
        let secret = self.token.read().await?;
        let manager = session.manager().await?;
        let record = manager.get_token(&secret).await?;
        let full = FullToken::from(&record);
        if output.is_json() {
            output.json(&full)?;
            return Ok(Exit::Done);
        }
        let mut fields = Table::fields();
        for (name, value) in full.public.fields() {
            fields.field(name, value);
        }
        fields.field("token id", &full.token_id);
        fields.field("version", full.version.to_string());
        fields.field("data encoding", full.data_encoding);
        fields.field("data", &full.data);
        output.table(fields)?;
        Ok(Exit::Done)
    }
}
