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
    above_the_bound_the_copies_read_longest_ago_go,
    a_copy_that_a_grant_needs_is_never_removed_for_others,
    a_copy_is_not_removed_when_it_is_put_whatever_the_clocks_of_others_say,
    a_copy_that_is_read_again_stays_longer,
    of_many_copies_put_at_once_no_more_stay_than_the_bound,
);

async fn a_copy_that_nobody_needed_goes_when_it_is_no_longer_fresh(store: Arc<dyn Store>) {
    let (key, copy) = (digest("url"), document());
    assert_eq!(store.document(&key, NOW).await.unwrap(), None);
    store.put_document(&key, &copy, 100, NOW).await.unwrap();
    assert_eq!(store.document(&key, after(599)).await.unwrap(), Some(copy));
    assert_eq!(store.document(&key, after(600)).await.unwrap(), None);
    assert_eq!(store.document(&digest("other"), NOW).await.unwrap(), None);
}

async fn a_copy_that_was_needed_stays_for_seven_days_after_it_was_read(store: Arc<dyn Store>) {
    let (key, copy) = (digest("url"), document());
    store.put_document(&key, &copy, 100, NOW).await.unwrap();
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
    store.put_document(&key, &copy, 100, NOW).await.unwrap();
    store.keep_document(&key, NOW).await.unwrap();
    let again = Document {
        body: "{\"new\":true}".into(),
        read_at: after(DAY),
        fresh_until: after(DAY + 60),
        ..copy
    };
    store.put_document(&key, &again, 100, after(DAY)).await.unwrap();
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
    store.put_document(&key, &copy, 100, NOW).await.unwrap();
    store.keep_document(&key, after(600)).await.unwrap();
    assert_eq!(store.document(&key, after(600)).await.unwrap(), None);
}

async fn of_reading_again_and_needing_at_once_neither_is_lost(store: Arc<dyn Store>) {
    let (key, copy) = (digest("url"), document());
    store.put_document(&key, &copy, 100, NOW).await.unwrap();
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
                    store
                        .put_document(&digest("url"), &again, 100, NOW)
                        .await
                        .unwrap();
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

/// Puts a copy that was read so many seconds after the start, and stays fresh for a day.
async fn put(store: &dyn Store, name: &str, read: u64, most: u32) {
    let copy = Document {
        read_at: after(read),
        fresh_until: after(read + DAY),
        ..document()
    };
    store
        .put_document(&digest(name), &copy, most, after(read))
        .await
        .unwrap();
}

/// Which of these copies are there.
async fn there(store: &dyn Store, names: &[&str]) -> Vec<String> {
    let mut there = Vec::new();
    for name in names {
        if store.document(&digest(name), after(100)).await.unwrap().is_some() {
            there.push((*name).to_owned());
        }
    }
    there
}

async fn above_the_bound_the_copies_read_longest_ago_go(store: Arc<dyn Store>) {
    let names = ["a", "b", "c", "d", "e", "f"];
    for (name, read) in names.iter().zip(0..) {
        put(&*store, name, read, 3).await;
    }
    assert_eq!(there(&*store, &names).await, ["d", "e", "f"]);
}

async fn a_copy_that_a_grant_needs_is_never_removed_for_others(store: Arc<dyn Store>) {
    put(&*store, "needed", 0, 2).await;
    store.keep_document(&digest("needed"), NOW).await.unwrap();
    for (name, read) in ["a", "b", "c"].iter().zip(1..) {
        put(&*store, name, read, 2).await;
    }
    put(&*store, "needed", 4, 2).await;
    for (name, read) in ["d", "e"].iter().zip(5..) {
        put(&*store, name, read, 2).await;
    }
    let names = ["needed", "a", "b", "c", "d", "e"];
    assert_eq!(there(&*store, &names).await, ["needed", "d", "e"]);
}

async fn a_copy_is_not_removed_when_it_is_put_whatever_the_clocks_of_others_say(store: Arc<dyn Store>) {
    for name in ["a", "b"] {
        put(&*store, name, 60, 2).await;
    }
    put(&*store, "new", 0, 2).await;
    let left = there(&*store, &["new", "a", "b"]).await;
    assert_eq!((left.len(), left[0].as_str()), (2, "new"));
}

async fn a_copy_that_is_read_again_stays_longer(store: Arc<dyn Store>) {
    for (name, read) in [("a", 0), ("b", 1), ("a", 2), ("c", 3)] {
        put(&*store, name, read, 2).await;
    }
    assert_eq!(there(&*store, &["a", "b", "c"]).await, ["a", "c"]);
}

async fn of_many_copies_put_at_once_no_more_stay_than_the_bound(store: Arc<dyn Store>) {
    let names: Vec<_> = (0..64).map(|n| n.to_string()).collect();
    let puts = names.iter().cloned().map(|name| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { put(&*store, &name, 0, 8).await })
    });
    for task in puts.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let left = there(&*store, &names).await.len();
    assert!((1..=8).contains(&left), "{left}");
}
