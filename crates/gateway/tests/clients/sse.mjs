// The official TypeScript SDK over HTTP with Server-Sent Events, the transport of revision 2024-11-05: lists the tools, keeps
// something and takes it back, and acknowledges each piece of an answer that comes in pieces.
// Usage: sse.mjs <URL of the stream> [--header "name: value"]...
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";

const [url, ...options] = process.argv.slice(2);
const headers = {};
for (let at = 0; at < options.length; at += 2) {
  if (options[at] !== "--header") throw new Error(`unknown option ${options[at]}`);
  const [name, ...value] = options[at + 1].split(": ");
  headers[name] = value.join(": ");
}

const transport = new SSEClientTransport(new URL(url), { requestInit: { headers } });
const client = new Client({ name: "sse", version: "1" });
await client.connect(transport);
const call = async (name, args, ...more) => {
  const result = await client.callTool({ name, arguments: args }, ...more);
  if (result.isError) throw new Error(`${name}: ${JSON.stringify(result)}`);
  return result.structuredContent;
};

const tools = (await client.listTools()).tools.map((tool) => tool.name);
const item = await call("create_data", { name: "over SSE", value: 1 });
const { items } = await call("get_data", {});
const deleted = await call("delete_data", { item_id: item.id });

const pieces = [];
const onprogress = async ({ progress }) => {
  pieces.push(progress);
  await call("release", { name: "sse" });
};
await call("hold", { name: "sse", pieces: 3 }, undefined, { onprogress });
const who = await call("whoami", {});
await client.close();
console.log(JSON.stringify({ tools, item, items, deleted, pieces, who }));
process.exit(0);
