// The official TypeScript SDK against a server where nobody is asked for a login: begins one when the server wants a token, be that
// at once or in the middle of a session, and refreshes when the token has ended.
// Usage: login.mjs <sse|http> <MCP URL>
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [kind, url] = process.argv.slice(2);
const Transport = { sse: SSEClientTransport, http: StreamableHTTPClientTransport }[kind];
const redirectUrl = "http://127.0.0.1:33418/callback";

const kept = {};
let code;
const authProvider = {
  redirectUrl,
  clientMetadata: {
    client_name: "TypeScript SDK",
    redirect_uris: [redirectUrl],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  codeVerifier: () => kept.verifier,
  async redirectToAuthorization(address) {
    kept.resource = address.searchParams.get("resource");
    const answer = await fetch(address, { redirect: "manual" });
    const target = answer.headers.get("location");
    if (!target) throw new Error(`no redirect but ${answer.status}`);
    code = new URL(target).searchParams.get("code");
  },
};

let transport = new Transport(new URL(url), { authProvider });
let client = new Client({ name: "login", version: "1" });
/** Whether it needed a login. */
async function refused(step) {
  try {
    await step();
    return false;
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    await transport.finishAuth(code);
    return true;
  }
}
const who = async () => (await client.callTool({ name: "get_user_profile", arguments: {} })).structuredContent.login;

const atConnect = await refused(() => client.connect(transport));
if (atConnect) {
  transport = new Transport(new URL(url), { authProvider });
  client = new Client({ name: "login", version: "1" });
  await client.connect(transport);
}
const tools = (await client.listTools()).tools.map((tool) => tool.name);
const atCall = await refused(who);
const login = await who();
const { refresh_token } = kept.tokens;
kept.tokens = { ...kept.tokens, access_token: `${kept.tokens.access_token}x` };
const again = await who();
const refreshed = kept.tokens.refresh_token !== refresh_token;
console.log(JSON.stringify({ atConnect, atCall, tools, login, again, refreshed, resource: kept.resource }));
process.exit(0);
