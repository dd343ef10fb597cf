// What a browser does when somebody signs in: redirects, cookies, two forms, and a code (RFC 6749, 4.1; RFC 7636) that is
// changed for an access token. It prints the token. node person.mjs ISSUER NAME RESOURCE
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";

const [issuer, name, resource] = process.argv.slice(2);
const cookies = new Map();

// Where a chain of redirects ends.
async function open(url, form) {
  const headers = { cookie: [...cookies].map((pair) => pair.join("=")).join("; ") };
  const body = form && new URLSearchParams(form);
  const answer = await fetch(url, { method: form ? "POST" : "GET", headers, body, redirect: "manual" });
  for (const line of answer.headers.getSetCookie()) {
    const [, key, value] = line.match(/^([^=]+)=([^;]*)/);
    cookies.set(key, value);
  }
  const next = answer.headers.get("location");
  if (next) return open(new URL(next, url).href);
  assert.equal(answer.status, 200, await answer.text());
  return url;
}

const verifier = randomBytes(32).toString("base64url");
const asked = new URLSearchParams({
  client_id: "browser",
  response_type: "code",
  redirect_uri: `${issuer}/signed-in`,
  scope: "openid desk",
  resource,
  code_challenge: createHash("sha256").update(verifier).digest("base64url"),
  code_challenge_method: "S256",
});
const login = await open(`${issuer}/auth?${asked}`);
const consent = await open(login, { prompt: "login", login: name, password: "any" });
const back = await open(consent, { prompt: "consent" });
const code = new URL(back).searchParams.get("code");
assert.ok(code, back);

const body = new URLSearchParams({
  grant_type: "authorization_code",
  client_id: "browser",
  client_secret: "secret",
  redirect_uri: `${issuer}/signed-in`,
  code,
  code_verifier: verifier,
  resource,
});
const answer = await (await fetch(`${issuer}/token`, { method: "POST", body })).json();
assert.ok(answer.access_token, JSON.stringify(answer));
console.log(answer.access_token);
