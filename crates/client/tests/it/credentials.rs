//! What is kept: in one file, by many at once.

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

use mcp_gateway_client::credentials::{FileKeep, Keep, KeepFault, MemoryKeep};
use mcp_gateway_model::secret::Secret;

fn secret(text: &str) -> Secret {
    Secret::presented(text.to_owned())
}

async fn loaded(keep: &dyn Keep, name: &str) -> Option<String> {
    let found = keep.load(name).await.unwrap();
    found.map(|secret| secret.reveal().to_owned())
}

#[tokio::test]
async fn what_is_kept_is_found_replaced_and_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let file = FileKeep::new(directory.path().join("deep/er/credentials.json"));
    let keeps: [&dyn Keep; 2] = [&file, &MemoryKeep::default()];
    for keep in keeps {
        assert_eq!(loaded(keep, "a").await, None);
        keep.remove("a").await.unwrap();
        keep.save("a", &secret("1")).await.unwrap();
        keep.save("b", &secret("\"\n2")).await.unwrap();
        keep.save("a", &secret("3")).await.unwrap();
        assert_eq!(loaded(keep, "a").await.as_deref(), Some("3"));
        assert_eq!(loaded(keep, "b").await.as_deref(), Some("\"\n2"));
        keep.remove("a").await.unwrap();
        assert_eq!(loaded(keep, "a").await, None);
        assert_eq!(keep.names().await.unwrap(), ["b"]);
    }
}

#[tokio::test]
async fn only_its_owner_can_read_the_file_and_what_others_can_read_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("below/credentials.json");
    let keep = FileKeep::new(&path);
    keep.save("a", &secret("1")).await.unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let fault = keep.load("a").await.unwrap_err();
    assert_eq!(fault, KeepFault::Open(path.display().to_string()));
}

#[tokio::test]
async fn what_many_write_at_once_is_all_there_and_nothing_is_left_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("credentials.json");
    let writers = (0..32).map(|n| {
        let keep = FileKeep::new(&path);
        tokio::spawn(async move { keep.save(&format!("n{n}"), &secret("x")).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(FileKeep::new(&path).names().await.unwrap().len(), 32);
    let mut left: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["credentials.json", "credentials.json.lock"]);
}

#[tokio::test]
async fn a_name_is_held_by_one_at_a_time_and_others_are_free() {
    let directory = tempfile::tempdir().unwrap();
    let file: Arc<dyn Keep> = Arc::new(FileKeep::new(directory.path().join("credentials.json")));
    let memory: Arc<dyn Keep> = Arc::new(MemoryKeep::default());
    for keep in [file, memory] {
        let held = keep.hold("a").await.unwrap();
        let _other = keep.hold("b").await.unwrap();
        let waiting = Arc::clone(&keep);
        let next = tokio::spawn(async move { waiting.hold("a").await.map(drop) });
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        drop(held);
        next.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_file_that_something_else_wrote_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("credentials.json");
    for text in ["", "{}", "[]", "{\"version\":2,\"entries\":{}}", "not json"] {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let keep = FileKeep::new(&path);
        let foreign = KeepFault::Foreign(path.display().to_string());
        assert_eq!(keep.save("a", &secret("1")).await.unwrap_err(), foreign, "{text}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}
