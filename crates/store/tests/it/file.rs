//! What is special to the file of the embedded engine.

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

use mcp_gateway_store::{EmbeddedStore, GrantReader, Store, StoreError};

use crate::{
    samples::{NOW, after, begun, client, digest, grant, login, user_of},
    walk::{still_there, walk},
};

#[tokio::test]
async fn everything_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = EmbeddedStore::open(&path).unwrap();
    let walked = walk(&store).await;
    drop(store);
    still_there(&EmbeddedStore::open(&path).unwrap(), &walked).await;
}

#[test]
fn the_file_is_its_owners_alone_and_so_is_a_directory_made_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data").join("store");
    drop(EmbeddedStore::open(&path).unwrap());
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(EmbeddedStore::open(&path).unwrap());
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_file_in_use_is_refused_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let _first = EmbeddedStore::open(&path).unwrap();
    let fault = EmbeddedStore::open(&path).unwrap_err();
    assert!(matches!(fault, StoreError::Misconfigured(_)));
    assert!(fault.to_string().contains("in use by another process"), "{fault}");
    assert!(fault.to_string().contains(path.to_str().unwrap()), "{fault}");
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let text = "a letter to a friend\n".repeat(1000);
    fs::write(&path, &text).unwrap();
    assert!(matches!(
        EmbeddedStore::open(&path),
        Err(StoreError::Corrupt { .. })
    ));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert!(matches!(
        EmbeddedStore::open(directory.path()),
        Err(StoreError::Misconfigured(_))
    ));
}

#[tokio::test]
async fn sweeping_removes_what_ended_and_nothing_else() {
    let store = EmbeddedStore::in_memory().unwrap();
    store.put_login(&digest("one"), &login(), NOW).await.unwrap();
    let kept = client();
    store.add_client(&kept, NOW).await.unwrap();
    let (grant, _) = begun(&store, grant()).await;
    assert_eq!(
        store.sweep(after(300)).await.unwrap(),
        2,
        "the grant and its code"
    );
    assert_eq!(store.sweep(after(361)).await.unwrap(), 1, "the login");
    assert_eq!(store.sweep(after(361)).await.unwrap(), 0);
    assert_eq!(store.client(&kept.id, after(361)).await.unwrap(), Some(kept));
    assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), None, "swept");
    assert_eq!(
        store.sweep(after(4000)).await.unwrap(),
        3,
        "the entries of the indexes by client, by user and by login"
    );
}

#[tokio::test]
async fn writing_sweeps_on_the_way() {
    let store = EmbeddedStore::in_memory().unwrap();
    for n in 0..100 {
        store
            .put_login(&digest(&n.to_string()), &login(), NOW)
            .await
            .unwrap();
    }
    let mut later = login();
    later.expires_at = after(100_000);
    for n in 0..20 {
        store
            .put_login(&digest(&format!("later {n}")), &later, after(50_000))
            .await
            .unwrap();
    }
    assert_eq!(store.sweep(after(50_000)).await.unwrap(), 0);
    assert_eq!(store.login(&digest("0"), NOW).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lengthened_record_is_not_swept_at_its_old_end() {
    let store = Arc::new(EmbeddedStore::in_memory().unwrap());
    let (grant, _) = begun(&*store, grant()).await;
    store.prolong(&grant.id, after(86400), NOW).await.unwrap();
    store.sweep(after(80_000)).await.unwrap();
    assert!(store.grant(&grant.id, after(80_000)).await.unwrap().is_some());
    assert_eq!(
        store
            .grants_of_user(user_of(&grant), after(80_000))
            .await
            .unwrap()
            .len(),
        1
    );
}
