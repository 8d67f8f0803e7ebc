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
        SubscribeRequestMethod, SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestMethod,
        UnsubscribeRequestParams,
    },
    service::{RequestContext, SubscriptionContext},
};

use super::{
    changes::{self, Changes, Hearing},
    offers,
};
use crate::mcp::tools::Tools;

type Context = RequestContext<RoleServer>;

/// What the server offers one session.
#[derive(Clone)]
pub(crate) struct Offer {
    tools: Tools,
    exercises: Option<Exercises>,
}

/// What a session has set, and what it hears.
#[derive(Clone, Debug)]
struct Exercises {
    level: Arc<Mutex<Option<LoggingLevel>>>,
    hearing: Hearing,
}

impl Offer {
    /// The sample's tools, with the exercises or without.
    pub(in crate::mcp) fn new(tools: Tools, exercises: Option<Changes>) -> Self {
        let exercises = exercises.map(|changes| Exercises {
            level: Arc::default(),
            hearing: Hearing::of(changes),
        });
        Self { tools, exercises }
    }

    /// The exercises, where they are offered; a method that there is nothing for otherwise is none.
    fn exercises<M: ConstString>(&self) -> Result<&Exercises, ErrorData> {
        let none = ErrorData::method_not_found::<M>;
        self.exercises.as_ref().ok_or_else(none)
    }

    /// The exercises, if this is one of their tools.
    fn exercise(&self, tool: &str) -> Option<&Exercises> {
        let is_one = |_: &&Exercises| super::tools().iter().any(|other| other.name == tool);
        self.exercises.as_ref().filter(is_one)
    }
}

impl ServerHandler for Offer {
    fn get_info(&self) -> ServerConfig {
        let mut info = self.tools.get_info();
        if self.exercises.is_some() {
            info.capabilities = ServerCapabilities::builder()
                .enable_tools()
                .enable_tool_list_changed()
                .enable_prompts()
                .enable_prompts_list_changed()
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
        match self.exercise(&request.name) {
            None => self.tools.call_tool(request, context).await,
            Some(exercises) if changes::NAMES.contains(&&*request.name) => {
                exercises.hearing.trigger(&request.name, &context).await
            }
            Some(exercises) => super::call(&request, &context, exercises.level()).await,
        }
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

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        self.exercises.as_ref().map(|_| requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        if let Some(exercises) = &self.exercises {
            exercises.hearing.tell(&context).await;
        }
        Ok(())
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
