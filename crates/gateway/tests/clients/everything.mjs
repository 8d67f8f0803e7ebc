// The official TypeScript SDK's client at server-everything: it lists tools, calls them, hears how far they are, and answers
// what the server asks it. Usage: everything.mjs <MCP URL> <token with read> <token with write>
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CreateMessageRequestSchema, LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

const [mcpUrl, reader, writer] = process.argv.slice(2);

let asked;
let heard;
const logged = new Promise((resolve) => (heard = resolve));

/** A connected client that sends this token. */
async function connect(token) {
  const client = new Client({ name: "end-to-end", version: "1" }, { capabilities: { sampling: {} } });
  client.setRequestHandler(CreateMessageRequestSchema, async (request) => {
    asked = request.params.messages[0].content.text;
    return { model: "none", role: "assistant", content: { type: "text", text: "a test" } };
  });
  client.setNotificationHandler(LoggingMessageNotificationSchema, (message) => heard(String(message.params.data)));
  const transport = new StreamableHTTPClientTransport(new URL(mcpUrl), {
    requestInit: { headers: { Authorization: `Bearer ${token}` } },
  });
  await client.connect(transport);
  return [client, transport];
}

const operation = { name: "trigger-long-running-operation", arguments: { duration: 0.3, steps: 3 } };

const [looking] = await connect(reader);
const echoed = await looking.callTool({ name: "echo", arguments: { message: "hello" } });
await looking.close();
const refusal = await fetch(mcpUrl, {
  method: "POST",
  headers: { Authorization: `Bearer ${reader}`, "Content-Type": "application/json", Accept: "application/json, text/event-stream" },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: operation }),
});
const refused = [refusal.status, /scope="([^"]*)"/.exec(refusal.headers.get("www-authenticate"))?.[1]];

const [client, transport] = await connect(writer);
const tools = (await client.listTools()).tools.map((tool) => tool.name);
const events = [];
await client.callTool(operation, undefined, {
  onprogress: ({ progress, total }) => events.push(`progress ${progress} of ${total}`),
});
events.push("done");
const sampled = await client.callTool({ name: "trigger-sampling-request", arguments: { prompt: "who are you?" } });
await client.callTool({ name: "toggle-simulated-logging", arguments: {} });
const line = await logged;
await client.callTool({ name: "toggle-simulated-logging", arguments: {} });
const session = transport.sessionId;
await transport.terminateSession();
const gone = await fetch(mcpUrl, { headers: { Authorization: `Bearer ${writer}`, "Mcp-Session-Id": session } });
await client.close();
console.log(
  JSON.stringify({
    tools,
    echoed: echoed.content,
    refused,
    events,
    asked,
    sampled: sampled.content,
    logged: line,
    afterwards: gone.status,
  }),
);
process.exit(0);
