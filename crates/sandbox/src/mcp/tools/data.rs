//! The caller's profile and data, as the REST API has them.

use mcp_gateway_model::clock::{Clock as _, SystemClock};
use rmcp::{
    Json, RoleServer, handler::server::wrapper::Parameters, model::CallToolResult, schemars,
    service::RequestContext, tool, tool_router,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Tools, failed};
use crate::mcp::{
    identity::Profile,
    items::{Draft, Fault, Item, Unchanged},
};

#[derive(Serialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct List {
    /// The items, the oldest first.
    items: Vec<Item>,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Create {
    /// What it is called: at most 100 characters.
    name: String,
    /// What is kept: any JSON, at most 4096 bytes.
    value: Value,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Update {
    /// The item's id, as `get_data` lists it.
    item_id: String,
    /// What it is called from now on: at most 100 characters; left out, it stays.
    name: Option<String>,
    /// What is kept from now on: any JSON, at most 4096 bytes; left out, it stays.
    value: Option<Value>,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Delete {
    /// The item's id, as `get_data` lists it.
    item_id: String,
}

#[tool_router(router = data, vis = "pub(super)")]
impl Tools {
    #[tool(
        description = "Tells who you are and how much you keep here. Needs the scope \"read\".",
        annotations(title = "Profile", read_only_hint = true, open_world_hint = false)
    )]
    async fn get_user_profile(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Result<Json<Profile>, CallToolResult> {
        let caller = self.allowed(&context, "get_user_profile")?;
        Ok(Json(Profile::of(caller, self.items.of(&caller.user).len())))
    }

    #[tool(
        description = "Lists your data: named values that only you see. Needs the scope \"read\".",
        annotations(title = "List data", read_only_hint = true, open_world_hint = false)
    )]
    async fn get_data(&self, context: RequestContext<RoleServer>) -> Result<Json<List>, CallToolResult> {
        let caller = self.allowed(&context, "get_data")?;
        let items = self.items.of(&caller.user);
        Ok(Json(List { items }))
    }

    #[tool(
        description = "Keeps a value under a name; answers the new item with its id. Needs the scope \"write\".",
        annotations(
            title = "Create data",
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = false
        )
    )]
    async fn create_data(
        &self,
        Parameters(Create { name, value }): Parameters<Create>,
        context: RequestContext<RoleServer>,
    ) -> Result<Json<Item>, CallToolResult> {
        let caller = self.allowed(&context, "create_data")?;
        let draft = Draft::whole(Some(name.into()), Some(value)).map_err(faulty)?;
        let created = self.items.create(&caller.user, draft, SystemClock.now()).await;
        created.map(Json).map_err(unchanged)
    }

    #[tool(
        description = "Changes the name or the value of an item of yours, or both. Needs the scope \"write\".",
        annotations(
            title = "Update data",
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn update_data(
        &self,
        Parameters(Update { item_id, name, value }): Parameters<Update>,
        context: RequestContext<RoleServer>,
    ) -> Result<Json<Item>, CallToolResult> {
        let caller = self.allowed(&context, "update_data")?;
        let draft = Draft::part(name.map(Value::from), value).map_err(faulty)?;
        let items = &self.items;
        let updated = items
            .update(&caller.user, &item_id, draft, SystemClock.now())
            .await;
        updated.map(Json).map_err(unchanged)
    }

    #[tool(
        description = "Deletes an item of yours; answers what it was. Needs the scope \"write\".",
        annotations(
            title = "Delete data",
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = false,
            open_world_hint = false
        )
    )]
    async fn delete_data(
        &self,
        Parameters(Delete { item_id }): Parameters<Delete>,
        context: RequestContext<RoleServer>,
    ) -> Result<Json<Item>, CallToolResult> {
        let caller = self.allowed(&context, "delete_data")?;
        let deleted = self.items.delete(&caller.user, &item_id).await;
        deleted.map(Json).map_err(unchanged)
    }
}

fn faulty(faults: Vec<Fault>) -> CallToolResult {
    let details: Vec<_> = faults.into_iter().map(|fault| fault.detail).collect();
    failed(&details.join("; "))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn unchanged(reason: Unchanged) -> CallToolResult {
    failed(&reason.to_string())
}
