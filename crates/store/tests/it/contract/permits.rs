//! Rate limits.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::{sync::Arc, time::Duration};

use mcp_gateway_store::{Rate, Store};

use crate::{
    contract::contract,
    samples::{NOW, after, digest},
};

contract!(
    a_burst_passes_and_the_next_waits,
    permits_grow_back_one_by_one,
    buckets_do_not_share,
    of_32_at_once_as_many_pass_as_the_burst_allows,
    the_exact_moment_of_the_next_permit_is_told,
);

const RATE: Rate = Rate {
    count: 20,
    period: Duration::from_secs(3600),
    burst: 5,
};

async fn a_burst_passes_and_the_next_waits(store: Arc<dyn Store>) {
    for _ in 0..5 {
        assert_eq!(store.take_permit(&digest("a"), RATE, NOW).await.unwrap(), None);
    }
    for _ in 0..2 {
        let wait = store.take_permit(&digest("a"), RATE, NOW).await.unwrap();
        assert_eq!(wait, Some(Duration::from_secs(180)));
    }
}

async fn permits_grow_back_one_by_one(store: Arc<dyn Store>) {
    for _ in 0..5 {
        store.take_permit(&digest("a"), RATE, NOW).await.unwrap();
    }
    for round in 1..4 {
        assert_eq!(
            store
                .take_permit(&digest("a"), RATE, after(180 * round))
                .await
                .unwrap(),
            None
        );
        assert!(
            store
                .take_permit(&digest("a"), RATE, after(180 * round))
                .await
                .unwrap()
                .is_some()
        );
    }
    // after a long rest the bucket is full, and not fuller
    for n in 0..6 {
        let wait = store.take_permit(&digest("a"), RATE, after(86400)).await.unwrap();
        assert_eq!(wait.is_some(), n == 5);
    }
}

async fn buckets_do_not_share(store: Arc<dyn Store>) {
    for _ in 0..6 {
        store.take_permit(&digest("a"), RATE, NOW).await.unwrap();
    }
    assert_eq!(store.take_permit(&digest("b"), RATE, NOW).await.unwrap(), None);
}

async fn of_32_at_once_as_many_pass_as_the_burst_allows(store: Arc<dyn Store>) {
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.take_permit(&digest("a"), RATE, NOW).await.unwrap() })
        })
        .collect();
    let mut passed = 0;
    for task in tasks {
        passed += u32::from(task.await.unwrap().is_none());
    }
    assert_eq!(passed, RATE.burst);
}

async fn the_exact_moment_of_the_next_permit_is_told(store: Arc<dyn Store>) {
    let rate = Rate {
        count: 7,
        period: Duration::from_secs(1),
        burst: 1,
    };
    assert_eq!(store.take_permit(&digest("a"), rate, NOW).await.unwrap(), None);
    let wait = store.take_permit(&digest("a"), rate, NOW).await.unwrap().unwrap();
    assert_eq!(wait, Duration::from_micros(1_000_000 / 7));
    let soon = NOW.plus(Duration::from_millis(142));
    assert_eq!(
        store.take_permit(&digest("a"), rate, soon).await.unwrap(),
        Some(Duration::from_micros(857))
    );
}
