//! `tokenkeep create`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokenkeep::{
    Clock, Error, ErrorKind, Expiry, IssueRequest, Issued, Limits, MemoryDriver, SystemClock, Text,
    Timestamp, TokenManager, TokenSecret,
};

use crate::args::{instant, span};
use crate::exit::{Exit, Failure};
use crate::input::{Source, body_from, secret_from};
use crate::keystone::Body;
use crate::output::{Output, PublicToken, Table, warn};
use crate::session::Session;

/// What is told of an id of the caller's own where no key protects it.
const GUESSABLE: &str = "note: without a key of your own (digest.key_file) an id that can be guessed \
                         can be found by trial from a copy of the store";

/// Issue a token and print it, this once
///
/// The token alone goes to standard output, so that it can be taken over by a shell; what it
/// stands for is told on standard error. With `--format json` one object has both.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Who the token is for
    #[arg(long, value_name = "ID", required_unless_present = "keystone_body")]
    user: Option<String>,
    /// The tenant (project) it is scoped to
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// The domain it is scoped to
    #[arg(long, value_name = "ID")]
    domain: Option<String>,
    /// The trust it is made from
    #[arg(long, value_name = "ID")]
    trust: Option<String>,
    /// The OAuth consumer it is issued to
    #[arg(long, value_name = "ID")]
    consumer: Option<String>,
    /// Text to keep with it
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// How long it lives, such as `90m` or `1h 30m`
    #[arg(long, value_name = "SPAN", value_parser = span)]
    expires_in: Option<Duration>,
    /// When it expires: an RFC 3339 instant
    #[arg(long, value_name = "INSTANT", value_parser = instant, conflicts_with = "expires_in")]
    expires_at: Option<Timestamp>,
    /// Take the token's own id, one line, from standard input and do not mint one
    #[arg(long)]
    token_id_stdin: bool,
    /// Take over a Keystone v3 token body (`-` is standard input), which is kept as the token's
    /// data; options given besides go before what it says
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    keystone_body: Option<PathBuf>,
}

impl Create {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<Exit, Failure> {
        let (request, is_dated_by_body) = self.request().await?;
        let own = self.own_secret().await?;
        let made = make(session, own, request).await;
        let (manager, issued) = made.map_err(|failure| match failure {
            Failure::Token(error) if is_dated_by_body && is_about_expiry(&error) => Failure::usage(
                format!("{error}: that is the body's; --expires-in or --expires-at goes before it"),
            ),
            failure => failure,
        })?;
        if let Err(error) = answer(&issued, output) {
            return Err(take_back(&manager, &issued, &error).await);
        }
        if self.token_id_stdin && session.config.digest.key_file.is_none() {
            warn(GUESSABLE);
        }
        Ok(Exit::Done)
    }

    async fn own_secret(&self) -> Result<Option<TokenSecret>, Failure> {
        if self.token_id_stdin {
            secret_from(Source::Stdin).await.map(Some)
        } else {
            Ok(None)
        }
    }

    /// What is to be issued, and whether its expiry is the body's.
    async fn request(&self) -> Result<(IssueRequest, bool), Failure> {
        let mut request = match &self.keystone_body {
            Some(path) => self.request_of_body(path).await?,
            None => IssueRequest::new(self.user.clone().unwrap_or_default()),
        };
        self.override_fields(&mut request);
        let from_body = matches!(request.expiry, Expiry::At(_));
        if let Some(expiry) = self.expiry() {
            request.expiry = expiry;
            return Ok((request, false));
        }
        Ok((request, from_body))
    }

    async fn request_of_body(&self, path: &std::path::Path) -> Result<IssueRequest, Failure> {
        let source = Source::named(path);
        if source == Source::Stdin && self.token_id_stdin {
            return Err(Failure::usage(
                "--token-id-stdin and --keystone-body - cannot both read standard input",
            ));
        }
        let bytes = body_from(source).await?;
        let body = Body::parse(&bytes)?;
        let own = |text: Option<Text>| text.map(|text| text.to_string());
        let mut request = IssueRequest::new(body.user_id.as_str()).with_data(bytes);
        request.tenant_id = own(body.tenant_id);
        request.domain_id = own(body.domain_id);
        request.trust_id = own(body.trust_id);
        request.consumer_id = own(body.consumer_id);
        request.audit_id = own(body.audit_id);
        request.audit_chain_id = own(body.audit_chain_id);
        request.expiry = body.expires_at.map_or(Expiry::Default, Expiry::At);
        Ok(request)
    }

    fn override_fields(&self, request: &mut IssueRequest) {
        if let Some(user) = &self.user {
            request.user_id.clone_from(user);
        }
        for (flag, field) in [
            (&self.tenant, &mut request.tenant_id),
            (&self.domain, &mut request.domain_id),
            (&self.trust, &mut request.trust_id),
            (&self.consumer, &mut request.consumer_id),
        ] {
            if flag.is_some() {
                field.clone_from(flag);
            }
        }
        if let Some(data) = &self.data {
            request.data = data.clone().into();
        }
    }

    fn expiry(&self) -> Option<Expiry> {
        self.expires_in
            .map(Expiry::In)
            .or(self.expires_at.map(Expiry::At))
    }
}

/// Stores the token; what is wrong with it is told before a store is made for it.
async fn make(
    session: &Session,
    own: Option<TokenSecret>,
    request: IssueRequest,
) -> Result<(TokenManager, Issued), Failure> {
    let own = rehearse(session, own, request.clone()).await?;
    let manager = session.manager_of_new().await?;
    let issued = issue(&manager, own, request).await?;
    Ok((manager, issued))
}

/// Issues the token in memory, where all is checked that the store checks; gives the own id back.
async fn rehearse(
    session: &Session,
    own: Option<TokenSecret>,
    request: IssueRequest,
) -> Result<Option<TokenSecret>, Failure> {
    let mut limits = Limits::default();
    if let Some(bytes) = session.config.store.url.options().integer("max_data_len")? {
        limits.max_data_len = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    limits.check_data(&request.data)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let driver = MemoryDriver::with_limits(Arc::clone(&clock), limits);
    let options = session.config.manager_options().await?;
    let manager = TokenManager::new(Arc::new(driver), clock, options)?;
    let is_own = own.is_some();
    let issued = issue(&manager, own, request).await?;
    Ok(is_own.then_some(issued.secret))
}

async fn issue(
    manager: &TokenManager,
    own: Option<TokenSecret>,
    request: IssueRequest,
) -> tokenkeep::Result<Issued> {
    match own {
        Some(secret) => {
            let record = manager.create_token(&secret, request).await?;
            Ok(Issued { secret, record })
        }
        None => manager.issue(request).await,
    }
}

fn is_about_expiry(error: &Error) -> bool {
    error.kind() == ErrorKind::InvalidInput && error.message().starts_with("expires_at")
}

#[derive(Serialize)]
struct Created<'a> {
    token: &'a str,
    #[serde(flatten)]
    public: PublicToken<'a>,
}

fn answer(issued: &Issued, output: &mut Output) -> io::Result<()> {
    let token = issued.secret.expose();
    let public = PublicToken::from(&issued.record);
    if output.is_json() {
        output.json(&Created { token, public })?;
        return output.flush();
    }
    output.line(token)?;
    let mut fields = Table::fields();
    for (name, value) in public.fields() {
        fields.field(name, value);
    }
    output.note(fields.render().trim_end())
}

/// Revokes a token whose secret nobody was given, so that none is active unseen.
async fn take_back(manager: &TokenManager, issued: &Issued, problem: &io::Error) -> Failure {
    let audit_id = &issued.record.audit_id;
    let became = match manager.delete_token(&issued.secret).await {
        Ok(()) => "was revoked again".to_owned(),
        Err(error) => format!("may still be active, since revoking it failed ({error})"),
    };
    Failure::Untold(format!(
        "the token could not be written ({problem}): the one with audit id {audit_id} {became}"
    ))
}
