//! Resources for members of organisations and teams: what the grant says about where its user belongs, while it counts.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use actix_web::http::StatusCode;
use mcp_gateway_model::{
    access::{Allow, AllowedUsers, Team},
    clock::{Clock, Timestamp},
    grant::{Grant, Memberships},
    id::Login,
    resource::{Resource, ResourceUri, Resources},
};

use crate::{
    signer::Signer,
    stand::{ECHO, Stand, settings},
};

fn stand() -> Stand {
    stand_for("")
}

/// The echo server for these people, an organisation and a team.
fn stand_for(users: &str) -> Stand {
    let allow = Allow {
        users: AllowedUsers::parse(users).unwrap(),
        orgs: [Login::parse("acme").unwrap()].into(),
        teams: [Team::parse("umbrella/core").unwrap()].into(),
    };
    let echo = Resource {
        allow: Some(allow),
        ..Resource::new(ResourceUri::parse(ECHO).unwrap(), None)
    };
    let resources = Resources::new(vec![echo], vec![], "auth.example.com");
    Stand::with(settings(resources), Signer::ed25519())
}

/// Asks with a grant of somebody who belongs there, as was said `ago` seconds before.
async fn asked(orgs: &[&str], teams: &[&str], ago: u64) -> (StatusCode, String) {
    let stand = stand();
    let at = Timestamp::from_secs(stand.clock.now().secs() - ago);
    let known = Memberships {
        orgs: orgs.iter().map(|org| Login::parse(org).unwrap()).collect(),
        teams: teams.iter().map(|team| Team::parse(team).unwrap()).collect(),
        checked_at: at,
    };
    stand.store.put(&Grant {
        memberships: Some(known),
        ..stand.grant.clone()
    });
    answer(&stand).await
}

async fn answer(stand: &Stand) -> (StatusCode, String) {
    let token = stand.token();
    let answer = stand.verify(&token).await;
    (answer.status, answer.challenge().to_owned())
}

#[actix_web::test]
async fn who_belongs_to_the_organisation_or_team_is_let_through_and_nobody_else() {
    for (orgs, teams, expected) in [
        (&["acme"][..], &[][..], StatusCode::OK),
        (&[], &["umbrella/core"], StatusCode::OK),
        (
            &["umbrella"],
            &["umbrella/other", "acme/core"],
            StatusCode::UNAUTHORIZED,
        ),
        (&[], &[], StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(asked(orgs, teams, 0).await.0, expected, "{orgs:?} {teams:?}");
    }
    let unknown = stand();
    assert_eq!(unknown.grant.memberships, None);
    assert_eq!(answer(&unknown).await.0, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn what_github_said_counts_for_15_minutes_and_an_hour_more() {
    assert_eq!(asked(&["acme"], &[], 4499).await.0, StatusCode::OK);
    let (status, challenge) = asked(&["acme"], &[], 4500).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
}

#[actix_web::test]
async fn who_is_listed_needs_to_belong_nowhere() {
    let stand = stand_for("583231");
    assert_eq!(answer(&stand).await.0, StatusCode::OK);
    stand.store.put(&Grant {
        memberships: Some(Memberships {
            orgs: [].into(),
            teams: [].into(),
            checked_at: Timestamp::from_secs(0),
        }),
        ..stand.grant.clone()
    });
    assert_eq!(answer(&stand).await.0, StatusCode::OK);
}
