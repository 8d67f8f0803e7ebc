//! Personal access tokens: whom an operator can make one for, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use mcp_gateway_auth_server::{
    GithubSettings, Settings,
    personal_tokens::{self, LONGEST, Made, NotMade, Wanted},
};
use mcp_gateway_model::{
    access::{Allow, AllowedUsers, Person},
    clock::Timestamp,
    grant::GrantKind,
    id::{ClientId, Login, UserId},
    resource::{Resource, ResourceUri, Resources, Wildcard},
    scope::ScopeSet,
    secret::Secret,
    token::PersonalAccessToken,
};
use mcp_gateway_sandbox::{
    Running,
    github::{Endpoint, Fault, Handle, Options, StandInGithub},
};
use mcp_gateway_store::{EmbeddedStore, GrantReader, Pin, Store};

use crate::support::{
    log::Log,
    set::{ECHO, FILES, settings},
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3600);

/// A store, settings, and a GitHub to ask.
struct Counter {
    store: EmbeddedStore,
    settings: Settings,
    github: Handle,
    _running: Running,
}

impl Counter {
    fn new() -> Self {
        let github = StandInGithub::new(Options::default());
        let (handle, running) = (github.handle(), github.start().unwrap());
        let url: url::Url = running.url().parse().unwrap();
        let options = Options::default();
        let mut settings = settings();
        settings.github = GithubSettings {
            client_id: options.client_id,
            client_secret: Secret::presented(options.client_secret),
            web_url: url.clone(),
            api_url: url,
        };
        Self {
            store: EmbeddedStore::in_memory().unwrap(),
            settings,
            github: handle,
            _running: running,
        }
    }

    async fn make(&self, change: impl FnOnce(&mut Wanted)) -> Result<Made, NotMade> {
        let mut wanted = Wanted {
            login: "OctoCat".into(),
            user_id: None,
            name: "nightly build".into(),
            resources: vec![ECHO.into()],
            scopes: ScopeSet::parse("read").unwrap(),
            lifetime: HOUR,
        };
        change(&mut wanted);
        personal_tokens::create(&self.store, &self.settings, &wanted, NOW).await
    }

    async fn refusal(&self, change: impl FnOnce(&mut Wanted)) -> String {
        let refused = self.make(change).await.unwrap_err().to_string();
        let left = personal_tokens::list(&self.store, None, NOW).await.unwrap();
        assert!(left.is_empty(), "nothing is made: {refused}");
        refused
    }
}

fn octocat() -> Login {
    Login::parse("octocat").unwrap()
}

#[actix_web::test]
async fn a_token_is_a_grant_of_its_user_with_nothing_but_the_digest_of_its_secret() {
    let counter = Counter::new();
    let made = counter
        .make(|wanted| {
            wanted.resources = vec![ECHO.into(), FILES.into(), format!("{ECHO}/")];
            wanted.scopes = ScopeSet::parse("write read").unwrap();
        })
        .await
        .unwrap();
    let stored = counter.store.grant(&made.grant.id, NOW).await.unwrap().unwrap();
    assert_eq!(stored, made.grant);
    let token = PersonalAccessToken::read(made.token.reveal()).unwrap();
    assert!(token.opens(&stored));
    let user = stored.user.as_ref().unwrap();
    assert_eq!((user.id, &user.login), (UserId(583_231), &octocat()));
    assert_eq!(stored.client, ClientId::personal_access_token());
    assert_eq!(stored.scopes.to_string(), "read write");
    let audiences: Vec<_> = stored.audiences.iter().map(ResourceUri::as_str).collect();
    assert_eq!(audiences, [ECHO, FILES]);
    assert_eq!(stored.expires_at, NOW.plus(HOUR));
    let written = serde_json::to_string(&stored).unwrap();
    assert!(!written.contains(&made.token.reveal()[31..]), "{written}");
    assert_eq!(
        counter.store.grant(&stored.id, NOW.plus(HOUR)).await.unwrap(),
        None
    );
}

#[actix_web::test]
async fn the_account_is_the_pinned_one_the_one_that_is_said_or_the_one_github_knows() {
    let counter = Counter::new();
    let said = counter.make(|w| w.user_id = Some(UserId(583_231))).await.unwrap();
    assert_eq!(said.grant.subject(), "583231");
    assert_eq!(counter.github.calls(Endpoint::Account), 0);
    let pinned = counter.make(|_| {}).await.unwrap();
    assert_eq!(pinned.grant.subject(), "583231");
    assert_eq!(counter.github.calls(Endpoint::Account), 0, "the login was pinned");
    counter.store.unpin(&octocat()).await.unwrap();
    let told = counter.make(|_| {}).await.unwrap();
    assert_eq!(told.grant.subject(), "583231");
    assert_eq!(counter.github.calls(Endpoint::Account), 1);
    assert_eq!(
        counter.store.pin(&octocat(), UserId(1)).await.unwrap(),
        Pin::Taken(UserId(583_231))
    );
}

#[actix_web::test]
async fn a_login_that_nobody_has_or_nobody_can_be_asked_about_is_refused() {
    let mut counter = Counter::new();
    counter.settings.allowed_users = AllowedUsers::Everybody;
    let refused = counter.refusal(|w| w.login = "nobody-here".into()).await;
    assert_eq!(refused, "GitHub knows nobody with the login nobody-here");
    for fault in [
        Fault::Outage(502),
        Fault::RateLimited { retry_after: 60 },
        Fault::Html,
        Fault::MissingFields,
        Fault::Redirect,
        Fault::HugeBody,
    ] {
        counter.github.set_fault_at(Endpoint::Account, fault.clone());
        let refused = counter.refusal(|w| w.login = "monalisa".into()).await;
        assert!(refused.contains("--user-id"), "{fault:?}: {refused}");
    }
}

#[actix_web::test]
async fn an_account_is_asked_for_without_anybodys_token_and_with_no_app_at_all() {
    let mut counter = Counter::new();
    counter.settings.github.client_id = String::new();
    counter.settings.github.client_secret = Secret::presented(String::new());
    assert!(counter.make(|_| {}).await.is_ok());
    let mut counter = Counter::new();
    counter.settings.github.client_secret = Secret::presented("another".into());
    let refused = counter.refusal(|_| {}).await;
    assert!(refused.contains("GITHUB_CLIENT_SECRET"), "{refused}");
}

#[actix_web::test]
async fn nobody_gets_a_token_whom_the_access_rules_do_not_let_in_at_each_resource() {
    let mut counter = Counter::new();
    let refused = counter.refusal(|w| w.login = "hubot".into()).await;
    assert!(
        refused.contains("hubot (number 480938) may not use https://echo.example.com/mcp"),
        "{refused}"
    );
    let pinned_to_another = counter.store.pin(&octocat(), UserId(1)).await.unwrap();
    assert_eq!(pinned_to_another, Pin::Theirs);
    let refused = counter.refusal(|w| w.user_id = Some(UserId(583_231))).await;
    assert!(refused.contains("pinned to another"), "{refused}");
    counter.store.unpin(&octocat()).await.unwrap();

    let scopes = ScopeSet::parse("read write").unwrap();
    let resource = |uri, allow: Option<&str>| Resource {
        scopes: scopes.clone(),
        allow: allow.map(|list| Allow::users(AllowedUsers::parse(list).unwrap())),
        ..Resource::new(ResourceUri::parse(uri).unwrap(), None)
    };
    let both = vec![resource(ECHO, Some("octocat")), resource(FILES, Some("hubot"))];
    counter.settings.resources = Resources::new(both, vec![], "auth.example.com");
    let refused = counter
        .refusal(|w| w.resources = vec![ECHO.into(), FILES.into()])
        .await;
    assert!(
        refused.contains("may not use https://files.example.com/mcp"),
        "{refused}"
    );
    assert!(counter.make(|_| {}).await.is_ok());
}

#[actix_web::test]
async fn whoever_is_let_in_by_an_organisation_alone_is_told_to_be_listed() {
    let mut counter = Counter::new();
    let members = Allow {
        orgs: [Login::parse("acme").unwrap()].into(),
        ..Allow::users(AllowedUsers::nobody())
    };
    let echo = Resource {
        scopes: ScopeSet::parse("read").unwrap(),
        allow: Some(members),
        ..Resource::new(ResourceUri::parse(ECHO).unwrap(), None)
    };
    counter.settings.resources = Resources::new(vec![echo], vec![], "auth.example.com");
    let refused = counter.refusal(|_| {}).await;
    assert!(
        refused.contains("organisations and teams do not count"),
        "{refused}"
    );
}

#[actix_web::test]
async fn a_blocked_user_gets_no_token_and_loses_those_they_have() {
    let counter = Counter::new();
    let made = counter.make(|_| {}).await.unwrap();
    let blocked = counter.store.block(&Person::Login(octocat()), NOW).await.unwrap();
    assert_eq!(blocked.grants, 1);
    assert_eq!(counter.store.grant(&made.grant.id, NOW).await.unwrap(), None);
    let refused = counter.refusal(|_| {}).await;
    assert!(refused.contains("blocked"), "{refused}");
}

#[actix_web::test]
async fn what_a_token_cannot_be_is_said_in_words() {
    let mut counter = Counter::new();
    let refused = counter
        .refusal(|w| w.resources = vec!["https://*.example.com".into()])
        .await;
    assert!(refused.contains("is a pattern"), "{refused}");
    for (change, word) in [
        (
            (|w| w.resources = vec!["https://elsewhere.example.org/mcp".into()]) as fn(&mut Wanted),
            "not a server",
        ),
        (|w| w.resources = vec!["echo".into()], "echo: resource"),
        (|w| w.resources.clear(), "at least one resource"),
        (|w| w.scopes = ScopeSet::default(), "at least one scope"),
        (
            |w| w.scopes = ScopeSet::parse("read delete").unwrap(),
            "does not have the scopes delete: it has read write",
        ),
        (|w| w.lifetime = Duration::ZERO, "at most 90 days"),
        (
            |w| w.lifetime = LONGEST + Duration::from_secs(1),
            "at most 90 days",
        ),
        (|w| w.name = " \u{200b} ".into(), "the name"),
        (|w| w.name = "x".repeat(101), "the name"),
        (|w| w.login = "not a login".into(), "not a GitHub login"),
    ] {
        let refused = counter.refusal(change).await;
        assert!(refused.contains(word), "{refused}");
    }
    assert!(counter.make(|w| w.lifetime = LONGEST).await.is_ok());

    let below = Wildcard::parse("https://*.example.com").unwrap();
    counter.settings.resources = Resources::new(vec![], vec![below], "auth.example.com");
    let offered = counter.settings.resources.all_scopes();
    let concrete = |w: &mut Wanted| w.scopes = offered;
    let made = counter.make(concrete).await.unwrap();
    assert_eq!(made.grant.audiences[0].as_str(), ECHO);
}

#[actix_web::test]
async fn tokens_are_listed_and_revoked_and_nothing_else_is() {
    let counter = Counter::new();
    let first = counter.make(|_| {}).await.unwrap().grant;
    let second = counter.make(|w| w.name = "other".into()).await.unwrap().grant;
    let all = personal_tokens::list(&counter.store, None, NOW).await.unwrap();
    assert_eq!(all.len(), 2);
    let whose = async |person: &str| {
        let person = Person::parse(person).unwrap();
        let listed = personal_tokens::list(&counter.store, Some(&person), NOW).await;
        listed.unwrap().len()
    };
    for (person, count) in [("OctoCat", 2), ("583231", 2), ("hubot", 0), ("1", 0)] {
        assert_eq!(whose(person).await, count, "{person}");
    }
    assert!(
        personal_tokens::revoke(&counter.store, &first.id, NOW)
            .await
            .unwrap()
    );
    assert!(
        !personal_tokens::revoke(&counter.store, &first.id, NOW)
            .await
            .unwrap()
    );
    assert_eq!(counter.store.grant(&first.id, NOW).await.unwrap(), None);
    let left = personal_tokens::list(&counter.store, None, NOW).await.unwrap();
    assert_eq!(left, std::slice::from_ref(&second));

    let mut consent = second;
    consent.id = mcp_gateway_model::id::GrantId::generate();
    consent.kind = GrantKind::Consent;
    counter.store.add_grant(&consent, NOW).await.unwrap();
    assert!(
        !personal_tokens::revoke(&counter.store, &consent.id, NOW)
            .await
            .unwrap(),
        "a consent is no personal access token"
    );
    assert!(counter.store.grant(&consent.id, NOW).await.unwrap().is_some());
}

#[actix_web::test]
async fn making_and_ending_a_token_leaves_a_line_each_and_no_secret() {
    let counter = Counter::new();
    let (log, _guard) = Log::listen();
    let made = counter
        .make(|w| w.resources = vec![ECHO.into(), FILES.into()])
        .await
        .unwrap();
    personal_tokens::revoke(&counter.store, &made.grant.id, NOW)
        .await
        .unwrap();
    let reasons: Vec<_> = log.audit();
    assert_eq!(reasons.len(), 2);
    for (line, reason) in reasons
        .iter()
        .zip(["personal_access_token_created", "personal_access_token_revoked"])
    {
        assert_eq!(line["event"], "administered");
        assert_eq!(line["reason"], reason);
        assert_eq!(line["user"], 583_231);
        assert_eq!(line["login"], "octocat");
        assert_eq!(line["client"], "personal-access-token");
        assert_eq!(line["resource"], format!("{ECHO} {FILES}"));
    }
    assert!(!log.text().contains(&made.token.reveal()[31..]));
    assert!(!format!("{made:?}").contains(&made.token.reveal()[31..]));
}
