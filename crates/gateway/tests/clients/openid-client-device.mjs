// openid-client on a machine without a browser: asks for a code, waits for the person in Chromium, verifies the ID token.
// Usage: openid-client-device.mjs <issuer> <client id> <resource> <allow|deny> <directory for pictures>
import { join } from "node:path";
import * as openid from "openid-client";
import { openBrowser } from "./browser.mjs";

const [issuer, clientId, resource, decision, pictures] = process.argv.slice(2);
const config = await openid.discovery(new URL(issuer), clientId, undefined, openid.None());
openid.enableNonRepudiationChecks(config);
const asked = await openid.initiateDeviceAuthorization(config, {
  scope: "openid profile",
  resource,
});

// the person: no script, keyboard only
async function answer(browser) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  const seen = [];
  const see = async (name) => {
    seen.push(await page.title());
    await picture(page, name);
  };
  const arrive = (act) => Promise.all([page.waitForNavigation(), act()]);
  const enter = () => arrive(() => page.keyboard.press("Enter"));
  await page.goto(asked.verification_uri);
  await see("entry");
  await page.keyboard.type("bcdf ghjk");
  await enter();
  await see("wrong");
  await page.keyboard.type(asked.user_code.toLowerCase().replace("-", " "));
  await enter();
  await see("consent");
  const button = page.locator(`form[action$="/consent"] button[value="${decision}"]`);
  await button.focus();
  await enter();
  if (page.url().includes("/login/oauth/authorize")) {
    const octocat = page.locator("button", { hasText: "octocat" }).first();
    await arrive(() => octocat.click());
  }
  await see("end");
  await context.close();
  return seen;
}

const tooWide = [];

async function picture(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [320, 900]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      await page.screenshot({ path: join(pictures, `${name}-${colorScheme}-${width}.png`), fullPage: true });
      const needed = await page.evaluate(() => document.documentElement.scrollWidth);
      if (needed > width) tooWide.push(`${name} needs ${needed} of ${width}`);
    }
  }
}

const browser = await openBrowser();
try {
  const pages = await answer(browser);
  const seen = { pages, tooWide, complete: asked.verification_uri_complete ?? null };
  try {
    const tokens = await openid.pollDeviceAuthorizationGrant(config, asked, { resource });
    const claims = tokens.claims();
    Object.assign(seen, {
      claims,
      scope: tokens.scope,
      userinfo: await openid.fetchUserInfo(config, tokens.access_token, claims.sub),
      accessToken: tokens.access_token,
      refreshed: (await openid.refreshTokenGrant(config, tokens.refresh_token)).access_token,
    });
  } catch (error) {
    if (error.error === undefined) throw error;
    seen.error = error.error;
  }
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
process.exit(0);
