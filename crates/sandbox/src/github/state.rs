//! What the stand-in knows: its OAuth app, its users, and the codes and tokens it has given out.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::fault::Fault;

/// A team of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// The organisation's login.
    pub org: String,
    /// The team's slug.
    pub slug: String,
}

/// A membership of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The organisation's login.
    pub org: String,
    /// Whether the person accepted the invitation.
    pub active: bool,
}

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The number that never changes.
    pub id: u64,
    /// The login, which can be renamed.
    pub login: String,
    /// The name, if they gave one.
    pub name: Option<String>,
    /// The public e-mail address, if any.
    pub email: Option<String>,
    /// The organisations.
    pub orgs: Vec<Membership>,
    /// The teams.
    pub teams: Vec<Team>,
}

impl User {
    /// A person without organisations.
    #[must_use]
    pub fn new(id: u64, login: &str, name: &str) -> Self {
        Self {
            id,
            login: login.to_owned(),
            name: (!name.is_empty()).then(|| name.to_owned()),
            email: None,
            orgs: Vec::new(),
            teams: Vec::new(),
        }
    }
}

/// How the stand-in is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The OAuth app's client id.
    pub client_id: String,
    /// The OAuth app's client secret.
    pub client_secret: String,
    /// The people to choose from.
    pub users: Vec<User>,
    /// Choose this login without asking, as GitHub does for a person who comes back.
    pub auto_choose: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        let mut octocat = User::new(583_231, "octocat", "The Octocat");
        octocat.email = Some("octocat@example.com".into());
        octocat.orgs.push(Membership {
            org: "acme".into(),
            active: true,
        });
        octocat.teams.push(Team {
            org: "acme".into(),
            slug: "platform".into(),
        });
        Self {
            client_id: "stand-in-client".into(),
            client_secret: "stand-in-secret".into(),
            users: vec![
                octocat,
                User::new(480_938, "hubot", "Hubot"),
                User::new(9001, "monalisa", "Mona Lisa Ōctōcat"),
            ],
            auto_choose: None,
        }
    }
}

/// What was asked, for tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls by path.
    pub by_path: BTreeMap<String, u64>,
    /// The parameters of the last authorization request.
    pub last_authorize: BTreeMap<String, String>,
}

/// A code that was given out.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) user: u64,
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<String>,
    pub(super) scope: String,
}

/// A token that was given out.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) user: u64,
    pub(super) scope: String,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) options: Options,
    pub(super) fault: Fault,
    pub(super) calls: Calls,
    pub(super) codes: HashMap<String, Code>,
    pub(super) tokens: HashMap<String, Token>,
}

/// The state behind its lock.
#[derive(Debug)]
pub(super) struct State(Mutex<Inner>);

impl State {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    pub(super) fn user(&self, id: u64) -> Option<&User> {
        self.options.users.iter().find(|user| user.id == id)
    }

    pub(super) fn note(&mut self, path: &str) {
        *self.calls.by_path.entry(path.to_owned()).or_default() += 1;
    }
}

/// What tests hold on to.
#[derive(Clone, Debug)]
pub struct Handle(pub(super) Arc<State>);

impl Handle {
    pub(super) fn new(options: Options) -> Self {
        Self(Arc::new(State(Mutex::new(Inner {
            options,
            fault: Fault::None,
            calls: Calls::default(),
            codes: HashMap::new(),
            tokens: HashMap::new(),
        }))))
    }

    /// From now on the token endpoint and the API fail like this.
    pub fn set_fault(&self, fault: Fault) {
        self.0.lock().fault = fault;
    }

    /// From now on this login is chosen without asking; `None` asks again.
    pub fn set_auto_choose(&self, login: Option<&str>) {
        self.0.lock().options.auto_choose = login.map(ToOwned::to_owned);
    }

    /// Replaces the users: renamed, gone, given to somebody else.
    pub fn set_users(&self, users: Vec<User>) {
        self.0.lock().options.users = users;
    }

    /// Gives the user with this number another login.
    pub fn rename(&self, id: u64, login: &str) {
        for user in self
            .0
            .lock()
            .options
            .users
            .iter_mut()
            .filter(|user| user.id == id)
        {
            login.clone_into(&mut user.login);
        }
    }

    /// What was asked so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.0.lock().calls.clone()
    }

    /// The tokens given out that still work.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        self.0.lock().tokens.keys().cloned().collect()
    }
}

/// A value nobody can guess.
pub(super) fn random(prefix: &str) -> String {
    let mut bytes = [0; 20];
    if rand::fill(&mut bytes).is_err() {
        unreachable!("the operating system gives randomness");
    }
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}
