//! The executable `mcp-oauth`, against a server of its own for each test.

use std::os::unix::fs::PermissionsExt;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    command::Home,
    guarded::{Guarded, Kind, State},
};

const PAGE: &str = include_str!("../../../../docs/client.md");

#[tokio::test]
async fn a_person_logs_in_lists_and_calls_tools_and_logs_out() {
    let (server, home) = (Guarded::start(State::default()), Home::with_browser());
    let url = server.mcp();
    let login = home.run(&["login", &url]).await.well();
    assert_eq!(login.out, "");
    assert!(
        login.err.ends_with(&format!("Logged in to {url} (read).\n")),
        "{login:?}"
    );

    let token = home.run(&["token", &url]).await.well();
    assert!(token.out.starts_with("access-"), "{token:?}");
    let listed = home.run(&["list"]).await.well().out;
    assert!(
        listed.contains(&url) && listed.contains("59 minutes, then refreshed"),
        "{listed}"
    );

    let tools = home.run(&["tools", &url]).await.well();
    let expected = "echo\n    Says the message back\n    --arg message=TEXT [--arg times=NUMBER]\n\nerase\n    Erases everything";
    assert_eq!(tools.out, expected);
    assert!(tools.err.contains("\"unusable\" is left out"), "{tools:?}");
    let called = home
        .run(&["call", &url, "echo", "--arg", "message=a=b ", "--arg", "times=2"])
        .await;
    assert_eq!(called.well().out, "a=b a=b");

    let logout = home.run(&["logout", &url]).await.well();
    assert!(
        logout.err.contains("its tokens and the registration have ended"),
        "{logout:?}"
    );
    assert_eq!(server.state.lock().unwrap().registered, [""; 0]);
    assert_eq!(server.state.lock().unwrap().revoked.len(), 2);
    assert_eq!(home.run(&["token", &url]).await.code, 3);
    assert!(
        !std::fs::read_to_string(home.credentials())
            .unwrap()
            .contains("refresh-")
    );
}

#[tokio::test]
async fn a_server_of_an_older_revision_is_initialized_and_its_stream_is_read() {
    let state = State {
        kind: Kind::Legacy,
        ..State::default()
    };
    let (server, home) = (Guarded::start(state), Home::with_browser());
    let url = server.mcp();
    home.run(&["login", &url]).await.well();
    let called = home
        .run(&["call", &url, "echo", "--args", "{\"message\": \"hello\"}"])
        .await
        .well();
    assert_eq!(called.out, "hello");
    assert!(
        called.err.contains("working[2J"),
        "nothing moves the cursor: {called:?}"
    );
    let calls: Vec<_> = server
        .site
        .asked()
        .into_iter()
        .filter(|asked| asked.path == "/mcp")
        .collect();
    assert!(
        calls.iter().any(|asked| asked.body.contains("\"id\":\"s1\"")),
        "the ping is answered"
    );
    assert_eq!(calls.last().unwrap().method, "DELETE");
}

#[tokio::test]
async fn a_server_without_authorization_needs_no_login() {
    let state = State {
        kind: Kind::Open,
        ..State::default()
    };
    let (server, home) = (Guarded::start(state), Home::without_browser());
    let called = home
        .run(&["call", &server.mcp(), "echo", "--arg", "message=x"])
        .await;
    assert_eq!(called.well().out, "x");
}

#[tokio::test]
async fn eight_processes_after_the_end_of_a_token_refresh_it_once() {
    let state = State {
        first_lifetime: Some(0),
        ..State::default()
    };
    let (server, home) = (Guarded::start(state), Home::with_browser());
    let url = server.mcp();
    home.run(&["login", &url]).await.well();
    let arguments = ["token", url.as_str()];
    let ran = join_all((0..8).map(|_| home.run(&arguments))).await;
    let tokens: Vec<_> = ran.into_iter().map(|ran| ran.well().out).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    let state = server.state.lock().unwrap();
    assert_eq!((state.refreshes, state.replays), (1, 0));
}

#[tokio::test]
async fn a_token_that_cannot_be_refreshed_any_more_needs_a_login() {
    let state = State {
        first_lifetime: Some(0),
        ..State::default()
    };
    let (server, home) = (Guarded::start(state), Home::with_browser());
    let url = server.mcp();
    home.run(&["login", &url]).await.well();
    server.state.lock().unwrap().end();
    let token = home.run(&["token", &url, "--json"]).await;
    assert_eq!((token.code, &token.json()["error"]), (3, &json!("login_needed")));
    let call = home.run(&["call", &url, "echo", "--arg", "message=x"]).await;
    assert_eq!((call.code, call.out.as_str()), (3, ""), "{call:?}");
    assert!(call.err.contains(&format!("mcp-oauth login {url}")), "{call:?}");
}

#[tokio::test]
async fn what_a_token_does_not_allow_is_told_with_the_command_that_mends_it() {
    let (server, home) = (Guarded::start(State::default()), Home::with_browser());
    let url = server.mcp();
    home.run(&["login", &url]).await.well();
    let refused = home.run(&["call", &url, "erase"]).await;
    assert_eq!(refused.code, 1);
    let remedy = format!("mcp-oauth login {url} --scope \"read write\"");
    assert!(refused.err.contains(&remedy), "{refused:?}");
    home.run(&["login", &url, "--scope", "read write"]).await.well();
    let failed = home.run(&["call", &url, "erase"]).await;
    assert_eq!(
        (failed.code, failed.out.as_str()),
        (4, "nothing is erased today"),
        "{failed:?}"
    );
    let failed = home.run(&["call", &url, "erase", "--json"]).await;
    assert_eq!((failed.code, &failed.json()["isError"]), (4, &json!(true)));
}

#[tokio::test]
async fn what_cannot_be_meant_is_told_before_anybody_is_asked() {
    let (server, home) = (Guarded::start(State::default()), Home::with_browser());
    let url = server.mcp();
    home.run(&["login", &url]).await.well();
    for (arguments, problem) in [
        (&["call", &url, "ech"][..], "it has: echo, erase"),
        (&["call", &url, "echo"], "--arg message=VALUE"),
        (
            &["call", &url, "echo", "--arg", "message=a", "--arg", "times=two"],
            "must be a whole number",
        ),
        (&["call", &url, "echo", "--args", "[]"], "must be a JSON object"),
        (&["call", &url, "echo", "--arg", "message"], "NAME=VALUE"),
        (&["login", "mcp.example.com/mcp"], "a whole address"),
        (&["login", &url, "--client-secret-file", "x"], "--client-id"),
        (
            &["login", &url, "--ca", "nowhere.pem"],
            "nowhere.pem cannot be read",
        ),
        (&["logout"], "URL"),
        (&[], "Usage"),
    ] {
        let refused = home.run(arguments).await;
        assert!(
            refused.code == 2 && refused.err.contains(problem),
            "{arguments:?}: {refused:?}"
        );
    }
    let calls = server
        .site
        .asked()
        .into_iter()
        .filter(|asked| asked.body.contains("tools/call"));
    assert_eq!(calls.count(), 0);
}

#[tokio::test]
async fn without_a_login_the_exit_code_is_3_and_the_command_that_mends_it_is_named() {
    let (server, home) = (Guarded::start(State::default()), Home::with_browser());
    let url = server.mcp();
    for arguments in [&["token", &url][..], &["tools", &url], &["call", &url, "echo"]] {
        let refused = home.run(arguments).await;
        assert_eq!(
            (refused.code, refused.out.as_str()),
            (3, ""),
            "{arguments:?}: {refused:?}"
        );
        assert!(
            refused.err.contains(&format!("mcp-oauth login {url}")),
            "{refused:?}"
        );
    }
    let told = home.run(&["token", &url, "--json"]).await;
    assert_eq!((told.code, &told.json()["error"]), (3, &json!("login_needed")));
    let logout = home.run(&["logout", &url]).await.well();
    assert!(logout.err.contains("You were not logged in"), "{logout:?}");
    assert!(
        home.run(&["list"])
            .await
            .well()
            .err
            .contains("mcp-oauth login URL")
    );
}

#[tokio::test]
async fn credentials_are_for_their_owner_only() {
    let (server, home) = (Guarded::start(State::default()), Home::with_browser());
    let url = server.mcp();
    home.run(&["login", &url]).await.well();
    let path = home.credentials();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = home.run(&["token", &url]).await;
    assert!(
        refused.code == 1 && refused.err.contains("chmod 600"),
        "{refused:?}"
    );

    let elsewhere = home.directory.path().join("elsewhere.json");
    let elsewhere = elsewhere.to_str().unwrap();
    home.run(&["login", &url, "--credentials", elsewhere])
        .await
        .well();
    home.run(&["--credentials", elsewhere, "token", &url])
        .await
        .well();
}

#[tokio::test]
async fn help_and_the_page_have_an_example_of_every_command_and_completions_are_written() {
    let home = Home::without_browser();
    let help = home.run(&["--help"]).await.well().out;
    assert!(help.contains("Exit codes:") && !help.contains('\u{1b}'), "{help}");
    let listed = help
        .split("Commands:\n")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    let commands: Vec<_> = listed
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .collect();
    for command in commands
        .into_iter()
        .filter(|command| !["", "help"].contains(command))
    {
        let own = home.run(&[command, "--help"]).await.well().out;
        let examples = own.split("Example").nth(1).unwrap_or_default();
        assert!(examples.contains(&format!("mcp-oauth {command}")), "{own}");
        assert!(
            PAGE.contains(&format!("`mcp-oauth {command}")),
            "docs/client.md has no {command}"
        );
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = home.run(&["completions", shell]).await.well().out;
        assert!(
            script.contains("mcp-oauth") && script.contains("logout"),
            "{shell}"
        );
    }
}

#[cfg(all(feature = "keyring", target_os = "linux"))]
#[tokio::test]
async fn where_the_system_has_no_keyring_the_option_says_so() {
    let refused = Home::without_browser().run(&["list", "--keyring"]).await;
    assert!(
        refused.code == 1 && refused.err.contains("the keyring of this system cannot be used"),
        "{refused:?}"
    );
}
