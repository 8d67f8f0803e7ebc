//! How the command line and the environment are read.

use std::{env, ffi::OsString, process::ExitCode};

use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, error::ErrorKind, parser::ValueSource};

use super::{Cli, failure::Failure, output};

/// Options of the person's commands that the service has others for.
const NOT_SERVED: [(&str, &str); 4] = [
    ("ca", "use --ca-file"),
    ("resolve", "use --dns-servers"),
    ("credentials", "it keeps what it gets in --data-dir, or in Redis"),
    ("keyring", "it keeps what it gets in --data-dir, or in Redis"),
];

impl Cli {
    /// Reads the command line.
    ///
    /// # Errors
    /// The exit code, when it says something that cannot be meant, or asks for help: that has been written then.
    pub(crate) fn read() -> Result<Self, ExitCode> {
        let arguments: Vec<OsString> = env::args_os().collect();
        let matches = command().try_get_matches_from(&arguments);
        let read = matches.and_then(|matches| {
            served(&matches)?;
            Self::from_arg_matches(&matches)
        });
        read.map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                let _unread = error.print();
                ExitCode::SUCCESS
            }
            _ if arguments
                .iter()
                .take_while(|one| *one != "--")
                .any(|one| one == "--json") =>
            {
                let failure = Failure::Usage(problem(&error));
                output::fail(&failure, true);
                failure.exit_code()
            }
            _ => {
                let _unread = error.print();
                ExitCode::from(2)
            }
        })
    }
}

/// The command line as it is read and completed: an empty variable counts as unset, and the service's help leaves out what it
/// does not take.
pub(super) fn command() -> Command {
    let command = Cli::command();
    let hidden: Vec<_> = command
        .get_arguments()
        .filter(|argument| NOT_SERVED.iter().any(|(id, _)| argument.get_id() == id))
        .map(|argument| argument.clone().hide(true))
        .collect();
    let has_service = command.find_subcommand("serve").is_some();
    let command = if has_service {
        command.mut_subcommand("serve", |serve| serve.args(hidden))
    } else {
        command
    };
    without_empty(command)
}

fn without_empty(command: Command) -> Command {
    let is_empty = |name: &std::ffi::OsStr| env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|argument| match argument.get_env() {
            Some(name) if is_empty(name) => argument.env(None),
            _ => argument,
        })
        .mut_subcommands(without_empty)
}

/// Refuses what the service would pass over.
fn served(matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some(serve) = matches.subcommand_matches("serve") else {
        return Ok(());
    };
    for (id, instead) in NOT_SERVED {
        if serve.value_source(id) == Some(ValueSource::CommandLine) {
            let problem = format!("serve takes no --{id}: {instead}");
            return Err(command().error(ErrorKind::ArgumentConflict, problem));
        }
    }
    Ok(())
}

/// What is wrong, without the usage that a person is shown with it.
fn problem(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let text = text.split("\n\nUsage:").next().unwrap_or_default();
    let text = text.split("\n\nFor more information").next().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }
}
