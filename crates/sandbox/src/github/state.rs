//! What the stand-in remembers: users, codes, tokens, faults and what was called.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::HttpResponse;
use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mcp_gateway_model::clock::Timestamp;

use super::{
    Options,
    fault::{Endpoint, Fault},
    users::User,
};

/// How long a code can be exchanged.
const CODE_LIFETIME: Duration = Duration::from_secs(600);

pub(super) struct State {
    pub(super) options: Options,
    memory: Mutex<Memory>,
}

#[derive(Default)]
pub(super) struct Memory {
    pub(super) users: Vec<User>,
    pub(super) auto_choose: Option<String>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) tokens: HashMap<String, Token>,
    pub(super) faults: HashMap<Endpoint, Fault>,
    pub(super) calls: HashMap<Endpoint, usize>,
    pub(super) last_authorize: Option<Vec<(String, String)>>,
    /// Scopes that people do not grant, whatever is asked.
    pub(super) withheld: Vec<String>,
}

/// A code on its way from the browser to the token endpoint.
pub(super) struct Code {
    pub(super) user: u64,
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<String>,
    pub(super) scope: String,
    pub(super) expires_at: Timestamp,
}

/// Whom an access token speaks for, and what it may see.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) user: u64,
    pub(super) scope: String,
}

impl State {
    pub(super) fn new(options: Options) -> Self {
        let memory = Memory {
            users: options.users.clone(),
            auto_choose: options.auto_choose.clone(),
            ..Memory::default()
        };
        Self {
            options,
            memory: Mutex::new(memory),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        // a test that panicked elsewhere leaves the maps whole
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call; the answer, if a fault was asked for.
    pub(super) async fn enter(&self, endpoint: Endpoint) -> Option<HttpResponse> {
        let fault = {
            let mut memory = self.memory();
            *memory.calls.entry(endpoint).or_default() += 1;
            memory.faults.get(&endpoint).cloned()
        };
        match fault {
            Some(fault) => Some(fault.answer().await),
            None => None,
        }
    }
}

impl Memory {
    pub(super) fn user(&self, id: u64) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub(super) fn user_by_login(&self, login: &str) -> Option<&User> {
        self.users
            .iter()
            .find(|user| user.login.eq_ignore_ascii_case(login))
    }

    /// What is granted of the scopes that were asked for.
    pub(super) fn granted(&self, asked: &str) -> String {
        let scopes = asked.split([' ', ',']).filter(|scope| !scope.is_empty());
        let granted = scopes.filter(|scope| !self.withheld.iter().any(|withheld| withheld == scope));
        granted.collect::<Vec<_>>().join(" ")
    }

    /// Keeps a code for ten minutes.
    pub(super) fn issue_code(&mut self, mut code: Code, now: Timestamp) -> String {
        code.expires_at = now.plus(CODE_LIFETIME);
        let name = generate("");
        self.codes.retain(|_, code| !code.expires_at.has_passed(now));
        self.codes.insert(name.clone(), code);
        name
    }

    pub(super) fn issue_token(&mut self, token: Token) -> String {
        let name = generate("gho_");
        self.tokens.insert(name.clone(), token);
        name
    }
}

fn generate(prefix: &str) -> String {
    let mut bytes = [0; 24];
    // without randomness the code is only guessable, and the stand-in keeps nothing secret
    let _filled = rand::fill(&mut bytes);
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}
