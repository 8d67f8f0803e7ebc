// The official TypeScript SDK: discovers, registers, sends the person to Chromium, calls a tool, refreshes, calls again.
// Usage: typescript-sdk.mjs <1|2> <MCP URL> [user] [address of its metadata document, in place of a registration]
import { createServer } from "node:http";
import { openBrowser, walk } from "./browser.mjs";

const [major, mcpUrl, user = "octocat", clientMetadataUrl] = process.argv.slice(2);

async function load() {
  if (major === "2") {
    const { Client, StreamableHTTPClientTransport, UnauthorizedError, auth } = await import("@modelcontextprotocol/client");
    return { Client, StreamableHTTPClientTransport, UnauthorizedError, auth };
  }
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const { UnauthorizedError, auth } = await import("@modelcontextprotocol/sdk/client/auth.js");
  return { Client, StreamableHTTPClientTransport, UnauthorizedError, auth };
}

const { Client, StreamableHTTPClientTransport, UnauthorizedError, auth } = await load();

// the client's own loopback listener
let callback;
const arrived = new Promise((resolve) => (callback = resolve));
const listener = createServer((request, response) => {
  const url = new URL(request.url, "http://127.0.0.1");
  response.setHeader("content-type", "text/html").end("<title>client</title>You can close this window.");
  if (url.pathname === "/callback") callback(url.searchParams);
});
await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
const redirectUrl = `http://127.0.0.1:${listener.address().port}/callback`;

const kept = {};
let walked;
const browser = await openBrowser();
const provider = {
  redirectUrl,
  clientMetadataUrl,
  clientMetadata: {
    client_name: `TypeScript SDK ${major}`,
    redirect_uris: [redirectUrl],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
    application_type: "native",
  },
  state: () => "state-of-the-sdk",
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  codeVerifier: () => kept.verifier,
  saveDiscoveryState: (state) => void (kept.discovery = state),
  discoveryState: () => kept.discovery,
  async redirectToAuthorization(url) {
    walked = await walk(browser, url.toString(), { user });
  },
};

const connect = async (transport) => {
  const client = new Client({ name: "end-to-end", version: "1" });
  await client.connect(transport);
  return client;
};

try {
  const first = new StreamableHTTPClientTransport(new URL(mcpUrl), { authProvider: provider });
  let refused = false;
  try {
    await connect(first);
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    refused = true;
  }
  const answer = await arrived;
  await first.finishAuth(major === "2" ? answer : answer.get("code"), answer.get("iss") ?? undefined);
  const transport = new StreamableHTTPClientTransport(new URL(mcpUrl), { authProvider: provider });
  const client = await connect(transport);
  const tools = (await client.listTools()).tools.map((tool) => tool.name);
  const before = await client.callTool({ name: "whoami", arguments: {} });
  const oldTokens = kept.tokens;
  await auth(provider, { serverUrl: mcpUrl });
  const after = await client.callTool({ name: "whoami", arguments: {} });
  await client.close();
  console.log(
    JSON.stringify({
      refused,
      tools,
      whoami: before.content,
      whoamiAfterRefresh: after.content,
      refreshed: kept.tokens.refresh_token !== oldTokens.refresh_token,
      state: answer.get("state"),
      iss: answer.get("iss"),
      registered: kept.client,
      pages: walked.seen,
      accessToken: kept.tokens.access_token,
      refreshToken: kept.tokens.refresh_token,
    }),
  );
} finally {
  await browser.close();
  listener.close();
}
process.exit(0);
