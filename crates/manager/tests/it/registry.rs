use std::sync::Arc;

use tokenkeep::{Clock, ErrorKind, MemoryDriver, Registry, Result, StoreUrl, TokenDriver};

use crate::support::{clock, failure};

async fn open(registry: &Registry, url: &str) -> Result<Arc<dyn TokenDriver>> {
    registry.open(&url.parse()?, clock()).await
}

async fn open_foreign(url: StoreUrl, clock: Arc<dyn Clock>) -> Result<Arc<dyn TokenDriver>> {
    url.options().finish()?;
    Ok(Arc::new(MemoryDriver::new(clock)))
}

#[tokio::test]
async fn a_foreign_backend_joins_in_one_line() {
    let mut registry = Registry::builtin();
    registry.register("foreign", open_foreign).unwrap();
    assert!(registry.schemes().contains(&"foreign"));
    open(&registry, "foreign:x").await.unwrap();
    let message = failure(open(&registry, "foreign:x?a=b").await).1;
    assert!(message.contains("unknown option `a`"), "{message}");
}

#[tokio::test]
async fn a_closure_is_a_backend_too() {
    let mut registry = Registry::empty();
    let open_it = |_: StoreUrl, clock: Arc<dyn Clock>| async move {
        Ok(Arc::new(MemoryDriver::new(clock)) as Arc<dyn TokenDriver>)
    };
    registry.register("mine", open_it).unwrap();
    open(&registry, "mine:").await.unwrap();
}

#[tokio::test]
async fn a_store_without_a_schema_has_nothing_to_migrate() {
    let mut registry = Registry::builtin();
    registry.register("foreign", open_foreign).unwrap();
    for url in ["memory:", "foreign:x"] {
        let url: StoreUrl = url.parse().unwrap();
        assert_eq!(registry.schema(&url).await.unwrap(), None);
        assert_eq!(registry.migrate(&url, clock()).await.unwrap(), None);
        let (kind, message) = failure(registry.remove(&url).await);
        assert_eq!(kind, ErrorKind::Config);
        assert!(message.contains("is not removed by its URL"), "{message}");
    }
    let unknown: StoreUrl = "nosuch:x".parse().unwrap();
    for answer in [
        registry.schema(&unknown).await.map(drop),
        registry.migrate(&unknown, clock()).await.map(drop),
        registry.remove(&unknown).await,
    ] {
        assert!(failure(answer).1.contains("unknown scheme `nosuch`"));
    }
}

#[tokio::test]
async fn an_unknown_scheme_lists_the_known_ones() {
    let mut registry = Registry::empty();
    registry.register("b", open_foreign).unwrap();
    registry.register("a", open_foreign).unwrap();
    let (kind, message) = failure(open(&registry, "c:x").await);
    assert_eq!(kind, ErrorKind::Config);
    assert!(
        message.contains("unknown scheme `c`; the known ones are: a, b"),
        "{message}"
    );
}

#[test]
fn bad_and_taken_scheme_names_are_refused() {
    let mut registry = Registry::builtin();
    for scheme in ["", "A", "1a", "a_b", "a:", "é"] {
        let (kind, message) = failure(registry.register(scheme, open_foreign));
        assert_eq!(kind, ErrorKind::Config);
        assert!(message.contains(&format!("`{scheme}`")), "{message}");
    }
    let (_, message) = failure(registry.register("memory", open_foreign));
    assert!(message.contains("`memory` is taken"), "{message}");
}

#[tokio::test]
async fn memory_urls() {
    let registry = Registry::builtin();
    open(&registry, "memory:?max_data_len=10").await.unwrap();
    for (url, wrong) in [
        ("memory:x", "takes no path"),
        ("memory:?namespace=x", "unknown option `namespace`"),
        ("memory:?max_data_len=many", "not a whole number"),
    ] {
        let (kind, message) = failure(open(&registry, url).await);
        assert_eq!(kind, ErrorKind::Config);
        assert!(message.contains(wrong), "{url}: {message}");
    }
}
