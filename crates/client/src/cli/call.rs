//! `tools` and `call`.

use std::io::Read;

use clap::Args;
use mcp_gateway_client::{
    mcp::{Listener, McpFault, Notice, Session, Tool},
    words::shown,
};
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    account::{Account, Caller, CallerFault},
    arguments,
    failure::Failure,
    options::{Options, ServerUrl},
    output::{end_progress, progress, remark, say, say_json},
};

pub(super) const TOOLS_EXAMPLES: &str = "Examples:
  mcp-oauth tools https://mcp.example.com/mcp
  mcp-oauth tools https://mcp.example.com/mcp --json";

pub(super) const CALL_EXAMPLES: &str = "Examples:
  mcp-oauth call https://mcp.example.com/mcp echo --arg message=hello
  mcp-oauth call https://mcp.example.com/mcp search --arg tags=a --arg tags=b --arg limit=10
  mcp-oauth call https://mcp.example.com/mcp create_issue --args '{\"title\": \"It works\"}' --json
  mcp-oauth call https://mcp.example.com/mcp create_issue --args - < issue.json

A value becomes what the tool's schema says: text, a number, true or false, JSON.
Exit code 4: the tool says that it failed.";

/// Options of `call`.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// The MCP server's address
    #[arg(value_name = "URL")]
    server: ServerUrl,
    /// The tool's name
    tool: String,
    /// An argument of the tool; repeat it for more
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = arguments::pair)]
    pairs: Vec<(String, String)>,
    /// All arguments as a JSON object; - reads it from standard input
    #[arg(long = "args", value_name = "JSON")]
    whole: Option<String>,
}

type Conversation = Session<Caller>;

async fn open(options: &Options, server: &Url) -> Result<Conversation, Failure> {
    let account = Account::of(options, server).await?;
    let caller = account.caller().await?;
    Ok(Session::open(caller, server.clone(), listener(options.json)).await?)
}

/// Shows what a server says while it works.
fn listener(is_quiet: bool) -> Listener {
    Box::new(move |notice| match notice {
        _ if is_quiet => {}
        Notice::Progress { done, total, message } => {
            let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
            let message = message
                .map(|text| format!(": {}", shown(&text)))
                .unwrap_or_default();
            progress(&format!("{done}{of}{message}"));
        }
        Notice::Log(text) => remark(&shown(&text)),
    })
}

/// Shows what a server can do.
pub(super) async fn tools(options: &Options, server: &Url) -> Result<(), Failure> {
    let mut session = open(options, server).await?;
    let listed = session.tools().await;
    session.close().await;
    let tools = listed?;
    if options.json {
        say_json(&tools.iter().map(|tool| &tool.raw).collect::<Vec<_>>());
    } else if tools.is_empty() {
        remark("The server has no tools.");
    } else {
        say(&tools.iter().map(paragraph).collect::<Vec<_>>().join("\n\n"));
    }
    Ok(())
}

/// A tool for a person: what it does, and how it is called.
fn paragraph(tool: &Tool) -> String {
    let description = shown(&tool.description.lines().collect::<Vec<_>>().join(" "));
    let usage = arguments::usage(&tool.input_schema);
    let mut lines = vec![shown(&tool.name)];
    lines.extend(
        [description, shown(&usage)]
            .into_iter()
            .filter(|line| !line.is_empty())
            .map(|line| format!("    {line}")),
    );
    lines.join("\n")
}

/// Calls a tool.
pub(super) async fn call(options: &Options, args: CallArgs) -> Result<(), Failure> {
    let whole = args.whole.as_deref().map(whole).transpose()?.unwrap_or_default();
    let mut session = open(options, &args.server).await?;
    let called = with_tool(&mut session, &args.tool, (whole, &args.pairs)).await;
    session.close().await;
    end_progress();
    let outcome = called?;
    if options.json {
        say_json(&outcome.raw);
    } else {
        say(&outcome.text());
    }
    // the JSON says so itself
    if outcome.is_error {
        Err(Failure::Tool)
    } else {
        Ok(())
    }
}

async fn with_tool(
    session: &mut Conversation,
    name: &str,
    (mut arguments, pairs): (Map<String, Value>, &[(String, String)]),
) -> Result<mcp_gateway_client::mcp::Outcome, Failure> {
    let tool = match session.tools().await {
        Ok(tools) => named(tools, name)?,
        // whoever may call a tool need not be allowed to list them
        Err(McpFault::Rpc(_) | McpFault::Wire(CallerFault::Scope { .. })) => Tool::named(name),
        Err(fault) => return Err(fault.into()),
    };
    arguments::add(&mut arguments, pairs, &tool.input_schema).map_err(Failure::Usage)?;
    let called: Result<_, McpFault<CallerFault>> = session.call(&tool, arguments).await;
    Ok(called?)
}

/// The tool called `name`.
fn named(tools: Vec<Tool>, name: &str) -> Result<Tool, Failure> {
    let names: Vec<_> = tools.iter().map(|tool| shown(&tool.name)).collect();
    let found = tools.into_iter().find(|tool| tool.name == name);
    found.ok_or_else(|| {
        let names = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        Failure::Usage(format!(
            "the server has no tool \"{}\"; it has: {names}",
            shown(name)
        ))
    })
}

/// The arguments as an object.
fn whole(text: &str) -> Result<Map<String, Value>, Failure> {
    let mut read = String::new();
    let text = if text == "-" {
        let done = std::io::stdin().take(16 * 1024 * 1024).read_to_string(&mut read);
        done.map_err(|error| Failure::Usage(format!("--args: standard input cannot be read: {error}")))?;
        &read
    } else {
        text
    };
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Failure::Usage(format!(
            "--args must be a JSON object, such as {}",
            json!({ "message": "hello" })
        ))),
        Err(error) => Err(Failure::Usage(format!("--args is not JSON: {error}"))),
    }
}
