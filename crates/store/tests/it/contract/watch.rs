//! What those hear who remember a grant.

use std::sync::Arc;

use mcp_gateway_store::{EmbeddedStore, GrantReader, Moment, Store};

use crate::samples::{NOW, after, begun, grant};

const MOMENT: Moment = Moment::new(1, 1);

#[tokio::test]
async fn a_change_of_a_grant_is_heard_before_its_writer_is_answered() {
    let store = Arc::new(EmbeddedStore::in_memory().unwrap());
    let watch = store.watch().unwrap();
    let (one, _) = begun(&*store, grant()).await;
    let (other, _) = begun(&*store, grant()).await;
    let marks = [&one, &other].map(|grant| watch.register(grant.id.as_str()));
    assert!(marks.iter().all(|mark| mark.holds(&watch, MOMENT)));

    store.prolong(&other.id, after(120), NOW).await.unwrap();
    assert!(marks[0].holds(&watch, MOMENT), "nothing happened to it");
    assert!(!marks[1].holds(&watch, MOMENT), "it was prolonged");

    let again = watch.register(other.id.as_str());
    store.end_grant(&one.id, NOW).await.unwrap();
    assert!(!marks[0].holds(&watch, MOMENT), "it ended");
    assert!(again.holds(&watch, MOMENT), "read again since it was prolonged");
}

#[tokio::test]
async fn a_grant_that_is_swept_away_is_heard_of() {
    let store = EmbeddedStore::in_memory().unwrap();
    let watch = store.watch().unwrap();
    let (grant, _) = begun(&store, grant()).await;
    let mark = watch.register(grant.id.as_str());
    store.sweep(after(86_400)).await.unwrap();
    assert!(!mark.holds(&watch, MOMENT));
}
