//! People whom an identity provider knows (OpenID Connect): what their tokens say becomes what a token of ours could say.
//!
//! It is for looking and asking. Nothing that a provider says approves anything: approvals are signed by people's own keys.

mod jwt;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alloy_primitives::keccak256;
use keystead_base::{Name, Timestamp};
use keystead_transmit::{Courier, Network, Roots};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};

use self::jwt::{Claims, Key, MAX_TOKEN_BYTES, Unverified};
use crate::CoordinatorError;
use crate::clock;
use crate::tokens::{Scope, TokenRecord};

/// What somebody may of whom a claim says something.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The claim: `groups`, `scope`, `sub`, ….
    pub claim: String,
    /// What it is, or has in its list.
    pub value: String,
    /// What follows: `read`, `request`.
    pub scopes: Vec<Scope>,
    /// For these keys alone; for all of them when none is named.
    #[serde(default)]
    pub keys: Vec<Name>,
}

/// A provider, and whom it may name.
pub struct Issuer {
    issuer: String,
    audience: String,
    types: Vec<String>,
    grants: Vec<Grant>,
    networks: Vec<Network>,
    roots: Roots,
    known: Mutex<Known>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    keys: Arc<Vec<Key>>,
    /// When they were fetched, and when that was tried last.
    fetched: Timestamp,
    tried: Timestamp,
    /// How many times in a row a token had them fetched, and they were the same.
    unchanged: u32,
}

impl Issuer {
    /// The provider at `issuer`, for tokens that are made for `audience`. Of the grants the first that fits counts. Its keys
    /// are fetched from an address of the open Internet, or one in `networks`.
    ///
    /// # Errors
    ///
    /// [`CoordinatorError::Oidc`] without a grant, with one of another scope than `read` and `request`, or when the issuer is no
    /// URL.
    pub fn new(
        issuer: &str,
        audience: &str,
        grants: Vec<Grant>,
        (networks, roots): (Vec<Network>, Roots),
    ) -> Result<Self, CoordinatorError> {
        let unfit = |reason: &str| CoordinatorError::Oidc { reason: reason.to_owned() };
        let looks_or_asks = |scope: &Scope| matches!(scope, Scope::Read | Scope::Request);
        if grants.is_empty() || audience.is_empty() {
            return Err(unfit("it grants nothing to anybody, or names no audience"));
        }
        if !grants.iter().flat_map(|it| &it.scopes).all(looks_or_asks) {
            return Err(unfit("a provider's word is good for `read` and `request` alone"));
        }
        let it = Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            types: TYPES.map(str::to_owned).to_vec(),
            grants,
            networks,
            roots,
            known: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        };
        it.courier(&it.discovery()).map(|_| it)
    }

    /// The same for tokens of these kinds alone (`typ`), instead of `JWT` and `at+jwt`.
    #[must_use]
    pub fn of_types(self, types: Vec<String>) -> Self {
        Self { types, ..self }
    }

    /// Fetches the keys now and then, for as long as somebody holds this.
    pub(crate) fn keep_fresh(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut ticks = interval(REFRESH_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(issuer) = weak.upgrade() else { return };
                // Whoever asks meanwhile waits for the keys that are under way.
                let _turn = issuer.turn.lock().await;
                issuer.refresh(clock::now()).await;
            }
        });
    }

    /// Fetches the keys anew for a token that is right in all but its key: providers change them, some without a new name.
    pub(crate) async fn prepare(&self, shown: &[u8], now: Timestamp) {
        if self.lacks_its_key(shown, now) {
            let _turn = self.turn.lock().await;
            // Whoever knows what a token says can write one: the provider is asked so often and no oftener.
            if now >= self.known().again() && self.lacks_its_key(shown, now) {
                self.ask_for_its_key(now).await;
            }
        }
    }

    async fn ask_for_its_key(&self, now: Timestamp) {
        let before = Arc::clone(&self.known().keys);
        self.refresh(now).await;
        let mut known = self.known();
        known.unchanged = if known.keys == before { known.unchanged.saturating_add(1) } else { 0 };
    }

    /// Whether nothing but a key is missing for a token to be good for something here.
    fn lacks_its_key(&self, shown: &[u8], now: Timestamp) -> bool {
        let Ok(token) = Unverified::read(shown) else { return false };
        let keys = Arc::clone(&self.known().keys);
        let is_fit = |claims: &Claims| self.is_for_us(&token, claims, now) && self.granted(claims).is_some();
        token.unproven().is_ok_and(|claims| is_fit(&claims)) && token.verify(&keys).is_err()
    }

    fn is_for_us(&self, token: &Unverified<'_>, claims: &Claims, now: Timestamp) -> bool {
        token.is_of(&self.types).is_ok() && claims.check(&self.issuer, &self.audience, now).is_ok()
    }

    /// What whoever shows this may, until it ends.
    pub(crate) fn verify(&self, shown: &[u8], now: Timestamp) -> Option<Arc<TokenRecord>> {
        if shown.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let keys = {
            let known = self.known();
            // INVARIANT A9: keys that could not be looked after for a day are nobody's any more.
            let fresh = now < known.fetched.plus_seconds(MAX_AGE_SECONDS);
            fresh.then(|| Arc::clone(&known.keys))?
        };
        let token = Unverified::read(shown).ok()?;
        let claims = token.verify(&keys).ok().filter(|claims| self.is_for_us(&token, claims, now))?;
        self.granted(&claims).map(Arc::new)
    }

    /// INVARIANT A4: the first grant that fits counts, and none is added to another.
    fn granted(&self, claims: &Claims) -> Option<TokenRecord> {
        let grant = self.grants.iter().find(|grant| claims.says(&grant.claim, &grant.value))?;
        let who = keccak256(format!("{}\n{}", claims.iss, claims.sub));
        let name = format!("oidc-{}", const_hex::encode(who.get(..16)?)).parse().ok()?;
        Some(TokenRecord {
            name,
            digest: None,
            certificate_key: None,
            scopes: grant.scopes.clone(),
            keys: grant.keys.clone(),
            expires: claims.expires(),
        })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn refresh(&self, now: Timestamp) {
        self.known().tried = now;
        match self.fetch().await {
            Ok(keys) => {
                let mut known = self.known();
                (known.keys, known.fetched) = (Arc::new(keys), now);
            }
            Err(error) => report(&self.issuer, &error),
        }
    }

    /// Discovery (OpenID Connect Discovery 1.0), and the keys where it says that they are.
    async fn fetch(&self) -> Result<Vec<Key>, CoordinatorError> {
        #[derive(Deserialize)]
        struct Discovered {
            issuer: String,
            jwks_uri: String,
        }
        let unfit = |reason: &str| CoordinatorError::Oidc { reason: reason.to_owned() };
        let document = self.get(&self.discovery()).await?;
        let found: Discovered =
            serde_json::from_slice(&document).map_err(|_| unfit("its discovery document is none"))?;
        if found.issuer != self.issuer {
            return Err(unfit("its discovery document is another provider's"));
        }
        let set = self.get(&found.jwks_uri).await?;
        Key::set(&set).map_err(|_| unfit("its keys are no JWK set"))
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, CoordinatorError> {
        let fetched = self.courier(url)?.fetch().await;
        fetched.map_err(|error| CoordinatorError::Oidc { reason: error.to_string() })
    }

    fn courier(&self, url: &str) -> Result<Courier, CoordinatorError> {
        Courier::new(url, self.networks.clone(), &self.roots)
            .map_err(|error| CoordinatorError::Oidc { reason: error.to_string() })
    }

    fn discovery(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'))
    }
}

impl Known {
    /// From when on somebody's token has the provider asked: the later, the oftener that brought nothing new.
    fn again(&self) -> Timestamp {
        let pause = ASK_AGAIN_SECONDS.saturating_mul(1 << self.unchanged.min(MAX_DOUBLINGS));
        self.tried.plus_seconds(pause)
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issuer({})", self.issuer)
    }
}

/// Says on standard error what could not be fetched; it is tried again.
#[expect(clippy::print_stderr, reason = "a service's log is its standard error")]
fn report(issuer: &str, error: &dyn std::error::Error) {
    eprintln!("coordinator: the keys of {issuer}: {error}");
}

const REFRESH_EVERY: Duration = Duration::from_secs(600);
/// What tokens call themselves (RFC 7519, RFC 9068), unless the configuration says otherwise.
const TYPES: [&str; 2] = ["JWT", "at+jwt"];
/// How often tokens make us ask, at first; in the end once in 80 seconds.
const ASK_AGAIN_SECONDS: u64 = 10;
const MAX_DOUBLINGS: u32 = 3;
const MAX_AGE_SECONDS: u64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use keystead_base::Coded as _;
    use serde_json::{Value, json};

    use super::*;

    fn grant(value: &str, scopes: &[Scope], keys: &[&str]) -> Grant {
        let keys = keys.iter().map(|key| key.parse().unwrap()).collect();
        Grant { claim: "groups".to_owned(), value: value.to_owned(), scopes: scopes.to_vec(), keys }
    }

    fn issuer(grants: Vec<Grant>) -> Result<Issuer, CoordinatorError> {
        let network = "127.0.0.0/8".parse().unwrap();
        Issuer::new("http://127.0.0.1:1", "keystead", grants, (vec![network], Roots::System))
    }

    #[test]
    fn a04_a_provider_grants_looking_and_asking_and_the_first_grant_that_fits() {
        for scope in [Scope::Approve, Scope::Rpc] {
            let refused = issuer(vec![grant("all", &[Scope::Read, scope], &[])]).map(drop);
            assert_eq!(refused.unwrap_err().code(), "coordinator.oidc");
        }
        assert!(issuer(Vec::new()).is_err());
        let desk = grant("desk", &[Scope::Request], &["hot"]);
        let issuer = issuer(vec![desk, grant("staff", &[Scope::Read], &[])]).unwrap();
        let claims = |groups: &[&str]| -> Claims {
            serde_json::from_value(
                json!({"iss": "i", "sub": "ana", "aud": "keystead", "exp": 9, "groups": groups}),
            )
            .unwrap()
        };
        let of = |groups: &[&str]| issuer.granted(&claims(groups)).map(|it| (it.scopes, it.keys.len()));
        assert_eq!(of(&["staff"]), Some((vec![Scope::Read], 0)));
        assert_eq!(of(&["staff", "desk"]), Some((vec![Scope::Request], 1)), "and nothing of the other one");
        assert_eq!(of(&["guests"]), None);
    }

    /// A token that somebody's key signed under the name of a key.
    fn token(seed: u8, kid: &str, groups: &str, audience: &str) -> String {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let text = |it: &Value| URL_SAFE_NO_PAD.encode(it.to_string());
        let claims = json!({
            "iss": "http://127.0.0.1:1", "sub": "ana", "aud": audience, "exp": 600, "iat": 1, "groups": [groups]
        });
        let signed = format!("{}.{}", text(&json!({"alg": "EdDSA", "kid": kid})), text(&claims));
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    #[test]
    fn a01_a_provider_is_asked_for_tokens_that_lack_nothing_but_a_key() {
        let issuer = issuer(vec![grant("staff", &[Scope::Read], &[])]).unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": x}]});
        issuer.known().keys = Arc::new(Key::set(set.to_string().as_bytes()).unwrap());
        for (what, token, lacks) in [
            ("a known key", token(1, "a", "staff", "keystead"), false),
            ("a key with another name", token(2, "b", "staff", "keystead"), true),
            ("another key with the same name", token(2, "a", "staff", "keystead"), true),
            ("another audience", token(2, "b", "staff", "other"), false),
            ("nobody's grant", token(2, "b", "guests", "keystead"), false),
            ("no token", "a.b.c".to_owned(), false),
        ] {
            assert_eq!(issuer.lacks_its_key(token.as_bytes(), Timestamp(10_000)), lacks, "{what}");
        }
        let ended = token(2, "b", "staff", "keystead");
        assert!(!issuer.lacks_its_key(ended.as_bytes(), Timestamp(600_000)), "its time is over");
    }

    #[test]
    fn a01_what_brings_nothing_new_is_asked_for_less_often() {
        let again = |unchanged| Known { unchanged, ..Known::default() }.again().seconds();
        assert_eq!([0, 1, 2, 3, 4, u32::MAX].map(again), [10, 20, 40, 80, 80, 80]);
    }
}
