//! Issues, validates and revokes a token in a file of one's own making.

use std::process::ExitCode;

use tokenkeep::{Config, IssueRequest, Registry, Result, TokenManager};

#[tokio::main]
async fn main() -> ExitCode {
    let url = std::env::args().nth(1);
    match run(url.as_deref().unwrap_or("file:tokens.jsonl")).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(url: &str) -> Result<()> {
    let mut registry = Registry::builtin();
    registry.register("file", custom_backend::open)?;
    let mut config = Config::load(None)?;
    config.store.url = url.parse()?;
    let manager = TokenManager::open(&config, &registry).await?;

    let issued = manager
        .issue(IssueRequest::new("ada").with_tenant("engines"))
        .await?;
    println!("issued    {}", issued.record.audit_id);
    let record = manager.validate(&issued.secret).await?;
    println!(
        "validated {}, valid until {}",
        record.user_id, record.expires_at
    );
    manager.delete_token(&issued.secret).await?;
    println!("revoked   {}", record.audit_id);
    println!("revoked so far in {}:", config.store.url);
    for token in manager.list_revoked().await?.iter() {
        println!("  {} at {}", token.audit_id, token.revoked_at);
    }
    Ok(())
}
