//! A server without a fault, what it is asked, and what the report says.

use actix_web::HttpResponse;
use mcp_gateway_client::doctor::{self, Look};
use serde_json::Value;

use super::stand::{self, PRM, challenge, ids, is_first, only, passing, place};

#[tokio::test]
async fn a_server_without_a_fault_gets_none_and_no_hint_either() {
    let site = stand::start(|_, _| None);
    let report = stand::examine(&site.at("/mcp")).await;
    assert_eq!(ids(&report), Vec::<&str>::new());
    assert_eq!(
        (report.ok, report.exit_code(), passing(&report).len()),
        (true, 0, 8)
    );
    assert_eq!(report.steps.len(), site.lines().len());
}

#[tokio::test]
async fn nobody_is_registered_or_logged_in_unless_it_is_asked_for() {
    let site = stand::start(|_, _| None);
    stand::examine(&site.at("/mcp")).await;
    let asked = site.asked();
    assert!(!asked.iter().any(|asked| place(asked) == ("POST", "/register")));
    let forms: Vec<_> = asked.iter().filter(|asked| place(asked).1 == "/token").collect();
    assert!(
        forms
            .iter()
            .all(|asked| asked.body.contains("mcp-oauth-doctor-has-no-token"))
    );
    assert!(asked.len() < 30, "{:?}", site.lines());
}

#[tokio::test]
async fn a_bare_origin_may_be_written_with_or_without_its_slash() {
    for slash in ["", "/"] {
        let site = stand::start(move |base, asked| match place(asked).1 {
            "/" if asked.method == "OPTIONS" => None,
            "/" => {
                let error = asked
                    .header("authorization")
                    .map_or("", |_| ", error=\"invalid_token\"");
                Some(challenge(&format!(
                    "Bearer resource_metadata=\"{base}{PRM}\"{error}"
                )))
            }
            PRM => Some(stand::resource(base, |it| {
                it["resource"] = format!("{base}{slash}").into();
            })),
            _ => None,
        });
        assert_eq!(ids(&stand::examine(&site.at("")).await), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn the_report_is_one_json_object_that_scripts_can_read() {
    let report = only("no-resource-metadata", |_, asked| {
        is_first(asked).then(|| challenge("Bearer"))
    })
    .await;
    let text = serde_json::to_string(&report).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["ok"], report.exit_code()), (&Value::Bool(false), 1));
    let finding = &json["findings"][0];
    assert_eq!(finding["id"], "no-resource-metadata");
    assert_eq!(
        (&finding["severity"], &finding["stage"]),
        (&"fault".into(), &"challenge".into())
    );
    for member in ["what", "remedy", "documentation"] {
        assert!(finding[member].is_string(), "{member}: {finding}");
    }
    let claude = &json["clients"][0];
    assert_eq!(
        (&claude["client"], &claude["passes"]),
        (&"claude".into(), &true.into())
    );
    assert_eq!(claude["identity"], "metadata-document");
    assert_eq!(json["steps"][0]["status"], 401);
}

#[tokio::test]
async fn the_text_fits_and_has_colours_only_where_they_are_wanted() {
    let report = only("not-bearer", |_, asked| {
        is_first(asked).then(|| challenge("Basic"))
    })
    .await;
    let plain = doctor::render(&report, Look::default());
    assert!(!plain.contains('\u{1b}'), "{plain}");
    for line in plain.lines().filter(|line| !line.contains("http")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for part in [
        "fault  not-bearer",
        "  mend Send a challenge",
        "Claude               yes            metadata document",
        "1 fault, no hints",
    ] {
        assert!(plain.contains(part), "{part}\n{plain}");
    }
    let look = Look {
        color: true,
        steps: true,
        ..Look::default()
    };
    let colored = doctor::render(&report, look);
    assert!(colored.contains("\u{1b}[31mfault\u{1b}[0m"), "{colored}");
    assert!(colored.contains("OPTIONS"), "{colored}");
}

#[tokio::test]
async fn what_a_server_says_cannot_write_to_the_terminal() {
    let report = only("bad-issuer", |base, asked| {
        let issuer = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\nNo faults";
        place(asked).1.starts_with(PRM).then(|| {
            stand::resource(base, |it| {
                it["authorization_servers"] = serde_json::json!([issuer]);
            })
        })
    })
    .await;
    let plain = doctor::render(&report, Look::default());
    assert!(plain.contains("owned"), "{plain}");
    assert!(plain.chars().all(|c| c == '\n' || !c.is_control()), "{plain:?}");
}

#[tokio::test]
async fn only_the_first_of_several_authorization_servers_is_examined_and_that_is_said() {
    let site = stand::start(|base, asked| {
        let servers = || serde_json::json!([base, "https://other.example.com"]);
        let change = |it: &mut Value| it["authorization_servers"] = servers();
        place(asked)
            .1
            .starts_with(PRM)
            .then(|| stand::resource(base, change))
    });
    let report = stand::examine(&site.at("/mcp")).await;
    assert_eq!((ids(&report), report.notes.len()), (vec![], 1));
}

#[tokio::test]
async fn documents_may_be_elsewhere_but_not_for_ever() {
    let moved = |to: String| HttpResponse::Found().append_header(("Location", to)).finish();
    let site = stand::start(move |base, asked| match place(asked).1 {
        "/.well-known/oauth-protected-resource/mcp" => Some(moved("/moved".to_owned())),
        "/moved" => Some(stand::resource(base, |_| ())),
        _ => None,
    });
    let report = stand::examine(&site.at("/mcp")).await;
    assert!(
        !ids(&report).contains(&"resource-metadata-not-found"),
        "{report:?}"
    );
    let report = only("resource-metadata-not-found", move |_, asked| {
        place(asked).1.starts_with(PRM).then(|| moved(asked.path.clone()))
    })
    .await;
    assert!(report.findings[0].seen[0].contains("status 302"), "{report:?}");
}
