//! Rotation: a token is revoked and its successor issued in one step.

use super::TokenManager;
use crate::{
    Error, ErrorKind, Issued, Result, RotateOutcome, RotateRequest, Rotation, TokenId, TokenRecord,
    TokenSecret, mint,
};

impl TokenManager {
    /// Revokes an active token and issues its successor (R12).
    ///
    /// # Behavior
    ///
    /// - The successor is for the same user, tenant, domain, trust and consumer, and of the same audit
    ///   chain; secret and audit id are new.
    /// - Of many concurrent calls for one token exactly one is given the successor; the others, and
    ///   every later one until the old token expires, get [`RotateOutcome::AlreadyUsed`].
    /// - A change by `replace` of the old token's data while the call runs may not reach the successor.
    ///
    /// # Errors
    ///
    /// `NotFound` if the old token is absent or expired. `InvalidInput` as for
    /// [`issue`](Self::issue): the old token stays as it was. `Unavailable` or `Indeterminate` if the
    /// store fails.
    ///
    /// # Cancel safety
    ///
    /// As after a crash: the old token is revoked or not, and at most a successor remains whose secret
    /// nobody was given.
    pub async fn rotate(
        &self,
        secret: &TokenSecret,
        request: RotateRequest,
    ) -> Result<RotateOutcome> {
        let old_id = self.plausible_id(secret)?;
        let old = match self.driver.get(&old_id).await {
            Ok(old) => old,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return self.use_of(&old_id).await;
            }
            Err(error) => return Err(error),
        };
        let new_secret = mint::secret(&self.token.prefix)?;
        let issued_at = self.clock.now();
        let successor = TokenRecord {
            id: self.digest.id(&new_secret),
            audit_id: mint::audit_id()?,
            issued_at,
            expires_at: self.expires_at(request.expiry, issued_at)?,
            data: request.data.unwrap_or(old.data),
            version: 1,
            ..old
        };
        let _stale = self.revocations.invalidate_on_drop();
        match self.driver.rotate(&old_id, successor.clone()).await? {
            Rotation::Rotated => Ok(RotateOutcome::Rotated(Box::new(Issued {
                secret: new_secret,
                record: successor,
            }))),
            Rotation::AlreadyUsed { at, successor } => {
                Ok(RotateOutcome::AlreadyUsed { at, successor })
            }
        }
    }

    /// What became of a token that is not active.
    ///
    /// Only `rotate` tells. A successor with the old token's own id is refused by every driver, so
    /// this asks without the power to change anything, whatever happens to the token meanwhile.
    async fn use_of(&self, id: &TokenId) -> Result<RotateOutcome> {
        let now = self.clock.now();
        let powerless = TokenRecord::new(*id, "none", "none", now, now)?;
        match self.driver.rotate(id, powerless).await {
            Ok(Rotation::AlreadyUsed { at, successor }) => {
                Ok(RotateOutcome::AlreadyUsed { at, successor })
            }
            Ok(Rotation::Rotated) => Err(Error::new(
                ErrorKind::Internal,
                "the driver made a token its own successor",
            )),
            // It was created after it had been looked for and not found.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Err(Error::not_found()),
            Err(error) => Err(error),
        }
    }
}
