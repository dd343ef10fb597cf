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
            grants,
            networks,
            roots,
            known: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        };
        it.courier(&it.discovery()).map(|_| it)
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

    /// Fetches the keys anew if a token names one that is not known: providers change them.
    pub(crate) async fn prepare(&self, shown: &[u8], now: Timestamp) {
        let Ok(token) = Unverified::read(shown) else { return };
        if !self.knows(token.key_id()) {
            let _turn = self.turn.lock().await;
            // Strangers may name any key: the provider is asked so often and no oftener.
            let again = now >= self.known().tried.plus_seconds(ASK_AGAIN_SECONDS);
            if again && !self.knows(token.key_id()) {
                self.refresh(now).await;
            }
        }
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
        let claims = Unverified::read(shown).and_then(|token| token.verify(&keys)).ok()?;
        claims.check(&self.issuer, &self.audience, now).ok()?;
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

    fn knows(&self, kid: Option<&str>) -> bool {
        let known = self.known();
        known.keys.iter().any(|key| kid.is_none() || key.id.as_deref() == kid)
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
/// How often unknown keys make us ask.
const ASK_AGAIN_SECONDS: u64 = 10;
const MAX_AGE_SECONDS: u64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;
    use serde_json::json;

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
}
