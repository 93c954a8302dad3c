//! `tokenkeep check`.

use clap::Args;
use serde::Serialize;
use tokenkeep::StoreInfo;

use crate::exit::{Exit, Failure};
use crate::output::{Output, Table};
use crate::session::Session;

/// Prove that the store can be read, and say what it is
#[derive(Debug, Args)]
pub(crate) struct Check {}

#[derive(Serialize)]
struct Checked<'a> {
    driver: &'a str,
    location: &'a str,
    namespace: &'a str,
    version: &'a str,
    durability: &'a str,
    revocation_lag_seconds: f64,
    warnings: &'a [String],
}

impl Check {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<Exit, Failure> {
        let info = session.driver().await?.check().await?;
        if output.is_json() {
            output.json(&Checked {
                driver: info.driver,
                location: &info.location,
                namespace: &info.namespace,
                version: &info.version,
                durability: info.durability.as_str(),
                revocation_lag_seconds: info.revocation_lag.as_secs_f64(),
                warnings: &info.warnings,
            })?;
        } else {
            output.table(table(&info))?;
        }
        Ok(Exit::Done)
    }
}

fn table(info: &StoreInfo) -> Table {
    let mut fields = Table::fields();
    fields.field("driver", info.driver);
    fields.field("location", &info.location);
    fields.field("namespace", &info.namespace);
    fields.field("version", &info.version);
    fields.field("durability", info.durability.as_str());
    let lag = humantime::format_duration(info.revocation_lag);
    fields.field("revocation lag", lag.to_string());
    for warning in &info.warnings {
        fields.field("warning", warning);
    }
    fields
}
