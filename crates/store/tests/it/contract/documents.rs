//! Copies of what clients publish.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::sync::Arc;

use mcp_gateway_store::{Document, Store};

use crate::{
    contract::contract,
    samples::{NOW, after, digest, document},
};

const DAY: u64 = 86_400;

contract!(
    a_copy_that_nobody_needed_goes_when_it_is_no_longer_fresh,
    a_copy_that_was_needed_stays_for_seven_days_after_it_was_read,
    a_copy_that_is_read_again_stays_needed,
    nothing_is_kept_of_a_copy_that_is_gone,
    of_reading_again_and_needing_at_once_neither_is_lost,
);

async fn a_copy_that_nobody_needed_goes_when_it_is_no_longer_fresh(store: Arc<dyn Store>) {
    let (key, copy) = (digest("url"), document());
    assert_eq!(store.document(&key, NOW).await.unwrap(), None);
    store.put_document(&key, &copy, NOW).await.unwrap();
    assert_eq!(store.document(&key, after(599)).await.unwrap(), Some(copy));
    assert_eq!(store.document(&key, after(600)).await.unwrap(), None);
    assert_eq!(store.document(&digest("other"), NOW).await.unwrap(), None);
}

async fn a_copy_that_was_needed_stays_for_seven_days_after_it_was_read(store: Arc<dyn Store>) {
    let (key, copy) = (digest("url"), document());
    store.put_document(&key, &copy, NOW).await.unwrap();
    for _ in 0..2 {
        store.keep_document(&key, after(599)).await.unwrap();
    }
    let kept = Document { used: true, ..copy };
    assert_eq!(
        store.document(&key, after(7 * DAY - 1)).await.unwrap(),
        Some(kept)
    );
    assert_eq!(store.document(&key, after(7 * DAY)).await.unwrap(), None);
}

async fn a_copy_that_is_read_again_stays_needed(store: Arc<dyn Store>) {
    let (key, copy) = (digest("url"), document());
    store.put_document(&key, &copy, NOW).await.unwrap();
    store.keep_document(&key, NOW).await.unwrap();
    let again = Document {
        body: "{\"new\":true}".into(),
        read_at: after(DAY),
        fresh_until: after(DAY + 60),
        ..copy
    };
    store.put_document(&key, &again, after(DAY)).await.unwrap();
    let kept = Document { used: true, ..again };
    assert_eq!(
        store.document(&key, after(8 * DAY - 1)).await.unwrap(),
        Some(kept)
    );
    assert_eq!(store.document(&key, after(8 * DAY)).await.unwrap(), None);
}

async fn nothing_is_kept_of_a_copy_that_is_gone(store: Arc<dyn Store>) {
    let (key, copy) = (digest("url"), document());
    store.keep_document(&key, NOW).await.unwrap();
    assert_eq!(store.document(&key, NOW).await.unwrap(), None);
    store.put_document(&key, &copy, NOW).await.unwrap();
    store.keep_document(&key, after(600)).await.unwrap();
    assert_eq!(store.document(&key, after(600)).await.unwrap(), None);
}

async fn of_reading_again_and_needing_at_once_neither_is_lost(store: Arc<dyn Store>) {
    let (key, copy) = (digest("url"), document());
    store.put_document(&key, &copy, NOW).await.unwrap();
    let again = Document {
        fresh_until: after(900),
        ..copy
    };
    let tasks: Vec<_> = (0..32)
        .map(|turn| {
            let (store, again) = (Arc::clone(&store), again.clone());
            tokio::spawn(async move {
                if turn % 2 == 0 {
                    store.keep_document(&digest("url"), NOW).await.unwrap();
                } else {
                    store.put_document(&digest("url"), &again, NOW).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let kept = Document { used: true, ..again };
    assert_eq!(store.document(&key, NOW).await.unwrap(), Some(kept));
}
