//! The token manager.

mod rotation;

use std::sync::Arc;

use crate::revocations::RevocationCache;
use crate::{
    Clock, Config, Error, Expiry, IssueRequest, Issued, ManagerOptions, Registry, Result,
    RevokedToken, SystemClock, Text, Timestamp, TokenDigest, TokenDriver, TokenFilter, TokenId,
    TokenOptions, TokenRecord, TokenSecret, mint,
};

/// Issues, validates, rotates and revokes tokens on any store.
///
/// The one part of Tokenkeep that sees secrets: drivers below it know tokens by id alone. It keeps
/// the rules M1, M2, M3 and M5 of [`contract`](crate::contract). Share it as `Arc<TokenManager>`.
///
/// # Behavior
///
/// - An empty secret, and one longer than [`TokenOptions::max_secret_len`], is no token: `NotFound`
///   without asking the store (M2). Only [`create_token`](Self::create_token) says what is wrong
///   with it.
/// - Every call waits at most as long as the driver does, which is bounded (R16).
///
/// # Examples
///
/// See the crate's documentation.
#[derive(Debug)]
pub struct TokenManager {
    driver: Arc<dyn TokenDriver>,
    clock: Arc<dyn Clock>,
    token: TokenOptions,
    digest: TokenDigest,
    revocations: RevocationCache,
}

impl TokenManager {
    /// A manager on a driver that was opened with the same clock.
    ///
    /// # Errors
    ///
    /// `Config` where [`TokenOptions::check`] says so.
    pub fn new(
        driver: Arc<dyn TokenDriver>,
        clock: Arc<dyn Clock>,
        options: ManagerOptions,
    ) -> Result<Self> {
        let ManagerOptions {
            token,
            revocation_list,
            digest,
        } = options;
        token.check()?;
        Ok(Self {
            driver,
            clock,
            token,
            digest,
            revocations: RevocationCache::new(revocation_list.time_to_live),
        })
    }

    /// A manager on the store that the configuration names, by the machine's clock.
    ///
    /// # Errors
    ///
    /// `Config` if the configuration makes no sense or the digest key cannot be read; else as
    /// [`Registry::open`].
    ///
    /// # Cancel safety
    ///
    /// As [`Registry::open`].
    pub async fn open(config: &Config, registry: &Registry) -> Result<Self> {
        let options = config.manager_options().await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let driver = registry.open(&config.store.url, Arc::clone(&clock)).await?;
        Self::new(driver, clock, options)
    }

    /// Mints a secret and stores its token (M1).
    ///
    /// # Behavior
    ///
    /// - The secret is the configured prefix and 256 random bits; it is given out this once, and only
    ///   if the token was stored.
    /// - What the request leaves open is filled in as [`IssueRequest`] says.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, naming the field: a text that breaks the rules of [`Text`], data over the
    /// store's limit, an expiry that is not in the future or beyond [`TokenOptions::max_lifetime`].
    /// `Unavailable` or `Indeterminate` if the store fails.
    ///
    /// # Cancel safety
    ///
    /// At most a token remains whose secret nobody was given.
    pub async fn issue(&self, request: IssueRequest) -> Result<Issued> {
        let secret = mint::secret(&self.token.prefix)?;
        let record = self.store(&secret, request).await?;
        Ok(Issued { secret, record })
    }

    /// Stores a token under a secret of the caller's own (M1).
    ///
    /// Without a digest key of one's own the secret has to be beyond guessing; see [`TokenDigest`].
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if an unexpired token has this secret. `InvalidInput` for an empty or over-long
    /// secret, naming `token id`; else as [`issue`](Self::issue).
    ///
    /// # Cancel safety
    ///
    /// The token is stored wholly or not at all.
    pub async fn create_token(
        &self,
        secret: &TokenSecret,
        request: IssueRequest,
    ) -> Result<TokenRecord> {
        let len = secret.expose().len();
        if len == 0 {
            return Err(Error::invalid_input("token id", "is empty"));
        }
        if len > self.token.max_secret_len {
            let limit = self.token.max_secret_len;
            let problem = format!("is {len} bytes long; the limit is {limit}");
            return Err(Error::invalid_input("token id", problem));
        }
        self.store(secret, request).await
    }

    /// Gives the record of the active token with this secret (M2, R5).
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none; else as [`TokenDriver::get`].
    ///
    /// # Cancel safety
    ///
    /// Reads only.
    pub async fn validate(&self, secret: &TokenSecret) -> Result<TokenRecord> {
        self.driver.get(&self.plausible_id(secret)?).await
    }

    /// Keystone's name of [`validate`](Self::validate).
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    ///
    /// # Cancel safety
    ///
    /// Reads only.
    pub async fn get_token(&self, secret: &TokenSecret) -> Result<TokenRecord> {
        self.validate(secret).await
    }

    /// Revokes the active token with this secret (R6).
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none, so for a second call; else as [`TokenDriver::delete`].
    ///
    /// # Cancel safety
    ///
    /// The token is revoked or not.
    pub async fn delete_token(&self, secret: &TokenSecret) -> Result<()> {
        let id = self.plausible_id(secret)?;
        let _stale = self.revocations.invalidate_on_drop();
        self.driver.delete(&id).await
    }

    /// Revokes tokens as Keystone's `delete_tokens` does, and returns their ids (M3).
    ///
    /// # Behavior
    ///
    /// - With a trust: the tokens made from that trust, whoever they are for; `user` is not looked at.
    /// - Without: the tokens of that user.
    /// - A tenant and a consumer narrow either down; a token without a tenant matches no tenant.
    /// - Nothing matched is `Ok` and empty. For other choices see
    ///   [`delete_matching`](Self::delete_matching).
    ///
    /// # Errors
    ///
    /// `InvalidInput` if neither a user nor a trust is given, and for a text that breaks the rules of
    /// [`Text`], such as an empty one. After `Unavailable` or `Indeterminate` a part may be revoked;
    /// repeating the call is safe.
    ///
    /// # Cancel safety
    ///
    /// Each token is revoked or not; a part of them may be.
    pub async fn delete_tokens(
        &self,
        user: Option<&str>,
        tenant: Option<&str>,
        trust: Option<&str>,
        consumer: Option<&str>,
    ) -> Result<Vec<TokenId>> {
        let mut filter = match (trust, user) {
            (Some(trust), _) => TokenFilter::new().with_trust(trust)?,
            (None, Some(user)) => TokenFilter::new().with_user(user)?,
            (None, None) => {
                let problem = "is missing: give a user or a trust";
                return Err(Error::invalid_input("user_id", problem));
            }
        };
        if let Some(tenant) = tenant {
            filter = filter.with_tenant(tenant)?;
        }
        if let Some(consumer) = consumer {
            filter = filter.with_consumer(consumer)?;
        }
        self.delete_matching(&filter).await
    }

    /// Revokes every active token that matches, and returns their ids (R8).
    ///
    /// # Errors
    ///
    /// As [`TokenDriver::delete_tokens`].
    ///
    /// # Cancel safety
    ///
    /// Each token is revoked or not; a part of them may be.
    pub async fn delete_matching(&self, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let _stale = self.revocations.invalidate_on_drop();
        self.driver.delete_tokens(filter).await
    }

    /// Gives all revoked, unexpired tokens in order of revocation, from memory if it may (M5).
    ///
    /// # Behavior
    ///
    /// - What was revoked through this manager before the call is in it. What was revoked elsewhere is
    ///   in it after [`RevocationListOptions::time_to_live`](crate::RevocationListOptions::time_to_live)
    ///   at most.
    /// - Tokens that have expired are not in it, however old the list is.
    /// - Concurrent callers share one reading of the store, and its failure, unless it began so long
    ///   ago.
    /// - The list is held in memory whole; to follow a long one use [`TokenDriver::list_revoked`].
    ///
    /// # Errors
    ///
    /// As [`TokenDriver::list_revoked`].
    ///
    /// # Cancel safety
    ///
    /// Reads only; another caller who waits for the same reading goes on with one of its own.
    pub async fn list_revoked(&self) -> Result<Arc<[RevokedToken]>> {
        self.revocations.list(&*self.driver, &*self.clock).await
    }

    /// Makes the next [`list_revoked`](Self::list_revoked) read the store (M5).
    pub fn invalidate_revocation_list(&self) {
        self.revocations.invalidate();
    }

    /// The driver below, for what the manager adds nothing to, such as listings.
    #[must_use]
    pub const fn driver(&self) -> &Arc<dyn TokenDriver> {
        &self.driver
    }

    /// The clock that gives the manager's *now*.
    #[must_use]
    pub const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The id of the token with this secret, whether or not there is one.
    #[must_use]
    pub fn token_id(&self, secret: &TokenSecret) -> TokenId {
        self.digest.id(secret)
    }

    /// The id of a secret that can be one (M2).
    fn plausible_id(&self, secret: &TokenSecret) -> Result<TokenId> {
        if (1..=self.token.max_secret_len).contains(&secret.expose().len()) {
            Ok(self.digest.id(secret))
        } else {
            Err(Error::not_found())
        }
    }

    async fn store(&self, secret: &TokenSecret, request: IssueRequest) -> Result<TokenRecord> {
        let record = self.record(self.digest.id(secret), request)?;
        self.driver.create(record.clone()).await?;
        Ok(record)
    }

    fn record(&self, id: TokenId, request: IssueRequest) -> Result<TokenRecord> {
        let issued_at = self.clock.now();
        let expires_at = self.expires_at(request.expiry, issued_at)?;
        let audit_id = match request.audit_id {
            Some(audit_id) => Text::new("audit_id", audit_id)?,
            None => mint::audit_id()?,
        };
        let optional =
            |field, value: Option<String>| value.map(|value| Text::new(field, value)).transpose();
        let mut record = TokenRecord::new(id, &audit_id, &request.user_id, issued_at, expires_at)?
            .with_data(request.data);
        if let Some(chain) = request.audit_chain_id {
            record = record.with_audit_chain(&chain)?;
        }
        record.tenant_id = optional("tenant_id", request.tenant_id)?;
        record.domain_id = optional("domain_id", request.domain_id)?;
        record.trust_id = optional("trust_id", request.trust_id)?;
        record.consumer_id = optional("consumer_id", request.consumer_id)?;
        Ok(record)
    }

    /// The instant meant, if it lies in the future and not too far (M1).
    fn expires_at(&self, expiry: Expiry, now: Timestamp) -> Result<Timestamp> {
        let expires_at = match expiry {
            Expiry::Default => now.saturating_add(self.token.default_lifetime),
            Expiry::In(span) => now.saturating_add(span),
            Expiry::At(instant) => instant,
        };
        if expires_at <= now {
            return Err(Error::invalid_input("expires_at", "is not in the future"));
        }
        match self.token.max_lifetime {
            Some(max) if expires_at.saturating_since(now) > max => {
                let max = humantime::format_duration(max);
                let problem = format!("is further away than the longest life of {max}");
                Err(Error::invalid_input("expires_at", problem))
            }
            _ => Ok(expires_at),
        }
    }
}
