//! Devices that ask, and the codes that people type for them.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::{sync::Arc, time::Duration};

use mcp_gateway_model::id::{ClientId, GrantId};
use mcp_gateway_store::{Decided, DeviceAsked, DeviceRedemption, DeviceRequest, DeviceStage, Polled, Store};

use crate::{
    contract::contract,
    samples::{NOW, after, device, digest},
};

contract!(
    a_typed_code_leads_to_its_device_until_that_ends,
    a_code_that_leads_to_a_device_is_given_to_no_other,
    of_32_devices_one_gets_the_code,
    a_device_that_waits_is_told_to,
    a_device_that_asks_too_soon_has_to_wait_longer_each_time,
    another_client_learns_and_changes_nothing,
    a_decision_stands_and_ends_the_typed_code,
    of_32_decisions_one_stands,
    a_device_that_comes_too_late_is_told_so_and_forgotten_later,
    a_grant_is_handed_out_once_and_later_comers_are_replays,
    of_32_redeemers_one_gets_the_devices_grant,
    what_was_not_granted_cannot_be_redeemed,
);

async fn asked(store: &dyn Store) -> DeviceRequest {
    let device = device();
    let kept = store.ask_by_device(&digest("BCDFGHJK"), &device, NOW).await;
    assert_eq!(kept.unwrap(), DeviceAsked::Kept);
    device
}

async fn granted(store: &dyn Store) -> (DeviceRequest, GrantId) {
    let (device, grant) = (asked(store).await, GrantId::generate());
    let decided = store.decide_device(&device.digest, Some(&grant), NOW).await;
    assert_eq!(decided.unwrap(), Decided::Done);
    (device, grant)
}

async fn a_typed_code_leads_to_its_device_until_that_ends(store: Arc<dyn Store>) {
    let code = digest("BCDFGHJK");
    assert_eq!(store.device_of_user_code(&code, NOW).await.unwrap(), None);
    let device = asked(store.as_ref()).await;
    for _ in 0..2 {
        let found = store.device_of_user_code(&code, after(599)).await.unwrap();
        assert_eq!(found.as_ref(), Some(&device));
    }
    assert_eq!(store.device_of_user_code(&code, after(600)).await.unwrap(), None);
    let other = digest("BCDFGHJL");
    assert_eq!(store.device_of_user_code(&other, NOW).await.unwrap(), None);
}

async fn a_code_that_leads_to_a_device_is_given_to_no_other(store: Arc<dyn Store>) {
    let first = asked(store.as_ref()).await;
    let code = digest("BCDFGHJK");
    let second = DeviceRequest {
        digest: digest("second"),
        expires_at: after(1200),
        ..device()
    };
    let ask = async |now| store.ask_by_device(&code, &second, now).await.unwrap();
    assert_eq!(ask(after(599)).await, DeviceAsked::CodeTaken);
    let polled = store.poll_device(&second.digest, &second.client, NOW).await;
    assert_eq!(polled.unwrap(), Polled::Unknown);
    let found = store.device_of_user_code(&code, NOW).await.unwrap();
    assert_eq!(found, Some(first));
    assert_eq!(ask(after(600)).await, DeviceAsked::Kept);
    let found = store.device_of_user_code(&code, after(600)).await.unwrap();
    assert_eq!(found, Some(second));
}

async fn of_32_devices_one_gets_the_code(store: Arc<dyn Store>) {
    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let device = DeviceRequest {
                    digest: digest(&format!("device {n}")),
                    ..device()
                };
                let asked = store.ask_by_device(&digest("BCDFGHJK"), &device, NOW).await;
                (device, asked.unwrap())
            })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        let (device, asked) = task.await.unwrap();
        if asked == DeviceAsked::Kept {
            winners.push(device);
        }
    }
    let found = store.device_of_user_code(&digest("BCDFGHJK"), NOW).await;
    assert_eq!(winners, [found.unwrap().unwrap()]);
}

async fn a_device_that_waits_is_told_to(store: Arc<dyn Store>) {
    let device = asked(store.as_ref()).await;
    for secs in [0, 5, 10, 16] {
        let polled = store
            .poll_device(&device.digest, &device.client, after(secs))
            .await;
        assert_eq!(polled.unwrap(), Polled::Waiting, "{secs}");
    }
    let polled = store.poll_device(&digest("other"), &device.client, NOW).await;
    assert_eq!(polled.unwrap(), Polled::Unknown);
}

async fn a_device_that_asks_too_soon_has_to_wait_longer_each_time(store: Arc<dyn Store>) {
    let device = asked(store.as_ref()).await;
    let waits = |secs| Polled::TooSoon(Duration::from_secs(secs));
    for (secs, answer) in [
        (0, Polled::Waiting),
        (4, waits(10)),
        (9, waits(15)),
        (24, Polled::Waiting),
        (38, waits(20)),
        (58, Polled::Waiting),
    ] {
        let polled = store
            .poll_device(&device.digest, &device.client, after(secs))
            .await;
        assert_eq!(polled.unwrap(), answer, "{secs}");
    }
}

async fn another_client_learns_and_changes_nothing(store: Arc<dyn Store>) {
    let device = asked(store.as_ref()).await;
    let other = ClientId::generate();
    for secs in [0, 1, 2] {
        let polled = store.poll_device(&device.digest, &other, after(secs)).await;
        assert_eq!(polled.unwrap(), Polled::Unknown);
    }
    let polled = store.poll_device(&device.digest, &device.client, after(2)).await;
    assert_eq!(polled.unwrap(), Polled::Waiting);
}

async fn a_decision_stands_and_ends_the_typed_code(store: Arc<dyn Store>) {
    for grant in [None, Some(GrantId::generate())] {
        let code = digest(&format!("{grant:?}"));
        let device = DeviceRequest {
            digest: digest(&format!("device {grant:?}")),
            ..device()
        };
        store.ask_by_device(&code, &device, NOW).await.unwrap();
        let decide = async |grant| store.decide_device(&device.digest, grant, NOW).await.unwrap();
        assert_eq!(decide(grant.as_ref()).await, Decided::Done);
        assert_eq!(decide(None).await, Decided::TooLate);
        assert_eq!(decide(Some(&GrantId::generate())).await, Decided::TooLate);
        assert_eq!(store.device_of_user_code(&code, NOW).await.unwrap(), None);
        let polled = store.poll_device(&device.digest, &device.client, NOW).await;
        let expected = match grant {
            None => Polled::Denied,
            Some(id) => Polled::Granted(Box::new(DeviceRequest {
                stage: DeviceStage::Granted(id),
                ..device
            })),
        };
        assert_eq!(polled.unwrap(), expected);
    }
}

async fn of_32_decisions_one_stands(store: Arc<dyn Store>) {
    let device = asked(store.as_ref()).await;
    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let (store, digest) = (Arc::clone(&store), device.digest);
            let grant = (n % 2 == 0).then(GrantId::generate);
            tokio::spawn(async move {
                let decided = store.decide_device(&digest, grant.as_ref(), NOW).await;
                (grant, decided.unwrap())
            })
        })
        .collect();
    let mut stands = Vec::new();
    for task in tasks {
        let (grant, decided) = task.await.unwrap();
        if decided == Decided::Done {
            stands.push(grant);
        }
    }
    assert_eq!(stands.len(), 1);
    let polled = store.poll_device(&device.digest, &device.client, NOW).await;
    match (polled.unwrap(), stands.remove(0)) {
        (Polled::Denied, None) => {}
        (Polled::Granted(device), Some(grant)) => assert_eq!(device.stage, DeviceStage::Granted(grant)),
        other => panic!("{other:?}"),
    }
}

async fn a_device_that_comes_too_late_is_told_so_and_forgotten_later(store: Arc<dyn Store>) {
    let device = asked(store.as_ref()).await;
    let poll = async |secs| {
        let polled = store
            .poll_device(&device.digest, &device.client, after(secs))
            .await;
        polled.unwrap()
    };
    assert_eq!(poll(599).await, Polled::Waiting);
    assert_eq!(poll(600).await, Polled::Ended);
    assert_eq!(poll(1199).await, Polled::Ended);
    assert_eq!(poll(1200).await, Polled::Unknown);
    let late = store.decide_device(&device.digest, None, after(600)).await;
    assert_eq!(late.unwrap(), Decided::TooLate);
}

async fn a_grant_is_handed_out_once_and_later_comers_are_replays(store: Arc<dyn Store>) {
    let (device, grant) = granted(store.as_ref()).await;
    let redeem = async |secs| {
        let redeemed = store.redeem_device(&device.digest, after(secs)).await;
        redeemed.unwrap()
    };
    assert_eq!(redeem(599).await, DeviceRedemption::Granted(grant.clone()));
    assert_eq!(redeem(599).await, DeviceRedemption::Replayed(grant.clone()));
    assert_eq!(redeem(700).await, DeviceRedemption::Replayed(grant));
    assert_eq!(redeem(1200).await, DeviceRedemption::Unknown);
}

async fn of_32_redeemers_one_gets_the_devices_grant(store: Arc<dyn Store>) {
    let (device, grant) = granted(store.as_ref()).await;
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (store, digest) = (Arc::clone(&store), device.digest);
            tokio::spawn(async move { store.redeem_device(&digest, NOW).await.unwrap() })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        match task.await.unwrap() {
            DeviceRedemption::Granted(id) if id == grant => winners += 1,
            DeviceRedemption::Replayed(id) if id == grant => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(winners, 1);
}

async fn what_was_not_granted_cannot_be_redeemed(store: Arc<dyn Store>) {
    let device = asked(store.as_ref()).await;
    let redeem = async |now| store.redeem_device(&device.digest, now).await.unwrap();
    assert_eq!(redeem(NOW).await, DeviceRedemption::Unknown);
    let decided = store.decide_device(&device.digest, None, NOW).await;
    assert_eq!(decided.unwrap(), Decided::Done);
    assert_eq!(redeem(NOW).await, DeviceRedemption::Unknown);
}
