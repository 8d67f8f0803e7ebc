// MCP Inspector in Chromium, as a person uses it: connect, log in, list the tools, call one. Prints what it showed.
//
//   node inspector.mjs <MCP URL> <port> <directory for what it keeps> <tool> <what its answer has to have in it>
//
// INSPECTOR_SCREENSHOT=<file> takes a picture at the end.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { openBrowser } from "./browser.mjs";

const [url, port, home, tool, answer] = process.argv.slice(2);
const here = new URL(".", import.meta.url).pathname;
// the Inspector needs a newer Node than many machines have: the one that is installed beside the conformance suite
const node = `${here}../conformance/node_modules/.bin/node`;
const launcher = `${here}../inspector/node_modules/.bin/mcp-inspector`;

/** Starts the Inspector; answers the process and the address that it prints. */
async function inspector() {
  for (const file of [node, launcher]) {
    if (!existsSync(file)) throw new Error(`${file} is missing: run scripts/setup`);
  }
  const child = spawn(node, [launcher, "--server-url", url, "--transport", "http"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env.PATH,
      HOME: home,
      CLIENT_PORT: port,
      MCP_SANDBOX_PORT: "0",
      MCP_APP_ORIGIN_PORT: "0",
      MCP_AUTO_OPEN_ENABLED: "false",
      MCP_INSPECTOR_SECRET_STORE: "memory",
    },
  });
  let said = "";
  for await (const piece of child.stdout) {
    said += piece;
    const address = /up and running at:\s+(http\S+)\s/.exec(said);
    if (address) {
      child.stdout.on("data", () => {}); // nobody reads on, and it must not wait for that
      return { child, address: address[1] };
    }
  }
  throw new Error(`the Inspector does not start: ${said}`);
}

/** From the consent page over the stand-in GitHub back to where the client listens. */
async function logIn(page) {
  const titles = [];
  await page.waitForURL(/\/authorize\?/);
  titles.push(await page.title());
  await page.click('form[action$="/consent"] button[name="decision"][value="allow"]');
  await page.waitForURL(/\/login\/oauth\/authorize/);
  titles.push(await page.title());
  await page.locator("button", { hasText: "octocat" }).first().click();
  return titles;
}

async function use(page, address) {
  await page.goto(address);
  const server = page.getByRole("switch", { name: /Connect or disconnect/ });
  await server.click({ force: true });
  const pages = await logIn(page);
  await page.getByText("Authorization complete").waitFor();
  await page.locator("label", { hasText: /^Tools$/ }).click();
  const count = Number(/\d+/.exec(await page.getByText(/^Tools \(\d+\)$/).innerText())[0]);
  const list = page.locator('button[data-variant="listItem"]');
  const tools = (await list.allInnerTexts()).map((text) => text.split("\n")[0]);
  await list.filter({ hasText: new RegExp(`^${tool}$`) }).click();
  await page.getByRole("button", { name: "Execute Tool" }).click();
  await page.getByText("Results", { exact: true }).waitFor();
  await page.getByText(answer).first().waitFor();
  const text = await page.innerText("body");
  return { pages, count, tools, text };
}

const browser = await openBrowser();
let running;
try {
  running = await inspector();
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const seen = await use(page, running.address);
  if (process.env.INSPECTOR_SCREENSHOT) {
    await page.getByText("Authorization complete").waitFor({ state: "hidden" });
    await page.screenshot({ path: process.env.INSPECTOR_SCREENSHOT });
  }
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
  if (running) {
    running.child.kill();
    await once(running.child, "exit");
  }
}
