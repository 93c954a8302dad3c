//! Text is compared byte for byte, whatever collation the server prefers.

use tokenkeep_core::{TokenDriver, TokenRecord};

use crate::support::{fresh_record, of_user, open, options, shared_server, system_clock};

/// Each pair is one value to a collation that ignores case, accents, spaces at the end or what is
/// not seen.
const USERS: [&str; 10] = [
    "josé",
    "jose",
    "JOSE",
    "Jose",
    "jose ",
    "jose\u{301}",
    "josé ",
    "straße",
    "strasse",
    "jo\u{ad}se",
];

#[tokio::test]
async fn case_accents_and_trailing_spaces_make_different_users() {
    let Some(server) = shared_server() else {
        return;
    };
    let driver = open(&options(server, "text"), system_clock()).await;
    let mut records: Vec<TokenRecord> = Vec::new();
    for user in USERS {
        let record = fresh_record(user);
        driver.create(record.clone()).await.unwrap();
        assert_eq!(driver.get(&record.id).await.unwrap(), record);
        records.push(record);
    }
    for (user, record) in USERS.into_iter().zip(records) {
        let revoked = driver.delete_tokens(&of_user(user)).await.unwrap();
        assert_eq!(revoked, [record.id], "{user:?}");
    }
}
