//! The sample's own tools, and beside them, where that is wanted, what the suite asks for.
#![expect(
    deprecated,
    reason = "logging and resources/subscribe are what clients of the older revisions have"
)]

use std::sync::{Arc, Mutex, PoisonError};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, ConstString,
        GetPromptRequestMethod, GetPromptRequestParams, GetPromptResponse, ListPromptsResult,
        ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel,
        PaginatedRequestParams, ReadResourceRequestMethod, ReadResourceRequestParams, ReadResourceResponse,
        ServerCapabilities, ServerConfig, SetLevelRequestMethod, SetLevelRequestParams,
        SubscribeRequestMethod, SubscribeRequestParams, Tool, UnsubscribeRequestMethod,
        UnsubscribeRequestParams,
    },
    service::RequestContext,
};

use super::offers;
use crate::mcp::tools::Tools;

type Context = RequestContext<RoleServer>;

/// What the server offers one session.
#[derive(Clone)]
pub(crate) struct Offer {
    tools: Tools,
    exercises: Option<Exercises>,
}

/// What a session has set.
#[derive(Clone, Debug, Default)]
struct Exercises {
    level: Arc<Mutex<Option<LoggingLevel>>>,
}

impl Offer {
    /// The sample's tools, with the exercises or without.
    pub(in crate::mcp) fn new(tools: Tools, exercises: bool) -> Self {
        Self {
            tools,
            exercises: exercises.then(Exercises::default),
        }
    }

    /// The exercises, where they are offered; a method that there is nothing for otherwise is none.
    fn exercises<M: ConstString>(&self) -> Result<&Exercises, ErrorData> {
        let none = ErrorData::method_not_found::<M>;
        self.exercises.as_ref().ok_or_else(none)
    }

    fn is_exercise(&self, tool: &str) -> bool {
        self.exercises.is_some() && super::tools().iter().any(|other| other.name == tool)
    }
}

impl ServerHandler for Offer {
    fn get_info(&self) -> ServerConfig {
        let mut info = self.tools.get_info();
        if self.exercises.is_some() {
            info.capabilities = ServerCapabilities::builder()
                .enable_tools()
                .enable_prompts()
                .enable_resources()
                .enable_resources_subscribe()
                .enable_logging()
                .enable_completions()
                .build();
        }
        info
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut listed = self.tools.list_tools(request, context).await?;
        if self.exercises.is_some() {
            listed.tools.extend(super::tools());
        }
        Ok(listed)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let exercises = self.exercises.as_ref().map(|_| super::tools());
        let exercise = exercises.into_iter().flatten().find(|tool| tool.name == name);
        exercise.or_else(|| self.tools.get_tool(name))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        if !self.is_exercise(&request.name) {
            return self.tools.call_tool(request, context).await;
        }
        let level = self.exercises.as_ref().and_then(Exercises::level);
        super::call(&request, &context, level).await
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        match self.exercises {
            Some(_) => offers::prompts(),
            None => Ok(ListPromptsResult::default()),
        }
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.exercises::<GetPromptRequestMethod>()?;
        offers::prompt(&request)
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        match self.exercises {
            Some(_) => offers::resources(),
            None => Ok(ListResourcesResult::default()),
        }
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        match self.exercises {
            Some(_) => offers::resource_templates(),
            None => Ok(ListResourceTemplatesResult::default()),
        }
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.exercises::<ReadResourceRequestMethod>()?;
        offers::resource(&request)
    }

    async fn subscribe(&self, request: SubscribeRequestParams, _context: Context) -> Result<(), ErrorData> {
        self.exercises::<SubscribeRequestMethod>()?;
        offers::known(&request.uri)
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: Context,
    ) -> Result<(), ErrorData> {
        self.exercises::<UnsubscribeRequestMethod>()?;
        offers::known(&request.uri)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _context: Context,
    ) -> Result<CompleteResult, ErrorData> {
        match self.exercises {
            Some(_) => offers::complete(&request),
            None => Ok(CompleteResult::default()),
        }
    }

    async fn set_level(&self, request: SetLevelRequestParams, _context: Context) -> Result<(), ErrorData> {
        self.exercises::<SetLevelRequestMethod>()?
            .set_level(request.level);
        Ok(())
    }
}

impl Exercises {
    /// The least that the client wants in its log, if it has said so.
    fn level(&self) -> Option<LoggingLevel> {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_level(&self, level: LoggingLevel) {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = Some(level);
    }
}
