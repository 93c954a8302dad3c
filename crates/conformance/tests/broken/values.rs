//! Faults of what is stored: values that come back changed, or are taken for others.

use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::Trial;
use tokenkeep_core::{
    Page, PageRequest, Result, RevokedToken, Text, Timestamp, TokenDriver, TokenFilter, TokenId,
    TokenRecord,
};

use crate::fault::{Fault, Sound};
use crate::found_by;
use crate::notes::Notes;

pub(crate) fn faults() -> Vec<Trial> {
    vec![
        found_by::<TimesAreMilliseconds>("contract::instants_come_back_to_the_microsecond"),
        found_by::<TextIsCutAt64>("contract::odd_text_comes_back_in_every_field"),
        found_by::<TextIsComparedTo64>("contract::long_values_count_to_the_last_byte"),
        found_by::<CaseIsFolded>("contract::case_counts"),
        found_by::<TrailingSpaceIsIgnored>("contract::trailing_and_leading_spaces_count"),
        found_by::<TrailingSpaceIsIgnored>("contract::random_calls_answer_as_the_reference_does"),
        found_by::<DataAreText>("contract::binary_data_come_back"),
        found_by::<DataAreCutAt65535>(
            "contract::data_at_the_limit_come_back_from_a_batch_and_a_page",
        ),
        found_by::<RevocationsAreToTheMillisecond>("contract::instants_of_every_age_come_back"),
        found_by::<ChainIsLost>("contract::create_then_get"),
    ]
}

#[derive(Debug, Default)]
struct TimesAreMilliseconds;

#[async_trait]
impl Fault for TimesAreMilliseconds {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        let cut = |at: Timestamp| {
            let finer = at.as_micros().unsigned_abs() % 1_000;
            at.saturating_sub(Duration::from_micros(finer))
        };
        let record = TokenRecord {
            issued_at: cut(record.issued_at),
            expires_at: cut(record.expires_at),
            ..record
        };
        sound.driver.create(record).await
    }
}

/// The first 64 letters.
fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

/// A column of 64 letters, in a server that cuts what is longer.
#[derive(Debug, Default)]
struct TextIsCutAt64;

#[async_trait]
impl Fault for TextIsCutAt64 {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        let user_id = Text::new("user_id", short(&record.user_id))?;
        sound.driver.create(TokenRecord { user_id, ..record }).await
    }
}

/// Stores users under another spelling, and gives them back as they were.
async fn create_as(
    spell: fn(&str) -> String,
    notes: &Notes,
    sound: &Sound,
    record: TokenRecord,
) -> Result<()> {
    let original = record.clone();
    let user_id = Text::new("user_id", spell(&record.user_id))?;
    sound
        .driver
        .create(TokenRecord { user_id, ..record })
        .await?;
    notes.keep(&original);
    Ok(())
}

fn as_it_was(notes: &Notes, stored: TokenRecord) -> TokenRecord {
    match notes.of(&stored.id) {
        Some(original) => TokenRecord {
            user_id: original.user_id,
            ..stored
        },
        None => stored,
    }
}

fn spelled(spell: fn(&str) -> String, filter: &TokenFilter) -> Result<TokenFilter> {
    match &filter.user_id {
        Some(user) => filter.clone().with_user(&spell(user)),
        None => Ok(filter.clone()),
    }
}

async fn list_as(
    spell: fn(&str) -> String,
    notes: &Notes,
    sound: &Sound,
    filter: &TokenFilter,
    page: &PageRequest,
) -> Result<Page<TokenRecord>> {
    let Page {
        items,
        cursor,
        more,
    } = sound.driver.list(&spelled(spell, filter)?, page).await?;
    let items = items.into_iter().map(|token| as_it_was(notes, token));
    Ok(Page {
        items: items.collect(),
        cursor,
        more,
    })
}

/// An index over the first 64 letters, and nothing that compares the rest.
#[derive(Debug, Default)]
struct TextIsComparedTo64(Notes);

#[async_trait]
impl Fault for TextIsComparedTo64 {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        create_as(short, &self.0, sound, record).await
    }

    async fn get(&self, sound: &Sound, id: &TokenId) -> Result<TokenRecord> {
        Ok(as_it_was(&self.0, sound.driver.get(id).await?))
    }

    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        sound.driver.delete_tokens(&spelled(short, filter)?).await
    }

    async fn list(
        &self,
        sound: &Sound,
        filter: &TokenFilter,
        page: &PageRequest,
    ) -> Result<Page<TokenRecord>> {
        list_as(short, &self.0, sound, filter, page).await
    }
}

/// A collation that knows no case.
#[derive(Debug, Default)]
struct CaseIsFolded(Notes);

#[async_trait]
impl Fault for CaseIsFolded {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        create_as(str::to_lowercase, &self.0, sound, record).await
    }

    async fn get(&self, sound: &Sound, id: &TokenId) -> Result<TokenRecord> {
        Ok(as_it_was(&self.0, sound.driver.get(id).await?))
    }

    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let filter = spelled(str::to_lowercase, filter)?;
        sound.driver.delete_tokens(&filter).await
    }

    async fn list(
        &self,
        sound: &Sound,
        filter: &TokenFilter,
        page: &PageRequest,
    ) -> Result<Page<TokenRecord>> {
        list_as(str::to_lowercase, &self.0, sound, filter, page).await
    }
}

fn trimmed(text: &str) -> String {
    match text.trim_end_matches(' ') {
        "" => text.to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

/// A collation that pads.
#[derive(Debug, Default)]
struct TrailingSpaceIsIgnored(Notes);

#[async_trait]
impl Fault for TrailingSpaceIsIgnored {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        create_as(trimmed, &self.0, sound, record).await
    }

    async fn get(&self, sound: &Sound, id: &TokenId) -> Result<TokenRecord> {
        Ok(as_it_was(&self.0, sound.driver.get(id).await?))
    }

    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        sound.driver.delete_tokens(&spelled(trimmed, filter)?).await
    }

    async fn list(
        &self,
        sound: &Sound,
        filter: &TokenFilter,
        page: &PageRequest,
    ) -> Result<Page<TokenRecord>> {
        list_as(trimmed, &self.0, sound, filter, page).await
    }
}

/// A text column for bytes.
#[derive(Debug, Default)]
struct DataAreText;

#[async_trait]
impl Fault for DataAreText {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        let data = String::from_utf8_lossy(&record.data).into_owned().into();
        sound.driver.create(TokenRecord { data, ..record }).await
    }
}

/// A column that the insert does not name.
#[derive(Debug, Default)]
struct ChainIsLost;

#[async_trait]
impl Fault for ChainIsLost {
    async fn create(&self, sound: &Sound, record: TokenRecord) -> Result<()> {
        let audit_chain_id = record.audit_id.clone();
        let record = TokenRecord {
            audit_chain_id,
            ..record
        };
        sound.driver.create(record).await
    }
}

/// A column that is a byte too short, written to by the batch.
#[derive(Debug, Default)]
struct DataAreCutAt65535;

#[async_trait]
impl Fault for DataAreCutAt65535 {
    async fn create_many(
        &self,
        sound: &Sound,
        mut records: Vec<TokenRecord>,
    ) -> Result<Vec<Result<()>>> {
        for record in &mut records {
            record.data.truncate(65_535);
        }
        sound.driver.create_many(records).await
    }
}

/// A type that is less fine in the feed than elsewhere.
#[derive(Debug, Default)]
struct RevocationsAreToTheMillisecond;

#[async_trait]
impl Fault for RevocationsAreToTheMillisecond {
    async fn list_revoked(&self, sound: &Sound, page: &PageRequest) -> Result<Page<RevokedToken>> {
        let mut page = sound.driver.list_revoked(page).await?;
        for item in &mut page.items {
            let finer = item.revoked_at.as_micros().unsigned_abs() % 1_000;
            item.revoked_at = item.revoked_at.saturating_sub(Duration::from_micros(finer));
        }
        Ok(page)
    }
}
