//! `GET /login/oauth/authorize`: the page on which a person chooses who to be, and the way back.
//!
//! <https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps>

use std::collections::HashMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{self, Data, Form, ServiceConfig},
};
use askama::Template;
use mcp_gateway_model::clock::Timestamp;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::{
    fault::Endpoint,
    state::{Code, State},
    users::User,
};

const STYLE: &str = include_str!("../../templates/style.css");

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/login/oauth/authorize")
                .route(web::get().to(show))
                .route(web::post().to(choose)),
        )
        .route("/login/style.css", web::get().to(style));
}

/// What a request for authorisation asks for, once it is known whom to answer.
struct Request {
    redirect_uri: Url,
    scope: String,
    state: Option<String>,
    challenge: Option<String>,
    hint: Option<String>,
    select_account: bool,
}

/// Why a request cannot be shown to anybody.
enum Refused {
    /// A page: there is nowhere to redirect to.
    Page(&'static str),
    /// Back to the client.
    Redirect(Box<Url>),
}

async fn show(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let query = request.query_string().to_owned();
    state.memory().last_authorize = Some(parse(&query));
    if let Some(broken) = state.enter(Endpoint::Authorize).await {
        return broken;
    }
    let request = match Request::parse(&query, &state) {
        Ok(request) => request,
        Err(refused) => return refused.answer(),
    };
    let now = state.now();
    if let Some(user) = request.known_user(&state) {
        return request.approve(&state, user, now);
    }
    page(&state, &request, query)
}

/// The form of the page: the request again, and the button that was pressed.
#[derive(Deserialize)]
struct Choice {
    request: String,
    login: Option<String>,
}

async fn choose(form: Form<Choice>, state: Data<State>) -> HttpResponse {
    let request = match Request::parse(&form.request, &state) {
        Ok(request) => request,
        Err(refused) => return refused.answer(),
    };
    let Some(login) = &form.login else {
        return request
            .refuse("access_denied", "The user has denied your application access.")
            .answer();
    };
    let user = state.memory().user_by_login(login).map(|user| user.id);
    match user {
        Some(user) => request.approve(&state, user, state.now()),
        None => Refused::Page("There is no such user any more. Go back and choose another.").answer(),
    }
}

async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .body(STYLE)
}

impl Request {
    fn parse(query: &str, state: &State) -> Result<Self, Refused> {
        let mut given: HashMap<String, String> = parse(query).into_iter().collect();
        let options = &state.options;
        if given.get("client_id") != Some(&options.client_id) {
            return Err(Refused::Page("There is no OAuth App with this client_id."));
        }
        let redirect_uri = given
            .remove("redirect_uri")
            .or_else(|| options.callback_url.clone());
        let redirect_uri = redirect_uri.as_deref().and_then(|uri| Url::parse(uri).ok());
        let Some(redirect_uri) = redirect_uri.filter(|uri| lies_under(uri, options.callback_url.as_deref()))
        else {
            return Err(Refused::Page(
                "The redirect_uri is not associated with this application.",
            ));
        };
        let request = Self {
            redirect_uri,
            scope: given.remove("scope").unwrap_or_default(),
            state: given.remove("state"),
            challenge: given.remove("code_challenge"),
            hint: given.remove("login"),
            select_account: given
                .get("prompt")
                .is_some_and(|prompt| prompt == "select_account"),
        };
        let method = given.get("code_challenge_method").map(String::as_str);
        if request.challenge.is_some() && method != Some("S256") {
            return Err(request.refuse("invalid_request", "code_challenge_method must be S256"));
        }
        Ok(request)
    }

    /// The user who is let through without a page.
    fn known_user(&self, state: &State) -> Option<u64> {
        let memory = state.memory();
        let login = memory.auto_choose.as_deref().filter(|_| !self.select_account)?;
        memory.user_by_login(login).map(|user| user.id)
    }

    fn approve(&self, state: &State, user: u64, now: Timestamp) -> HttpResponse {
        let code = Code {
            user,
            redirect_uri: self.redirect_uri.to_string(),
            challenge: self.challenge.clone(),
            scope: state.memory().granted(&self.scope),
            expires_at: now,
        };
        let code = state.memory().issue_code(code, now);
        found(&self.back(&[("code", &code)]))
    }

    fn refuse(&self, error: &str, description: &str) -> Refused {
        let back = self.back(&[("error", error), ("error_description", description)]);
        Refused::Redirect(Box::new(back))
    }

    fn back(&self, answer: &[(&str, &str)]) -> Url {
        let mut url = self.redirect_uri.clone();
        url.query_pairs_mut()
            .extend_pairs(answer)
            .extend_pairs(self.state.iter().map(|state| ("state", state)));
        url
    }
}

impl Refused {
    fn answer(self) -> HttpResponse {
        match self {
            Self::Page(reason) => render(&RefusalPage { reason }, HttpResponse::NotFound()),
            Self::Redirect(url) => found(&url),
        }
    }
}

fn parse(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// GitHub's rule: the callback's origin, and its path or one below it.
fn lies_under(uri: &Url, callback: Option<&str>) -> bool {
    let Some(callback) = callback else {
        return matches!(uri.scheme(), "http" | "https");
    };
    let Ok(callback) = Url::parse(callback) else {
        return false;
    };
    let below = uri.path().strip_prefix(callback.path().trim_end_matches('/'));
    uri.origin() == callback.origin() && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn found(url: &Url) -> HttpResponse {
    HttpResponse::Found()
        .insert_header((header::LOCATION, url.as_str()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

#[derive(Template)]
#[template(path = "authorize.html")]
struct AuthorizePage<'a> {
    client: &'a str,
    host: String,
    scopes: Vec<&'a str>,
    users: Vec<User>,
    request: String,
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage {
    reason: &'static str,
}

fn page(state: &State, request: &Request, query: String) -> HttpResponse {
    let mut users = state.memory().users.clone();
    // the hinted user comes first, the others keep their order
    users.sort_by_key(|user| {
        request
            .hint
            .as_ref()
            .is_none_or(|hint| !user.login.eq_ignore_ascii_case(hint))
    });
    let page = AuthorizePage {
        client: &state.options.client_id,
        host: request.redirect_uri.host_str().unwrap_or_default().to_owned(),
        scopes: request
            .scope
            .split([' ', ','])
            .filter(|scope| !scope.is_empty())
            .collect(),
        users,
        request: query,
    };
    render(&page, HttpResponse::Ok())
}

fn render(page: &impl Template, mut response: actix_web::HttpResponseBuilder) -> HttpResponse {
    match page.render() {
        Ok(html) => response
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'self'",
            ))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .body(html),
        Err(error) => {
            tracing::error!(%error, "a page of the stand-in cannot be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}
