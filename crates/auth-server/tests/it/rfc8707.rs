//! Resource indicators at the authorization endpoint: <https://www.rfc-editor.org/rfc/rfc8707#section-2.1>.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use mcp_gateway_model::{
    clock::Clock,
    resource::{Resource, ResourceUri, Resources, Wildcard},
};
use mcp_gateway_store::Store;

use crate::support::login::{Browser, ECHO, REDIRECT, Site};

async fn audience(site: &Site, resource: Option<&str>) -> Result<String, String> {
    let client = site.client(&[REDIRECT]).await;
    let browser = Browser::new(site);
    let request = site.request(&client, &[("resource", resource)]);
    let got = browser.get(&request).await;
    if got.status.is_redirection() {
        assert_eq!(got.parameter("error").as_deref(), Some("invalid_target"));
        return Err(got.parameter("error_description").unwrap());
    }
    browser.log_in(&request).await.location();
    let grants = site
        .store
        .grants_of_client(&client, site.clock.now())
        .await
        .unwrap();
    Ok(grants[0].audiences[0].to_string())
}

#[actix_web::test]
async fn the_grant_is_for_the_resource_that_was_asked_for() {
    let site = Site::start().await;
    for asked in [
        ECHO,
        "https://echo.example.com/mcp/",
        "https://ECHO.example.com/mcp?x=1",
        "https://echo.example.com",
    ] {
        assert_eq!(audience(&site, Some(asked)).await.as_deref(), Ok(ECHO));
    }
}

#[actix_web::test]
async fn the_consent_page_shows_all_that_the_token_opens_and_not_just_what_was_asked_for() {
    let wildcard = |asked: &'static str| async move {
        let site = Site::start_with(|settings| {
            let wildcard = Wildcard::parse("https://*.example.com").unwrap();
            settings.resources = Resources::new(Vec::new(), vec![wildcard], "auth.example.com");
        })
        .await;
        let client = site.client(&[REDIRECT]).await;
        let request = site.request(&client, &[("resource", Some(asked))]);
        Browser::new(&site).get(&request).await.body
    };
    let page = wildcard("https://echo.example.com/mcp/harmless").await;
    assert!(page.contains(">everything at echo.example.com<"), "{page}");
    assert!(!page.contains("harmless</span>"), "{page}");
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(
        &client,
        &[("resource", Some("https://echo.example.com/mcp/harmless"))],
    );
    let page = Browser::new(&site).get(&request).await.body;
    assert!(page.contains(">https://echo.example.com/mcp<"), "{page}");
}

#[actix_web::test]
async fn without_a_resource_the_only_one_is_meant() {
    let site = Site::start().await;
    assert_eq!(audience(&site, None).await.as_deref(), Ok(ECHO));
}

#[actix_web::test]
async fn another_resource_is_no_target() {
    let site = Site::start().await;
    for asked in [
        "https://other.example.com/mcp",
        "not a uri",
        "https://echo.example.com/mcp#x",
    ] {
        assert!(audience(&site, Some(asked)).await.is_err(), "{asked}");
    }
}

#[actix_web::test]
async fn below_a_wildcard_a_missing_resource_names_the_setting_and_a_pattern_is_no_audience() {
    let site = Site::start_with(|settings| {
        let wildcard = Wildcard::parse("https://*.example.com").unwrap();
        settings.resources = Resources::new(Vec::new(), vec![wildcard], settings.issuer.authority());
    })
    .await;
    assert_eq!(
        audience(&site, None).await.unwrap_err(),
        "resource is missing: send the URL of the MCP server (RFC 8707), or let the operator set DEFAULT_RESOURCE"
    );
    assert!(audience(&site, Some("https://*.example.com")).await.is_err());
    let asked = "https://echo.example.com/mcp";
    assert_eq!(audience(&site, Some(asked)).await.as_deref(), Ok(asked));
}

#[actix_web::test]
async fn the_default_resource_is_what_a_missing_one_means() {
    let site = Site::start_with(|settings| {
        let one = |uri| Resource::new(ResourceUri::parse(uri).unwrap(), None);
        let both = vec![one(ECHO), one("https://other.example.com/mcp")];
        let resources = Resources::new(both, Vec::new(), settings.issuer.authority());
        settings.resources = resources.with_default("https://other.example.com/mcp").unwrap();
    })
    .await;
    assert_eq!(
        audience(&site, None).await.as_deref(),
        Ok("https://other.example.com/mcp")
    );
}
