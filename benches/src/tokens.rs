//! The tokens that every benchmark stores.

use std::time::Duration;

use tokenkeep_core::{Result, Timestamp, TokenId, TokenRecord};

/// Makes tokens like those of a cloud: 10,000 users, 1,000 tenants, a trust and a consumer on every
/// tenth, 400 bytes of data.
#[derive(Clone, Copy, Debug)]
pub struct Tokens {
    issued_at: Timestamp,
}

impl Tokens {
    /// Tokens issued at this instant, which live for a day.
    #[must_use]
    pub const fn new(issued_at: Timestamp) -> Self {
        Self { issued_at }
    }

    /// The id of a token: spread over the key space as a digest is, and the same in each run.
    #[must_use]
    pub fn id(number: usize) -> TokenId {
        let mut bytes = [0; TokenId::LEN];
        let mut state = number as u64;
        for part in bytes.chunks_exact_mut(8) {
            state = splitmix(state);
            part.copy_from_slice(&state.to_be_bytes());
        }
        TokenId::from_bytes(bytes)
    }

    /// The token of this number, of one of the 10,000 users.
    ///
    /// # Errors
    ///
    /// None that a number could cause.
    pub fn token(self, number: usize) -> Result<TokenRecord> {
        self.token_of(number, &format!("user-{:028}", number % 10_000))
    }

    /// The token of this number, of a user of its own.
    ///
    /// # Errors
    ///
    /// `InvalidInput` where the user breaks a rule.
    pub fn token_of(self, number: usize, user: &str) -> Result<TokenRecord> {
        let expires_at = self
            .issued_at
            .saturating_add(Duration::from_secs(24 * 3_600));
        let audit_id = format!("audit-{number:016}");
        let mut record = TokenRecord::new(
            Self::id(number),
            &audit_id,
            user,
            self.issued_at,
            expires_at,
        )?
        .with_tenant(&format!("tenant-{:025}", number % 1_000))?
        .with_data(vec![b'd'; 400]);
        if number.is_multiple_of(10) {
            record = record.with_trust(&format!("trust-{:026}", number / 10))?;
        }
        if number % 10 == 5 {
            record = record.with_consumer(&format!("consumer-{:023}", number % 50))?;
        }
        Ok(record)
    }

    /// The same token, but expiring at another instant.
    ///
    /// # Errors
    ///
    /// None that a number could cause.
    pub fn expiring(self, number: usize, expires_at: Timestamp) -> Result<TokenRecord> {
        Ok(TokenRecord {
            expires_at,
            ..self.token(number)?
        })
    }
}

const fn splitmix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
