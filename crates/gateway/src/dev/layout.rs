//! Where `dev` puts what: by its options, or in the words of the OAuth MCP demo, whose place it takes.

use std::{collections::BTreeMap, net::IpAddr};

use mcp_gateway_model::{
    issuer::{Issuer, is_loopback},
    published,
    secret::Secret,
};
use reqwest::Url;

use crate::{
    cli::DevArgs,
    config::{Faults, dev::VARIABLES},
};

/// The settings that say where a server is: the demo's layout is wanted as soon as one is set.
const PLACES: [&str; 6] = [
    "OAUTH_SERVER_HOST",
    "OAUTH_SERVER_PORT",
    "OAUTH_ISSUER",
    "MCP_SERVER_HOST",
    "MCP_SERVER_PORT",
    "MCP_SERVER_URL",
];
/// How many characters a secret needs.
const STRONG: usize = 32;

/// What is wanted.
#[derive(Debug)]
pub(super) struct Layout {
    /// Where the gateway is.
    pub(super) gateway: Place,
    /// Where the sample MCP server is if it protects itself; else it stands behind the gateway.
    pub(super) alone: Option<Place>,
    /// Whether nobody is asked.
    pub(super) auto_approve: bool,
    /// What seals and authenticates, if that is not made up.
    pub(super) secret_key: Option<Secret>,
    /// The client that is there when nobody is asked.
    pub(super) client_id: String,
    /// Its secret, if that is not made up.
    pub(super) client_secret: Option<String>,
}

/// Where a server listens, and what it is called.
#[derive(Debug)]
pub(super) struct Place {
    /// The address, of this machine.
    pub(super) address: IpAddr,
    /// The port; 0 for a free one.
    pub(super) port: u16,
    /// Its origin, but for the port.
    name: String,
}

impl Place {
    /// Its origin, once its port is known.
    pub(super) fn origin(&self, port: u16) -> String {
        format!("http://{}:{port}", self.name)
    }
}

impl Layout {
    /// Reads the options and `given`, the variables.
    ///
    /// # Errors
    /// All faults at once.
    pub(super) fn read(
        args: &DevArgs,
        given: &BTreeMap<String, String>,
        mut faults: Faults,
    ) -> Result<Self, Faults> {
        let mut wanted = Wanted {
            given,
            faults: &mut faults,
        };
        let is_demo = PLACES.iter().any(|name| wanted.text(name).is_some());
        let (usual_port, usual_name) = if is_demo {
            (5000, None)
        } else {
            (8000, Some("localhost"))
        };
        let gateway = wanted.place(
            &Names {
                host: "OAUTH_SERVER_HOST",
                port: "OAUTH_SERVER_PORT",
                url: "OAUTH_ISSUER",
            },
            (args.host.as_deref(), args.port, usual_port),
            usual_name,
        );
        let alone = (is_demo || args.mcp_port.is_some()).then(|| {
            wanted.place(
                &Names {
                    host: "MCP_SERVER_HOST",
                    port: "MCP_SERVER_PORT",
                    url: "MCP_SERVER_URL",
                },
                (None, args.mcp_port, 5001),
                None,
            )
        });
        if let Some(alone) = &alone
            && alone.port == gateway.port
            && alone.port != 0
        {
            wanted.faults.add(
                "MCP_SERVER_PORT",
                "is the gateway's own port: the two servers need one each",
            );
        }
        let layout = Self {
            gateway,
            alone,
            auto_approve: wanted.yes("DEMO_MODE") || args.auto_approve,
            secret_key: wanted.secret_key(),
            client_id: wanted.text("DEMO_CLIENT_ID").unwrap_or("demo_client").to_owned(),
            client_secret: wanted.client_secret(),
        };
        wanted.refuse_fixed_codes();
        if faults.is_empty() {
            Ok(layout)
        } else {
            Err(faults)
        }
    }
}

/// What the variables about one server are called.
struct Names {
    host: &'static str,
    port: &'static str,
    url: &'static str,
}

/// What was given, and what is wrong with it.
struct Wanted<'a> {
    given: &'a BTreeMap<String, String>,
    faults: &'a mut Faults,
}

impl Wanted<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        debug_assert!(VARIABLES.iter().any(|v| v.name == name), "{name} is documented");
        let text = self.given.get(name)?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// One server's place: options first, then variables, then what is usual.
    fn place(
        &mut self,
        names: &Names,
        (host, port, usual_port): (Option<&str>, Option<u16>, u16),
        usual_name: Option<&str>,
    ) -> Place {
        let given = self.text(names.host).map(ToOwned::to_owned);
        let (setting, host) = match (host, given) {
            (Some(host), _) => (format!("--host {host}"), host.to_owned()),
            (None, Some(host)) => (format!("{} {host}", names.host), host),
            (None, None) => (names.host.to_owned(), "127.0.0.1".to_owned()),
        };
        let address = loopback(&host).unwrap_or_else(|| {
            self.faults.add(
                setting,
                "dev listens on this machine's own address only (127.0.0.1 or ::1), because anybody may log in; use serve",
            );
            IpAddr::from([127, 0, 0, 1])
        });
        let port = port.or_else(|| self.port(names.port)).unwrap_or(usual_port);
        let name = self
            .name(names, port)
            .unwrap_or_else(|| match (usual_name, address) {
                (Some(name), _) => name.to_owned(),
                (None, _) if host.eq_ignore_ascii_case("localhost") => "localhost".to_owned(),
                (None, IpAddr::V4(address)) => address.to_string(),
                (None, IpAddr::V6(address)) => format!("[{address}]"),
            });
        Place { address, port, name }
    }

    fn port(&mut self, name: &'static str) -> Option<u16> {
        let text = self.text(name)?.to_owned();
        let port = text.parse().ok();
        if port.is_none() {
            let problem = format!("must be a port from 0 to 65535, not \"{text}\"");
            self.faults.add(name, problem);
        }
        port
    }

    /// The name in an URL that was given for a server which listens at `port`.
    fn name(&mut self, names: &Names, port: u16) -> Option<String> {
        let text = self.text(names.url)?;
        let url = Issuer::parse(text).ok().map(|issuer| issuer.url().clone());
        match url.filter(|url| url.scheme() == "http" && is_loopback(url)) {
            Some(url) if port != 0 && url.port_or_known_default() == Some(port) => {
                url.host_str().map(ToOwned::to_owned)
            }
            Some(_) => {
                let problem = format!(
                    "must have the port that is listened on: set {} to the same",
                    names.port
                );
                self.faults.add(names.url, problem);
                None
            }
            None => {
                let problem = format!(
                    "must be http and a name of this machine, such as http://127.0.0.1:{port}, without a path; for any other use serve"
                );
                self.faults.add(names.url, problem);
                None
            }
        }
    }

    fn yes(&mut self, name: &'static str) -> bool {
        let text = self.text(name).unwrap_or("false").to_ascii_lowercase();
        match text.as_str() {
            "true" | "1" | "yes" | "on" => true,
            "false" | "0" | "no" | "off" => false,
            _ => {
                self.faults
                    .add(name, format!("must be true or false, not \"{text}\""));
                false
            }
        }
    }

    fn secret_key(&mut self) -> Option<Secret> {
        let text = self.text("SECRET_KEY")?.to_owned();
        if let Some(why) = published::signing_secret(&text) {
            self.faults.add("SECRET_KEY", why);
        } else if text.len() < STRONG {
            let problem = "must have 32 characters or more; leave it out, or try: openssl rand -base64 32";
            self.faults.add("SECRET_KEY", problem);
        }
        Some(Secret::presented(text))
    }

    fn client_secret(&mut self) -> Option<String> {
        let text = self.text("DEMO_CLIENT_SECRET")?.to_owned();
        let problem = if text == published::CLIENT_SECRET {
            "demo_secret is printed in the demo's documents, so that everybody could be this client; leave it out: dev makes a secret at its start and shows it"
        } else if text.len() < STRONG {
            "must have 32 characters or more; leave it out, or try: openssl rand -hex 32"
        } else {
            return Some(text);
        };
        self.faults.add("DEMO_CLIENT_SECRET", problem);
        None
    }

    fn refuse_fixed_codes(&mut self) {
        if self.text("DEMO_AUTHORIZATION_CODE").is_some() {
            self.faults.add(
                "DEMO_AUTHORIZATION_CODE",
                "is refused: a code that is the same for everybody opens everybody's grant; leave it out, and take the code that /authorize adds to the redirect URI",
            );
        }
    }
}

/// An address of this machine's own.
fn loopback(host: &str) -> Option<IpAddr> {
    let text = host.trim_start_matches('[').trim_end_matches(']');
    let address = if text.eq_ignore_ascii_case("localhost") {
        Some(IpAddr::from([127, 0, 0, 1]))
    } else {
        text.parse::<IpAddr>().ok()
    };
    address.filter(IpAddr::is_loopback)
}

/// An address in its parts.
pub(super) fn address(text: &str) -> Result<Url, crate::failure::Failure> {
    Url::parse(text).map_err(crate::failure::Failure::runtime)
}
