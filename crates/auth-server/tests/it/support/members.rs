//! A server for members of organisations and teams.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use mcp_gateway_auth_server::Settings;
use mcp_gateway_model::{
    access::{Allow, AllowedUsers, Team},
    grant::Grant,
    id::{ClientId, Login, UserId},
    resource::{Resource, ResourceUri, Resources},
};
use mcp_gateway_sandbox::github::{Options, Organization, Role};
use mcp_gateway_store::{GrantReader, Store};
use reqwest::StatusCode;
use serde_json::Value;

use super::{
    desk::VERIFIER,
    login::{Browser, ECHO, Got, REDIRECT, Site},
};

/// Another server, for everybody.
pub(crate) const NOTES: &str = "https://notes.example.com/mcp";
/// octocat's number.
pub(crate) const OCTOCAT: u64 = 583_231;

/// The echo server is for these people, organisations and teams; the notes are for everybody.
pub(crate) fn members_only(users: &str, orgs: &[&str], teams: &[&str]) -> impl FnOnce(&mut Settings) {
    let allow = Allow {
        users: AllowedUsers::parse(users).unwrap(),
        orgs: orgs.iter().map(|org| Login::parse(org).unwrap()).collect(),
        teams: teams.iter().map(|team| Team::parse(team).unwrap()).collect(),
    };
    |settings| {
        settings.allowed_users = AllowedUsers::Everybody;
        let echo = Resource {
            allow: Some(allow),
            ..Resource::new(ResourceUri::parse(ECHO).unwrap(), None)
        };
        let notes = Resource::new(ResourceUri::parse(NOTES).unwrap(), None);
        let authority = settings.issuer.authority().to_owned();
        settings.resources = Resources::new(vec![echo, notes], Vec::new(), &authority);
    }
}

/// A site whose echo server is for these.
pub(crate) async fn site(users: &str, orgs: &[&str], teams: &[&str]) -> Site {
    Site::start_beside(Options::default(), members_only(users, orgs, teams)).await
}

/// A membership that is in force.
pub(crate) fn member_of(login: &str) -> Organization {
    Organization {
        id: 1,
        login: login.into(),
        role: Role::Member,
        active: true,
    }
}

/// Logs somebody in for a resource, in a new browser.
pub(crate) async fn log_in(site: &Site, login: &str, resource: &str) -> Got {
    let client = site.client(&[REDIRECT]).await;
    site.github.auto_choose(Some(login));
    let request = site.request(&client, &[("resource", Some(resource))]);
    Browser::new(site).log_in(&request).await
}

/// A client that octocat allowed to use the echo server.
pub(crate) struct Connected {
    pub(crate) client: ClientId,
    pub(crate) refresh: String,
    pub(crate) grant: Grant,
}

impl Connected {
    pub(crate) async fn new(site: &Site) -> Self {
        let client = site.client(&[REDIRECT]).await;
        site.github.auto_choose(Some("octocat"));
        let request = site.request(&client, &[]);
        let got = Browser::new(site).log_in(&request).await;
        let code = got.parameter("code").unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("client_id", client.as_str()),
        ];
        let (status, tokens) = site.token(&form).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        let grants = site.store.grants_of_client(&client, site.now()).await.unwrap();
        Self {
            refresh: tokens["refresh_token"].as_str().unwrap().to_owned(),
            grant: grants.into_iter().next().unwrap(),
            client,
        }
    }

    /// Refreshes; the answer's token is the next one.
    pub(crate) async fn refresh(&mut self, site: &Site) -> (StatusCode, Value) {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", &self.refresh),
            ("client_id", self.client.as_str()),
        ];
        let (status, answer) = site.token(&form).await;
        if let Some(next) = answer["refresh_token"].as_str() {
            next.clone_into(&mut self.refresh);
        }
        (status, answer)
    }

    /// The grant as it is now.
    pub(crate) async fn now(&self, site: &Site) -> Option<Grant> {
        site.store.grant(&self.grant.id, site.now()).await.unwrap()
    }
}

/// octocat leaves everything.
pub(crate) fn leave(site: &Site) {
    let changed = site.github.change_user(OCTOCAT, |user| {
        user.orgs.clear();
        user.teams.clear();
    });
    assert!(changed);
}

/// How many living grants octocat has.
pub(crate) async fn grants(site: &Site) -> usize {
    let grants = site.store.grants_of_user(UserId(OCTOCAT), site.now()).await;
    grants.unwrap().len()
}
