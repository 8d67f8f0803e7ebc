// mcp-remote: speaks MCP on stdio, logs in through the browser it opens, calls a tool.
// Usage: mcp-remote.mjs <MCP URL> <directory for its files> [user]
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync, existsSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { openBrowser, walk } from "./browser.mjs";

const [mcpUrl, directory, user = "octocat"] = process.argv.slice(2);
const here = new URL(".", import.meta.url).pathname;
mkdirSync(join(directory, "bin"), { recursive: true });

// the desktop's way to open a browser leaves the address here
const opened = join(directory, "opened-url");
for (const name of ["xdg-open", "open"]) {
  const script = join(directory, "bin", name);
  writeFileSync(script, `#!/bin/sh\nprintf '%s' "$1" > '${opened}.part' && mv '${opened}.part' '${opened}'\n`);
  chmodSync(script, 0o755);
}

const remote = spawn(
  process.execPath,
  ["--require", join(here, "loopback.cjs"), join(here, "node_modules/mcp-remote/dist/proxy.js"), mcpUrl, "--transport", "http-only", "--allow-http", "--debug"],
  {
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      ...process.env,
      PATH: `${join(directory, "bin")}:${process.env.PATH}`,
      MCP_REMOTE_CONFIG_DIR: join(directory, "config"),
      BROWSER: join(directory, "bin", "xdg-open"),
    },
  },
);
let log = "";
let noteLog;
remote.stderr.on("data", (chunk) => {
  log += chunk;
  noteLog?.();
});
const answers = new Map();
createInterface({ input: remote.stdout }).on("line", (line) => {
  const message = JSON.parse(line);
  answers.get(message.id)?.(message);
});
const ask = (id, method, params) =>
  new Promise((resolve) => {
    answers.set(id, resolve);
    remote.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
  });

const urlOpened = new Promise((resolve, reject) => {
  const look = () => {
    if (existsSync(opened)) return resolve(readFileSync(opened, "utf8"));
    const printed = log.match(/https?:\/\/\S+\/authorize\?\S+/);
    if (printed) resolve(printed[0]);
  };
  noteLog = look;
  watch(directory, look);
  remote.once("exit", (code) => reject(new Error(`mcp-remote ended with ${code}: ${log}`)));
});

const browser = await openBrowser();
try {
  const initialized = ask(1, "initialize", {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "end-to-end", version: "1" },
  });
  const walked = await walk(browser, await urlOpened, { user });
  const { result } = await initialized;
  remote.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })}\n`);
  const listed = await ask(2, "tools/list", {});
  const called = await ask(3, "tools/call", { name: "whoami", arguments: {} });
  console.log(
    JSON.stringify({
      server: result.serverInfo,
      tools: listed.result.tools.map((tool) => tool.name),
      whoami: called.result.content,
      pages: walked.seen,
    }),
  );
} catch (error) {
  console.error(log);
  throw error;
} finally {
  await browser.close();
  remote.kill();
}
process.exit(0);
