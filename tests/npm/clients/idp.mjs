// A certified OpenID provider that makes access tokens as JWTs, for programs (client credentials) and for people, who sign in on
// its pages (authorization code). It prints its issuer's URL;
// POST /rotate gives it keys that nobody knows yet, POST /rotate-quietly other keys under the same names. node idp.mjs
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

// Each client's tokens are signed by the algorithm that it is called by.
const clients = ["RS256", "ES256", "EdDSA", "brief", "guest"].map((client_id) => ({
  client_id,
  client_secret: "secret",
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
  token_endpoint_auth_method: "client_secret_post",
}));

// People sign in with this one, and come back with a code.
const browser = (issuer) => ({
  client_id: "browser",
  client_secret: "secret",
  grant_types: ["authorization_code"],
  redirect_uris: [`${issuer}/signed-in`],
  response_types: ["code"],
  token_endpoint_auth_method: "client_secret_post",
});
const groups = { maria: ["treasury"] };

let names = [];
const keys = (quietly) => [
  generateKeyPairSync("rsa", { modulusLength: 2048 }),
  generateKeyPairSync("ec", { namedCurve: "P-256" }),
  generateKeyPairSync("ed25519"),
].map((pair) => ({ ...pair.privateKey.export({ format: "jwk" }), use: "sig", kid: randomUUID() }))
  .map((key, at) => ({ ...key, kid: quietly ? names[at] : (names[at] = key.kid) }));

const provider = (issuer, quietly = false) => new Provider(issuer, {
  clients: [...clients, browser(issuer)],
  jwks: { keys: keys(quietly) },
  cookies: { keys: [randomUUID()] },
  enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256", "EdDSA"] },
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  extraTokenClaims: (_, token) => ({
    groups: token.accountId ? groups[token.accountId] ?? ["guests"] : [token.clientId === "guest" ? "guests" : "treasury"],
  }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource, client) => ({
        scope: "desk",
        audience: resource,
        accessTokenFormat: "jwt",
        accessTokenTTL: client.clientId === "brief" ? 2 : 600,
        jwt: { sign: { alg: ["ES256", "EdDSA"].includes(client.clientId) ? client.clientId : "RS256" } },
      }),
    },
  },
}).callback();

let answer;
const server = createServer((request, response) => {
  if (request.url.startsWith("/signed-in")) return response.end("signed in");
  if (!request.url.startsWith("/rotate")) return answer(request, response);
  answer = provider(issuer(), request.url === "/rotate-quietly");
  response.end("rotated");
});
const issuer = () => `http://127.0.0.1:${server.address().port}`;
server.listen(0, "127.0.0.1", () => {
  answer = provider(issuer());
  console.log(`issuer ${issuer()}`);
});
