//! Opens a page in the person's browser, without a shell in between.

use std::{io, process::Stdio, time::Duration};

use tokio::process::Command;
use url::Url;

/// How long the program that opens the browser is watched for failing. Some are the browser itself, and stay.
const WATCHED: Duration = Duration::from_secs(2);

/// Which programs can open a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Browsers {
    /// What the person chose: commands separated by colons, with `%s` for the address.
    pub chosen: Option<String>,
    /// Whether there is a desktop to open a window on. Elsewhere than on Linux there always is.
    pub has_desktop: bool,
}

impl Browsers {
    /// Opens `url`.
    ///
    /// # Errors
    /// [`NoBrowser`] when no program can.
    pub async fn open(&self, url: &Url) -> Result<(), NoBrowser> {
        // what a server names must never become the name of a file or a program
        if !matches!(url.scheme(), "https" | "http") {
            return Err(NoBrowser);
        }
        for command in self.commands(url) {
            if start(&command).await.is_ok() {
                return Ok(());
            }
        }
        Err(NoBrowser)
    }

    /// Whether there is a program that could open a page.
    #[must_use]
    pub fn any(&self) -> bool {
        self.chosen.is_some() || self.has_desktop || cfg!(target_os = "macos") || cfg!(windows)
    }

    /// Programs and their arguments, in the order in which they are tried.
    fn commands(&self, url: &Url) -> Vec<Vec<String>> {
        let chosen = self.chosen.iter().flat_map(|list| list.split(':'));
        let mut commands: Vec<_> = chosen.filter_map(|text| command(text, url.as_str())).collect();
        let system: &[&str] = if cfg!(target_os = "macos") {
            &["open"]
        } else if cfg!(windows) {
            &["rundll32", "url.dll,FileProtocolHandler"]
        } else {
            &["xdg-open"]
        };
        if commands.is_empty() && (self.has_desktop || cfg!(target_os = "macos") || cfg!(windows)) {
            let words = system.iter().map(|word| (*word).to_owned());
            commands.push(words.chain([url.to_string()]).collect());
        }
        commands
    }
}

/// One of the commands that the person chose.
fn command(text: &str, url: &str) -> Option<Vec<String>> {
    let mut has_place = false;
    let mut words: Vec<_> = text
        .split_whitespace()
        .map(|word| {
            has_place |= word.contains("%s");
            word.replace("%s", url)
        })
        .collect();
    if words.is_empty() {
        return None;
    }
    if !has_place {
        words.push(url.to_owned());
    }
    Some(words)
}

async fn start(command: &[String]) -> io::Result<()> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::NotFound)?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    match tokio::time::timeout(WATCHED, child.wait()).await {
        Ok(Ok(status)) if !status.success() => Err(io::Error::other("it failed")),
        _ => Ok(()),
    }
}

/// No program here can open a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no browser can be opened here")]
pub struct NoBrowser;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_argument_whatever_is_in_it() {
        let url = Url::parse("https://a.example/x?y=$(touch%20z);&'\"|`id`").unwrap();
        let browsers = Browsers {
            chosen: Some("first --new %s:second".to_owned()),
            has_desktop: true,
        };
        let expected = [vec!["first", "--new", url.as_str()], vec!["second", url.as_str()]];
        assert_eq!(browsers.commands(&url), expected);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn without_a_desktop_only_what_the_person_chose_is_tried() {
        let url = Url::parse("https://a.example/").unwrap();
        assert!(Browsers::default().commands(&url).is_empty());
        let desktop = Browsers {
            has_desktop: true,
            ..Browsers::default()
        };
        assert_eq!(desktop.commands(&url), [["xdg-open", url.as_str()]]);
    }

    #[tokio::test]
    async fn what_is_not_the_web_is_not_opened() {
        let browsers = Browsers {
            chosen: Some("true".to_owned()),
            has_desktop: true,
        };
        for address in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "ms-settings:x",
            "ssh://-oProxyCommand=x/",
        ] {
            assert_eq!(
                browsers.open(&Url::parse(address).unwrap()).await,
                Err(NoBrowser),
                "{address}"
            );
        }
        assert_eq!(
            browsers.open(&Url::parse("https://a.example/").unwrap()).await,
            Ok(())
        );
    }

    #[tokio::test]
    async fn the_next_command_is_tried_when_one_fails() {
        let open = async |chosen: &str| {
            let browsers = Browsers {
                chosen: Some(chosen.to_owned()),
                has_desktop: false,
            };
            browsers.open(&Url::parse("https://a.example/").unwrap()).await
        };
        assert_eq!(open("no-such-program-here:false:true").await, Ok(()));
        assert_eq!(open("no-such-program-here:false").await, Err(NoBrowser));
    }
}
