// The official TypeScript SDK with a token that is not enough for a tool: it asks the person for more, and calls again.
// Usage: step-up.mjs <MCP URL> [user] [tool] [its arguments, as JSON]
import { createServer } from "node:http";
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { openBrowser, walk } from "./browser.mjs";

const [mcpUrl, user = "octocat", name = "release", given = '{ "name": "x" }'] = process.argv.slice(2);

// the client's own loopback listener
const answers = [];
const listener = createServer((request, response) => {
  const url = new URL(request.url, "http://127.0.0.1");
  response.setHeader("content-type", "text/html").end("<title>client</title>You can close this window.");
  if (url.pathname === "/callback") answers.push(url.searchParams);
});
await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
const redirectUrl = `http://127.0.0.1:${listener.address().port}/callback`;

const kept = {};
const asked = [];
const browser = await openBrowser();
const provider = {
  redirectUrl,
  clientMetadata: {
    client_name: "TypeScript SDK",
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
    asked.push(url.searchParams.get("scope"));
    await walk(browser, url.toString(), { user });
  },
};

/** Does something; if the person has to be asked first, finishes that and does it again on a fresh connection. */
async function authorized(act) {
  const transport = new StreamableHTTPClientTransport(new URL(mcpUrl), { authProvider: provider });
  const client = new Client({ name: "end-to-end", version: "1" });
  try {
    await client.connect(transport);
    return await act(client);
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    await transport.finishAuth(answers.pop());
    const again = new Client({ name: "end-to-end", version: "1" });
    await again.connect(new StreamableHTTPClientTransport(new URL(mcpUrl), { authProvider: provider }));
    return await act(again);
  }
}

try {
  await authorized((client) => client.callTool({ name: "whoami", arguments: {} }));
  const first = kept.tokens.scope;
  const result = await authorized((client) => client.callTool({ name, arguments: JSON.parse(given) }));
  console.log(JSON.stringify({ first, asked: asked.at(-1), last: kept.tokens.scope, times: asked.length, result: result.content }));
} finally {
  await browser.close();
  listener.close();
}
process.exit(0);
