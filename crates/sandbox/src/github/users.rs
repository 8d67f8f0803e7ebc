//! Who can log in at the stand-in.

use serde::Serialize;

/// A user, as `/user` and its neighbours tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The number that never changes.
    pub id: u64,
    /// The name that can be changed, and then be taken by somebody else.
    pub login: String,
    /// The full name, if one is shown.
    pub name: Option<String>,
    /// The public e-mail address; most users have none.
    pub email: Option<String>,
    /// All e-mail addresses, as `/user/emails` lists them.
    pub emails: Vec<Email>,
    /// Memberships in organisations, invitations that were not accepted included.
    pub orgs: Vec<Organization>,
    /// Memberships in teams.
    pub teams: Vec<Team>,
}

impl User {
    /// A user with an id and a login, and nothing else.
    #[must_use]
    pub fn new(id: u64, login: &str) -> Self {
        Self {
            id,
            login: login.into(),
            name: None,
            email: None,
            emails: Vec::new(),
            orgs: Vec::new(),
            teams: Vec::new(),
        }
    }
}

/// An e-mail address of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Email {
    /// The address.
    pub email: String,
    /// Whether it is the first one.
    pub primary: bool,
    /// Whether its owner proved it.
    pub verified: bool,
    /// `public`, `private`, or null for addresses that are not the primary one.
    pub visibility: Option<String>,
}

/// A membership in an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// The organisation's number.
    pub id: u64,
    /// The organisation's login.
    pub login: String,
    /// What the user is there.
    pub role: Role,
    /// False while the invitation has not been accepted.
    pub active: bool,
}

/// What a member may do in an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An owner.
    Admin,
    /// A member.
    Member,
}

/// A membership in a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// The team's number.
    pub id: u64,
    /// The team's name in URLs.
    pub slug: String,
    /// The team's name.
    pub name: String,
    /// The login of the organisation it belongs to.
    pub org: String,
}

/// octocat (in `acme` and its team `platform`), hubot (in `acme`) and monalisa (nowhere).
#[must_use]
pub fn default_users() -> Vec<User> {
    let acme = |role| Organization {
        id: 7001,
        login: "acme".into(),
        role,
        active: true,
    };
    let address = |address: &str, primary| Email {
        email: address.into(),
        primary,
        verified: true,
        visibility: primary.then(|| "private".into()),
    };
    let octocat = User {
        name: Some("The Octocat".into()),
        email: Some("octocat@example.com".into()),
        emails: vec![
            address("octocat@example.com", true),
            address("octocat@users.example.com", false),
        ],
        orgs: vec![acme(Role::Admin)],
        teams: vec![Team {
            id: 8001,
            slug: "platform".into(),
            name: "Platform".into(),
            org: "acme".into(),
        }],
        ..User::new(583_231, "octocat")
    };
    let hubot = User {
        name: Some("Hubot".into()),
        emails: vec![address("hubot@example.com", true)],
        orgs: vec![acme(Role::Member)],
        ..User::new(480_938, "hubot")
    };
    let monalisa = User {
        emails: vec![address("monalisa@example.com", true)],
        ..User::new(9001, "monalisa")
    };
    vec![octocat, hubot, monalisa]
}

/// The logins of [`default_users`], for a text that says who can log in.
#[must_use]
pub fn user_names() -> Vec<String> {
    default_users().into_iter().map(|user| user.login).collect()
}
