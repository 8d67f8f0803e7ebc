//! What all subcommands share: where credentials are kept, and how servers are reached.

use std::{net::IpAddr, ops::Deref, path::PathBuf, str::FromStr, sync::Arc};

use clap::{ArgAction, Args, builder::BoolishValueParser};
use mcp_gateway_client::{
    credentials::{Credentials, FileKeep, Keep},
    http::{Http, Settings},
};
use url::Url;

use super::failure::Failure;

/// What all subcommands share.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Write JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The file in which credentials are kept, in place of the one in your configuration directory
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "MCP_OAUTH_CREDENTIALS",
        hide_env_values = true,
        help_heading = "Options of all commands"
    )]
    credentials: Option<PathBuf>,
    /// Keep credentials in the keyring of this system, and not in a file
    #[arg(
        long,
        global = true,
        env = "MCP_OAUTH_KEYRING",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new(),
        hide_env_values = true,
        help_heading = "Options of all commands"
    )]
    keyring: bool,
    /// A file of certificates (PEM) that are trusted besides those of this system
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "MCP_OAUTH_CA",
        hide_env_values = true,
        help_heading = "Options of all commands"
    )]
    ca: Option<PathBuf>,
    /// Reach a name at this address, whatever name servers say; repeat it for more
    #[arg(
        long,
        global = true,
        value_name = "NAME=ADDRESS",
        value_parser = resolve,
        help_heading = "Options of all commands"
    )]
    resolve: Vec<(String, IpAddr)>,
}

impl Options {
    /// The way to servers.
    pub(crate) fn http(&self) -> Result<Http, Failure> {
        self.http_with(Settings::default())
    }

    /// The same, with other limits.
    pub(crate) fn http_with(&self, limits: Settings) -> Result<Http, Failure> {
        let read = |path: &PathBuf| {
            let text = std::fs::read(path);
            text.map_err(|error| Failure::Usage(format!("--ca: {} cannot be read: {error}", path.display())))
        };
        let settings = Settings {
            extra_roots: self.ca.as_ref().map(read).transpose()?,
            resolve: self.resolve.clone(),
            ..limits
        };
        Http::new(settings).map_err(Failure::runtime)
    }

    /// Where credentials are kept.
    pub(crate) fn credentials(&self) -> Result<Credentials, Failure> {
        let path = self.credentials.clone().or_else(default_path).ok_or_else(|| {
            Failure::Usage("your home directory is not known: name a file with --credentials".to_owned())
        })?;
        let keep: Arc<dyn Keep> = if self.keyring {
            keyring(path)?
        } else {
            Arc::new(FileKeep::new(path))
        };
        Ok(Credentials::new(keep))
    }
}

#[cfg(feature = "keyring")]
fn keyring(path: PathBuf) -> Result<Arc<dyn Keep>, Failure> {
    let keep = mcp_gateway_client::credentials::KeyringKeep::new(path).map_err(Failure::runtime)?;
    Ok(Arc::new(keep))
}

#[cfg(not(feature = "keyring"))]
fn keyring(_: PathBuf) -> Result<Arc<dyn Keep>, Failure> {
    Err(Failure::Usage(
        "this program was built without --keyring: build it with the feature \"keyring\", or leave it out"
            .to_owned(),
    ))
}

/// `mcp-oauth/credentials.json` in the person's configuration directory.
fn default_path() -> Option<PathBuf> {
    let variable = |name: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from).filter(|path| path.is_absolute())
    };
    let directory = if cfg!(windows) {
        variable("APPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")))
    };
    Some(directory?.join("mcp-oauth").join("credentials.json"))
}

/// The address of an MCP server, as a person writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl(Url);

impl Deref for ServerUrl {
    type Target = Url;

    fn deref(&self) -> &Url {
        &self.0
    }
}

impl FromStr for ServerUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url =
            Url::parse(text).map_err(|_| "a whole address is needed, such as https://mcp.example.com/mcp")?;
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return Err("it must begin with https:// (http:// is for this machine only)");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it must not have a user name or a password in it");
        }
        if url.fragment().is_some() {
            return Err("it must not have a # in it");
        }
        Ok(Self(url))
    }
}

/// `NAME=ADDRESS`.
fn resolve(text: &str) -> Result<(String, IpAddr), &'static str> {
    const PROBLEM: &str = "it must be NAME=ADDRESS, such as mcp.example.com=127.0.0.1";
    let (name, address) = text.split_once('=').ok_or(PROBLEM)?;
    let address = address.trim_matches(['[', ']']).parse().map_err(|_| PROBLEM)?;
    if name.is_empty() {
        return Err(PROBLEM);
    }
    Ok((name.to_ascii_lowercase(), address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_reached_where_the_person_says() {
        let expected = |address: &str| Ok(("a.example".to_owned(), address.parse().unwrap()));
        assert_eq!(resolve("A.example=127.0.0.1"), expected("127.0.0.1"));
        assert_eq!(resolve("a.example=[::1]"), expected("::1"));
        assert_eq!(resolve("a.example=::1"), expected("::1"));
        for text in [
            "",
            "a.example",
            "a.example=",
            "=127.0.0.1",
            "a.example=b.example",
            "a.example=127.0.0.1:443",
        ] {
            assert!(resolve(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_a_whole_one() {
        assert!("https://mcp.example.com/mcp".parse::<ServerUrl>().is_ok());
        assert!("http://127.0.0.1:8000/mcp".parse::<ServerUrl>().is_ok());
        for text in [
            "mcp.example.com/mcp",
            "mcp.example.com:443/mcp",
            "ftp://mcp.example.com",
            "https://me:secret@mcp.example.com/mcp",
            "https://mcp.example.com/mcp#a",
            "",
        ] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }
}
