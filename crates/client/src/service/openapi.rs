//! `GET /openapi.json`: the interface as [OpenAPI 3.1](https://spec.openapis.org/oas/v3.1.0) describes one.

use actix_web::{HttpResponse, web::Data};
use serde_json::{Value, json};

use super::{Service, settings::BASE};

/// The description.
pub(super) async fn answer(service: Data<Service>) -> HttpResponse {
    HttpResponse::Ok().json(description(&service.settings.public_url))
}

/// The description of the service at `public_url`.
fn description(public_url: &str) -> Value {
    let at = |path: &str| format!("{BASE}/{path}");
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "mcp-oauth",
            "summary": "Acts as MCP client for the users of a web backend.",
            "description": "Finds authorization servers, registers, authorizes, keeps and refreshes the tokens of each user, \
                            and calls protected MCP servers with them. The user is the one whom the gateway in front names, \
                            or whom its access token names.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": public_url }],
        "security": [{ "gateway": [] }],
        "paths": {
            at("discover-resource"): { "get": discover_resource() },
            at("discover-auth-server"): { "get": discover_auth_server() },
            at("register-client"): { "post": register_client() },
            at("start-authorization"): { "get": start_authorization() },
            at("callback"): { "get": callback() },
            at("refresh-token"): { "post": refresh_token() },
            at("access-resource"): {
                "get": access_resource("get"),
                "post": access_resource("post"),
                "put": access_resource("put"),
                "patch": access_resource("patch"),
                "delete": access_resource("delete"),
                "head": access_resource("head"),
                "options": access_resource("options"),
            },
        },
        "components": {
            "securitySchemes": {
                "gateway": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token of the gateway; behind the gateway, whatever the gateway accepts.",
                },
            },
            "schemas": { "Error": error_schema(), "Tokens": tokens_schema() },
            "responses": {
                "Error": { "description": "What went wrong, and what to do.", "content": content("Error") },
            },
            "headers": {
                "Deprecation": {
                    "description": "Since when a token in the address is deprecated (RFC 9745); there if one was there.",
                    "schema": { "type": "string" },
                },
            },
        },
    })
}

fn discover_resource() -> Value {
    operation(
        "discoverResource",
        "The metadata of a protected MCP server (RFC 9728).",
        &[query("resource_url", true, "The address of the MCP server.")],
        &document(
            "The metadata as the server publishes it: at least `resource` and `authorization_servers`.",
        ),
    )
}

fn discover_auth_server() -> Value {
    operation(
        "discoverAuthServer",
        "The metadata of an authorization server (RFC 8414, OpenID Connect Discovery).",
        &[query("auth_server_url", true, "The issuer, byte for byte.")],
        &document("The metadata as the server publishes it."),
    )
}

fn register_client() -> Value {
    let mut operation = operation(
        "registerClient",
        "Registers the service as a client (RFC 7591), or answers the client that it is there already, whatever its name.",
        &[
            query("registration_url", true, "The registration endpoint."),
            query(
                "auth_server_url",
                false,
                "The issuer that it belongs to, if it does not lie above it.",
            ),
        ],
        &document(
            "`client_id`, and `client_secret` if there is one and it was made for this user's request.",
        ),
    );
    operation["requestBody"] = json!({
        "required": true,
        "description": "The client's metadata. `redirect_uris` is the service's own callback, or left out.",
        "content": { "application/json": { "schema": { "type": "object" } } },
    });
    operation
}

fn start_authorization() -> Value {
    operation(
        "startAuthorization",
        "Begins a login: the user has to visit `authorization_url` within 10 minutes.",
        &[
            query("auth_server_url", true, "The issuer, byte for byte."),
            query("client_id", true, "The client's id there."),
            query(
                "resource",
                true,
                "The MCP server that the token is for (RFC 8707).",
            ),
            query(
                "scope",
                false,
                "What is asked for; left out, what the MCP server says.",
            ),
            query(
                "return_to",
                false,
                "Where the browser goes afterwards: one of the addresses that the operator allows.",
            ),
        ],
        &document("`authorization_url` and `state`."),
    )
}

fn callback() -> Value {
    let mut operation = operation(
        "callback",
        "Where the authorization server sends the user back to. Answers only the user who began the login, once.",
        &[
            query("state", true, "The state of the login."),
            query("code", false, "The authorization code."),
            query("iss", false, "The authorization server (RFC 9207)."),
            query("error", false, "Why there is no code."),
            query("error_description", false, "The same in words."),
        ],
        &json!({ "description": "The user's tokens, which the service keeps.", "content": content("Tokens") }),
    );
    operation["responses"]["303"] = json!({
        "description": "With `return_to`: the browser goes there, with `error` and `error_description` if it failed.",
    });
    operation
}

fn refresh_token() -> Value {
    let mut operation = operation(
        "refreshToken",
        "New tokens for a refresh token. In the form; in the address it is deprecated.",
        &[
            query(
                "auth_server_url",
                false,
                "The issuer, byte for byte. Needed here or in the form.",
            ),
            query(
                "client_id",
                false,
                "The client's id there. Needed here or in the form.",
            ),
            deprecated(query(
                "refresh_token",
                false,
                "The refresh token. Needed in the form, or here.",
            )),
            query(
                "resource",
                false,
                "The MCP server that the tokens are for (RFC 8707), here or in the form.",
            ),
        ],
        &json!({ "description": "The new tokens.", "content": content("Tokens") }),
    );
    let text = json!({ "type": "string" });
    operation["requestBody"] = json!({
        "description": "What does not stand in the address.",
        "content": { "application/x-www-form-urlencoded": { "schema": {
            "type": "object",
            "properties": { "auth_server_url": text, "client_id": text, "refresh_token": text, "resource": text },
        } } },
    });
    operation
}

fn access_resource(method: &str) -> Value {
    let mut operation = operation(
        &format!("accessResource_{method}"),
        "A request to a protected resource with the user's token, refreshed when it has to be.",
        &[
            query("resource_url", true, "The address that is asked."),
            deprecated(query(
                "access_token",
                false,
                "A token in the place of the one that the service keeps.",
            )),
            flag("raw", "Passes a JSON answer to GET as it is."),
        ],
        &json!({
            "description": "A JSON answer to GET as `{\"data\": ...}`; any other answer as it comes, streams included.",
            "content": { "*/*": {} },
        }),
    );
    if !matches!(method, "get" | "delete" | "head" | "options") {
        operation["requestBody"] = json!({ "content": { "*/*": {} } });
    }
    operation
}

fn operation(id: &str, summary: &str, parameters: &[Value], answer: &Value) -> Value {
    let mut responses = json!({ "200": answer });
    if parameters.iter().any(|parameter| parameter["deprecated"] == true) {
        responses["200"]["headers"] =
            json!({ "Deprecation": { "$ref": "#/components/headers/Deprecation" } });
    }
    for status in ["400", "401", "403", "429", "500", "502", "504"] {
        responses[status] = json!({ "$ref": "#/components/responses/Error" });
    }
    json!({ "operationId": id, "summary": summary, "parameters": parameters, "responses": responses })
}

fn query(name: &str, required: bool, description: &str) -> Value {
    json!({
        "name": name,
        "in": "query",
        "required": required,
        "description": description,
        "schema": { "type": "string" },
    })
}

fn flag(name: &str, description: &str) -> Value {
    let mut parameter = query(name, false, description);
    parameter["schema"] = json!({ "type": "boolean", "default": false });
    parameter
}

fn deprecated(mut parameter: Value) -> Value {
    parameter["deprecated"] = json!(true);
    parameter
}

fn document(description: &str) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": { "type": "object" } } } })
}

fn content(schema: &str) -> Value {
    json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["error", "error_description"],
        "properties": {
            "error": { "type": "string" },
            "error_description": { "type": "string" },
            "scope": { "type": "string", "description": "With `insufficient_scope`: what would be enough." },
        },
    })
}

fn tokens_schema() -> Value {
    json!({
        "type": "object",
        "required": ["access_token", "token_type"],
        "properties": {
            "access_token": { "type": "string" },
            "token_type": { "const": "Bearer" },
            "expires_in": { "type": "integer" },
            "refresh_token": { "type": "string" },
            "scope": { "type": "string" },
        },
    })
}
