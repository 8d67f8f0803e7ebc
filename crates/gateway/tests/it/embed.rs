//! The example that embeds both servers does what it says.

#[path = "../../examples/embed.rs"]
mod example;

use actix_web::{App, HttpResponse, test, web};
use mcp_gateway_auth_server::GithubSettings;
use mcp_gateway_model::secret::Secret;
use serde_json::Value;

#[actix_web::test]
async fn both_servers_stand_beside_routes_of_the_application() {
    let github = GithubSettings {
        client_id: "the-app".to_owned(),
        client_secret: Secret::presented("secret".to_owned()),
        web_url: "https://github.test".parse().unwrap(),
        api_url: "https://github.test".parse().unwrap(),
    };
    let gateway = example::Gateway::new(github).await.unwrap();
    let app = App::new().route("/", web::get().to(HttpResponse::Ok));
    let app = test::init_service(app.configure(|routes| gateway.configure(routes))).await;
    let get = |path: &str| {
        test::TestRequest::get()
            .uri(path)
            .peer_addr("127.0.0.1:40000".parse().unwrap())
            .insert_header(("host", "localhost:8000"))
    };
    let own = test::call_service(&app, get("/").to_request()).await;
    assert_eq!(own.status(), 200);
    let document = get("/.well-known/oauth-authorization-server").to_request();
    let document: Value = test::call_and_read_body_json(&app, document).await;
    assert_eq!(document["issuer"], "http://localhost:8000");
    let jwks: Value = test::call_and_read_body_json(&app, get("/jwks").to_request()).await;
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 1);
    let asked = get("/verify")
        .insert_header(("x-forwarded-host", "echo.example.com"))
        .insert_header(("x-forwarded-uri", "/mcp"));
    let refused = test::call_service(&app, asked.to_request()).await;
    assert_eq!(refused.status(), 401);
    let challenge = refused
        .headers()
        .get("www-authenticate")
        .unwrap()
        .to_str()
        .unwrap();
    assert!(
        challenge.contains("https://echo.example.com/.well-known/"),
        "{challenge}"
    );
    let nothing = test::call_service(&app, get("/nothing").to_request()).await;
    assert_eq!(nothing.status(), 404);
}
