// openid-client: an OpenID Connect client registers, sends the person to Chromium, verifies the ID token with the published
// keys, asks who it is, and refreshes. Usage: openid-client.mjs <issuer> <resource>
import * as openid from "openid-client";
import { openBrowser, walk } from "./browser.mjs";

const [issuer, resource] = process.argv.slice(2);
const redirect_uri = "http://127.0.0.1:33418/callback";
const metadata = {
  client_name: "openid-client",
  redirect_uris: [redirect_uri],
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  token_endpoint_auth_method: "none",
};
const config = await openid.dynamicClientRegistration(new URL(issuer), metadata, openid.None());
// the signature counts, not only where the token came from
openid.enableNonRepudiationChecks(config);

const pkceCodeVerifier = openid.randomPKCECodeVerifier();
const expectedState = openid.randomState();
const expectedNonce = openid.randomNonce();
const url = openid.buildAuthorizationUrl(config, {
  redirect_uri,
  scope: "openid profile email offline_access",
  code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  state: expectedState,
  nonce: expectedNonce,
  max_age: "600",
  resource,
});
const browser = await openBrowser();
try {
  const walked = await walk(browser, url.href);
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, maxAge: 600, idTokenExpected: true };
  const tokens = await openid.authorizationCodeGrant(config, new URL(walked.url), checks, { resource });
  const claims = tokens.claims();
  const userinfo = await openid.fetchUserInfo(config, tokens.access_token, claims.sub);
  const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token);
  console.log(
    JSON.stringify({
      server: config.serverMetadata(),
      scope: tokens.scope,
      claims,
      userinfo,
      refreshedClaims: refreshed.claims(),
      idToken: tokens.id_token,
      accessToken: tokens.access_token,
      pages: walked.seen,
    }),
  );
} finally {
  await browser.close();
}
process.exit(0);
