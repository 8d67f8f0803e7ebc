//! Clients that the operator enters, and the gates of registration, as they are configured.

use crate::support::run::{Asked, SECRET};

const CLIENT: &str = "[[client]]\nid = \"ci\"\nname = \"CI\"\n";

#[tokio::test]
async fn clients_of_every_kind_have_no_faults() {
    let jwks =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let asked = Asked::small().file("secret", SECRET).file("jwks", jwks).toml(
        "[[client]]
id = \"ci\"
name = \"CI\"
secret_file = \"secret\"
grant_types = [\"client_credentials\"]
scopes = [\"read\"]
resources = [\"https://echo.gateway.test\"]
[[client]]
id = \"agent\"
jwks_file = \"jwks\"
[[client]]
id = \"desktop\"
redirect_uris = [\"http://127.0.0.1/callback\", \"cursor://anysphere.cursor-mcp/oauth/callback\"]
token_endpoint_auth_method = \"none\"
[[client]]
id = \"web\"
redirect_uris = [\"https://web.example.com/cb\"]
jwks_uri = \"https://web.example.com/jwks.json\"
",
    );
    for role in ["serve", "verifier"] {
        let role_faults: Vec<_> = asked
            .faults_of(role)
            .await
            .into_iter()
            .filter(|(setting, _)| setting.starts_with("client"))
            .collect();
        assert_eq!(role_faults, Vec::new(), "{role}");
    }
    assert_eq!(asked.effective("client").await.0, "ci");
}

#[tokio::test]
async fn what_is_wrong_with_a_client_is_named() {
    for (lines, setting, problem) in [
        ("", "client 1: redirect_uris", "to act for itself"),
        ("secret = \"x\"", "client 1: secret", "not a key"),
        (
            "secret_file = \"nowhere\"",
            "client 1: secret_file",
            "cannot be read",
        ),
        ("secret_file = \"weak\"", "client 1: secret_file", "32 characters"),
        (
            "secret_file = \"secret\"\nscopes = \"read\"",
            "client 1: scopes",
            "list",
        ),
        (
            "secret_file = \"secret\"\nscopes = [\"nonsense\"]",
            "client 1: scopes",
            "nonsense",
        ),
        (
            "secret_file = \"secret\"\nresources = [\"https://elsewhere.example.net\"]",
            "client 1: resources",
            "not protected here",
        ),
        ("jwks_file = \"secret\"", "client 1: jwks_file", "not JSON"),
        (
            "secret_file = \"secret\"\ntoken_endpoint_auth_method = \"none\"",
            "client 1: token_endpoint_auth_method",
            "no secret",
        ),
        (
            "redirect_uris = [\"javascript:alert(1)\"]",
            "client 1: redirect_uris",
            "has no acceptable",
        ),
        (
            "secret_file = \"secret\"\n[[client]]\nid = \"ci\"\nsecret_file = \"secret\"",
            "client 2: id",
            "twice",
        ),
    ] {
        let asked = Asked::small()
            .file("secret", SECRET)
            .file("weak", "weak")
            .toml(&format!("{CLIENT}{lines}\n"));
        let faults = asked.faults_of("serve").await;
        let found = faults
            .iter()
            .any(|(named, text)| named == setting && text.contains(problem));
        assert!(found, "{lines}: {faults:?}");
    }
    let number = Asked::small()
        .file("secret", SECRET)
        .toml("[[client]]\nid = \"583231\"\nsecret_file = \"secret\"\n");
    number.has_one_fault("client 1: id", "no number").await;
}

#[tokio::test]
async fn the_gates_of_registration_are_checked() {
    for (name, value, problem) in [
        ("REGISTRATION", "closed", "must be open, token or off"),
        ("REGISTRATION_TOKEN", "short", "32 characters"),
        (
            "REGISTRATION_TOKEN",
            "a token with spaces that is long enough for anybody",
            "letters",
        ),
        (
            "REGISTRATION_REDIRECT_HOSTS",
            "https://claude.ai",
            "neither a host",
        ),
        ("REGISTRATION_CLIENT_CREDENTIALS", "yes", "must be open or token"),
    ] {
        Asked::small()
            .with(name, value)
            .has_one_fault(name, problem)
            .await;
    }
    Asked::small()
        .with("REGISTRATION", "token")
        .has_one_fault("REGISTRATION_TOKEN", "is not set")
        .await;
    let off = Asked::small()
        .with("REGISTRATION", "off")
        .with("REGISTRATION_TOKEN", SECRET);
    assert!(
        off.warnings_of("serve")
            .await
            .contains("REGISTRATION_TOKEN has no effect")
    );
    let token = Asked::small()
        .with("REGISTRATION", "token")
        .with("REGISTRATION_TOKEN", SECRET);
    token.is_fine("serve").await;
    assert_eq!(token.effective("REGISTRATION_TOKEN").await.0, "(set)");
}

#[tokio::test]
async fn the_gates_of_registration_can_stand_in_a_table() {
    let file = |lines: &str| Asked::small().toml(&format!("[registration]\n{lines}"));
    let open = file(
        "gate = \"open\"\nclient_credentials = \"open\"\nredirect_hosts = [\"claude.ai\", \"loopback\"]\n",
    );
    for (name, value) in [
        ("REGISTRATION", "open"),
        ("REGISTRATION_CLIENT_CREDENTIALS", "open"),
        ("REGISTRATION_REDIRECT_HOSTS", "claude.ai,loopback"),
    ] {
        assert_eq!(open.effective(name).await.0, value, "{name}");
    }
    file("clients = 1\n")
        .has_one_fault("registration: clients", "client_credentials")
        .await;
    Asked::small()
        .toml("registration_client_credentials = \"token\"\n[registration]\nclient_credentials = \"open\"\n")
        .has_one_fault("registration: client_credentials", "both set")
        .await;
}
