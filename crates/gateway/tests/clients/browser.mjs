// A person in front of Chromium: allows (or denies) what the consent page asks, and picks a user at the stand-in GitHub.
import { chromium } from "playwright-core";

export async function openBrowser() {
  const domain = process.env.TEST_DOMAIN;
  const rules = domain ? [`--host-resolver-rules=MAP *.${domain} 127.0.0.1`] : [];
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--ignore-certificate-errors",
      ...rules,
    ],
  });
}

/** Goes from an authorization URL to the end of the flow; answers the titles of the pages seen and the last address asked for. */
export async function walk(browser, url, { user = "octocat", decision = "allow", context } = {}) {
  const own = context === undefined;
  context ??= await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  const seen = [];
  // the way back to a client that does not listen is an address all the same
  let asked = url;
  page.on("request", (request) => {
    if (request.isNavigationRequest() && request.frame() === page.mainFrame()) asked = request.url();
  });
  await page.goto(url);
  seen.push(await page.title());
  await page.click(`form[action$="/consent"] button[name="decision"][value="${decision}"]`);
  await page.waitForLoadState();
  const choice = page.locator("button", { hasText: user }).first();
  if (page.url().includes("/login/oauth/authorize")) {
    seen.push(await page.title());
    await choice.click();
    await page.waitForLoadState();
  }
  const result = { seen, url: asked, title: await page.title(), text: await page.innerText("body") };
  if (own) await context.close();
  else await page.close();
  return result;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [url, user, decision] = process.argv.slice(2);
  const browser = await openBrowser();
  try {
    console.log(JSON.stringify(await walk(browser, url, { user, decision })));
  } finally {
    await browser.close();
  }
}
