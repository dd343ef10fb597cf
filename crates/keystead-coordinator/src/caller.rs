//! Who asks, and what each route asks of them: one table, and what does not stand in it is for whoever may do everything.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::Method;
use keystead_base::Name;

use crate::tokens::{Scope, TokenRecord};

/// Who asks, as far as the door knows.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// A program of this machine where no token is asked for, or whoever shows the one token that is good for everything.
    Everything,
    /// Whoever shows a token of their own.
    Token(Arc<TokenRecord>),
    /// Whoever asks what everybody may ask.
    Nobody,
}

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: it says whether this program works.
    Nothing,
    /// A scope; which keys it is good for, the route itself looks at.
    Scope(Scope),
    /// A scope that is limited to no keys, as the route shows or does what concerns all of them.
    AllKeys(Scope),
    /// What no token with a scope is good for.
    Everything,
}

/// INVARIANT A4: what a route needs. Whoever adds a route and forgets it here has made one for nobody with a scope.
pub(crate) fn need(method: &Method, path: &str) -> Need {
    let (reads, posts) = (matches!(*method, Method::GET | Method::HEAD), *method == Method::POST);
    match path {
        "/livez" | "/readyz" | "/upcheck" | "/healthcheck" => Need::Nothing,
        "/" => Need::AllKeys(Scope::Rpc),
        "/metrics" | "/v1/status" if reads => Need::AllKeys(Scope::Read),
        "/api/v1/eth1/publicKeys" | "/reload" if reads => Need::Scope(Scope::Read),
        "/v1/requests" if posts => Need::Scope(Scope::Request),
        "/v1/approvals" if posts => Need::Scope(Scope::Approve),
        // They read what they are given, and sign nothing.
        "/v1/psbts/inspect" | "/v1/psbts/finalize" if posts => Need::Scope(Scope::Read),
        path if posts && path.starts_with("/api/v1/eth1/sign/") => Need::Scope(Scope::Request),
        "/v1/nodes" | "/v1/policies" | "/v1/vaults" if reads => Need::AllKeys(Scope::Read),
        path if reads && (path.starts_with("/v1/policies/") || path.starts_with("/v1/vaults/")) => {
            Need::AllKeys(Scope::Read)
        }
        path if reads && path.starts_with("/v1/") => Need::Scope(Scope::Read),
        _ => Need::Everything,
    }
}

impl Caller {
    /// Whether this caller has what a route needs.
    pub(crate) fn has(&self, need: Need) -> bool {
        match (self, need) {
            (Self::Everything, _) | (_, Need::Nothing) => true,
            (Self::Token(token), Need::Scope(scope)) => token.scopes.contains(&scope),
            (Self::Token(token), Need::AllKeys(scope)) => {
                token.scopes.contains(&scope) && token.keys.is_empty()
            }
            (Self::Token(_), Need::Everything) | (Self::Nobody, _) => false,
        }
    }

    /// Whether what concerns this key is this caller's business; without a key, whether everything is.
    pub(crate) fn holds(&self, key: Option<&Name>) -> bool {
        match self {
            Self::Everything => true,
            Self::Token(token) if token.keys.is_empty() => true,
            Self::Token(token) => key.is_some_and(|key| token.keys.contains(key)),
            Self::Nobody => false,
        }
    }

    /// The keys that it is limited to, where it is.
    pub(crate) fn keys(&self) -> Option<BTreeSet<&Name>> {
        match self {
            Self::Token(token) if !token.keys.is_empty() => Some(token.keys.iter().collect()),
            Self::Everything | Self::Token(_) => None,
            Self::Nobody => Some(BTreeSet::new()),
        }
    }

    /// Whether it is limited to some keys.
    pub(crate) fn is_limited(&self) -> bool {
        !self.holds(None)
    }

    /// Whether it may have signatures: whoever only looks could use one that its owner holds back.
    pub(crate) fn sees_signatures(&self) -> bool {
        match self {
            Self::Everything => true,
            Self::Token(token) => token.scopes.iter().any(|it| matches!(it, Scope::Request | Scope::Rpc)),
            Self::Nobody => false,
        }
    }

    /// A word under which its idempotency keys are kept apart from those of others.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Everything | Self::Nobody => "",
            Self::Token(token) => token.name.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use keystead_base::{Digest, Timestamp};

    use super::*;

    fn token(scopes: &[Scope], keys: &[&str]) -> Caller {
        let keys = keys.iter().map(|key| key.parse().unwrap()).collect();
        let (name, digest) = ("ci".parse().unwrap(), Some(Digest::ZERO));
        Caller::Token(Arc::new(TokenRecord {
            name,
            digest,
            certificate_key: None,
            scopes: scopes.to_vec(),
            keys,
            expires: Timestamp(0),
        }))
    }

    #[test]
    fn a04_a_scope_is_good_for_its_routes_and_no_others() {
        let routes = [
            ("GET", "/v1/keys", Some(Scope::Read)),
            ("HEAD", "/v1/requests/00", Some(Scope::Read)),
            ("GET", "/metrics", Some(Scope::Read)),
            ("POST", "/v1/requests", Some(Scope::Request)),
            ("POST", "/api/v1/eth1/sign/00", Some(Scope::Request)),
            ("POST", "/v1/approvals", Some(Scope::Approve)),
            ("POST", "/v1/psbts/finalize", Some(Scope::Read)),
            ("POST", "/", Some(Scope::Rpc)),
            ("GET", "/", Some(Scope::Rpc)),
            ("POST", "/v1/entries", None),
            ("POST", "/v1/keys", None),
            ("POST", "/reload", None),
            ("DELETE", "/v1/requests", None),
            ("GET", "/anything", None),
            ("POST", "//", None),
        ];
        for (method, path, scope) in routes {
            let need = need(&method.parse().unwrap(), path);
            for mine in Scope::ALL {
                assert_eq!(token(&[mine], &[]).has(need), scope == Some(mine), "{method} {path} {mine:?}");
            }
            assert!(Caller::Everything.has(need) && !Caller::Nobody.has(need), "{method} {path}");
        }
        assert!(Caller::Nobody.has(need(&Method::GET, "/livez")));
    }

    #[test]
    fn a04_a_token_for_some_keys_sees_nothing_that_concerns_others() {
        let limited = token(&Scope::ALL, &["hot"]);
        let (hot, cold) = ("hot".parse().unwrap(), "cold".parse().unwrap());
        assert!(limited.holds(Some(&hot)) && !limited.holds(Some(&cold)) && !limited.holds(None));
        for (method, path) in [
            ("POST", "/"),
            ("GET", "/metrics"),
            ("GET", "/v1/status"),
            ("GET", "/v1/nodes"),
            ("GET", "/v1/policies"),
            ("GET", "/v1/policies/active"),
            ("GET", "/v1/vaults"),
            ("GET", "/v1/vaults/hot"),
        ] {
            assert!(!limited.has(need(&method.parse().unwrap(), path)), "{path}");
        }
        assert!(limited.has(need(&Method::GET, "/v1/keys")) && limited.is_limited());
        assert!(limited.sees_signatures() && !token(&[Scope::Read, Scope::Approve], &[]).sees_signatures());
        assert!(!token(&Scope::ALL, &[]).is_limited());
    }
}
