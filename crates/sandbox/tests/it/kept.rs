//! Data that is kept in a directory.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use mcp_gateway_sandbox::mcp::{Items, OpenError, Options};
use reqwest::Method;
use serde_json::{Value, json};

use crate::sample::{HUBOT, OCTOCAT, Person, Sample, problem};

fn in_directory(directory: &Path) -> Sample {
    Sample::with(Options {
        items: Items::open(directory).unwrap(),
        ..Options::default()
    })
}

/// The one file of somebody's items.
fn file(directory: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let file = files.next().unwrap();
    assert!(files.next().is_none());
    file
}

#[tokio::test]
async fn a_data_directory_keeps_everybody_s_items_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("new/data");
    let odd = Person("../../etc/x", "write");
    let before = in_directory(&place);
    let mine = before
        .keep(
            OCTOCAT,
            &json!({ "name": "mine", "value": { "a": [1, 2.5, null] } }),
        )
        .await;
    let gone = before.keep(OCTOCAT, &json!({ "name": "gone", "value": 1 })).await;
    let theirs = before
        .keep(HUBOT, &json!({ "name": "theirs", "value": "\u{1f980}" }))
        .await;
    let odds = before.keep(odd, &json!({ "name": "odd", "value": true })).await;
    let delete = format!("/api/data/{}", gone["id"].as_str().unwrap());
    before
        .ask_as(OCTOCAT, Method::DELETE, &delete)
        .send()
        .await
        .unwrap();
    before.running.stop().await;

    let after = in_directory(&place);
    assert_eq!(after.kept(OCTOCAT).await, [mine]);
    assert_eq!(after.kept(HUBOT).await, [theirs]);
    assert_eq!(after.kept(odd).await, [odds]);
    let names = fs::read_dir(&place)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert!(
        names
            .into_iter()
            .all(|name| !name.to_string_lossy().contains("583231"))
    );
}

#[tokio::test]
async fn only_the_owner_of_the_process_reads_what_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("new");
    let sample = in_directory(&place);
    sample.keep(OCTOCAT, &json!({ "name": "a", "value": 1 })).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place), 0o700);
    assert_eq!(mode(&file(&place)), 0o600);
}

#[tokio::test]
async fn what_else_is_in_the_directory_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let names = ["package.json", "config.new", "short.json"];
    for name in names {
        fs::write(directory.path().join(name), "theirs").unwrap();
    }
    let sample = in_directory(directory.path());
    sample.keep(OCTOCAT, &json!({ "name": "a", "value": 1 })).await;
    for name in names {
        assert_eq!(
            fs::read(directory.path().join(name)).unwrap(),
            b"theirs",
            "{name}"
        );
    }
    let mode = fs::metadata(directory.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

#[tokio::test]
async fn what_a_crash_left_half_written_never_counted() {
    let directory = tempfile::tempdir().unwrap();
    let before = in_directory(directory.path());
    let kept = before.keep(OCTOCAT, &json!({ "name": "a", "value": 1 })).await;
    before.running.stop().await;
    let half = file(directory.path()).with_extension("new");
    fs::write(&half, "{\"schema\": 1, \"user\": \"583231\", \"ite").unwrap();
    let after = in_directory(directory.path());
    assert_eq!(after.kept(OCTOCAT).await, [kept]);
    assert!(!half.exists());
}

#[tokio::test]
async fn two_processes_cannot_have_the_same_directory() {
    let directory = tempfile::tempdir().unwrap();
    let first = Items::open(directory.path()).unwrap();
    let second = Items::open(directory.path());
    assert!(matches!(&second, Err(OpenError::InUse(place)) if place == directory.path()));
    assert!(
        second
            .unwrap_err()
            .to_string()
            .contains("in use by another process")
    );
    drop(first);
    assert!(Items::open(directory.path()).is_ok());
}

#[tokio::test]
async fn a_file_that_this_program_cannot_read_is_named_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let before = in_directory(directory.path());
    before.keep(OCTOCAT, &json!({ "name": "a", "value": 1 })).await;
    before.running.stop().await;
    let file = file(directory.path());
    let whole: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let changed = |member: &str, value: Value| {
        let mut page = whole.clone();
        page[member] = value;
        page.to_string()
    };
    for (text, reason) in [
        ("{ half".to_owned(), "line 1"),
        (changed("schema", json!(2)), "version 2"),
        (changed("user", json!("480938")), "another user's"),
        (changed("items", json!([{ "id": 1 }])), "invalid type"),
    ] {
        fs::write(&file, &text).unwrap();
        let said = Items::open(directory.path()).unwrap_err().to_string();
        assert!(
            said.contains(reason) && said.contains(file.to_str().unwrap()),
            "{said}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_not_in_memory_either() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("data");
    let sample = in_directory(&place);
    let kept = sample.keep(OCTOCAT, &json!({ "name": "a", "value": 1 })).await;
    fs::remove_dir_all(&place).unwrap();
    let create = sample.ask_as(OCTOCAT, Method::POST, "/api/data");
    let answer = create
        .json(&json!({ "name": "b", "value": 2 }))
        .send()
        .await
        .unwrap();
    let problem = problem(answer, 500).await;
    assert!(
        !problem["detail"].as_str().unwrap().contains("data/"),
        "no internals: {problem}"
    );
    assert_eq!(sample.kept(OCTOCAT).await, [kept]);
}
