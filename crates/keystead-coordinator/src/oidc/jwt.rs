//! Signed tokens of an identity provider (RFC 7519, compact JWS): three algorithms, each bound to its kind of key.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_base::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The longest token.
pub(crate) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Why a token is no proof of anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unproven {
    /// It is no token of this form.
    Form,
    /// No key of the provider's is the one that it names, or fits what it says of its algorithm.
    Key,
    /// It is a token of another kind (RFC 8725, section 3.11).
    Type,
    /// The key did not sign it.
    Signature,
    /// Another provider's.
    Issuer,
    /// For somebody else.
    Audience,
    /// Its time is over, has not come, or is too long.
    Time,
}

/// A token's parts, none of which is believed yet.
pub(crate) struct Unverified<'a> {
    header: Header,
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// What is read of a header. INVARIANT A4: `alg` chooses nothing, it only has to be that of the key.
#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// What must be understood, and is not (RFC 7515, section 4.1.11).
    crit: Option<Value>,
}

/// What a provider says of whoever shows the token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: u64,
    iat: Option<u64>,
    nbf: Option<u64>,
    /// The others, for the configuration to look at.
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn names(&self, value: &str) -> bool {
        match self {
            Self::One(one) => one == value,
            Self::Several(several) => several.iter().any(|it| it == value),
        }
    }
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    pub(crate) fn read(token: &'a [u8]) -> Result<Self, Unproven> {
        let token = std::str::from_utf8(token).map_err(|_| Unproven::Form)?;
        let (signed, signature) = token.rsplit_once('.').ok_or(Unproven::Form)?;
        let (header, payload) = signed.split_once('.').ok_or(Unproven::Form)?;
        if token.len() > MAX_TOKEN_BYTES || payload.contains('.') {
            return Err(Unproven::Form);
        }
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| Unproven::Form)?;
        match header.crit {
            None => Ok(Self { header, signed, payload: decode(payload)?, signature: decode(signature)? }),
            Some(_) => Err(Unproven::Form),
        }
    }

    /// Whether it is of one of these kinds. One that says nothing is a plain JWT (RFC 7519, section 5.1).
    pub(crate) fn is_of(&self, types: &[String]) -> Result<(), Unproven> {
        let found = self.header.typ.as_deref().unwrap_or("JWT");
        let prefix = found.get(..APPLICATION.len()).filter(|it| it.eq_ignore_ascii_case(APPLICATION));
        let found = prefix.and_then(|it| found.get(it.len()..)).unwrap_or(found);
        let known = types.iter().any(|it| it.eq_ignore_ascii_case(found));
        known.then_some(()).ok_or(Unproven::Type)
    }

    /// What it says, which nobody has signed so far: good for nothing but to refuse it.
    pub(crate) fn unproven(&self) -> Result<Claims, Unproven> {
        serde_json::from_slice(&self.payload).map_err(|_| Unproven::Form)
    }

    /// What it says, if one of these keys signed it.
    pub(crate) fn verify(&self, keys: &[Key]) -> Result<Claims, Unproven> {
        let named = |key: &&Key| match &self.header.kid {
            Some(kid) => key.id.as_ref() == Some(kid),
            None => keys.len() == 1,
        };
        let key = keys.iter().find(named).ok_or(Unproven::Key)?;
        if key.public.algorithm() != self.header.alg {
            return Err(Unproven::Key);
        }
        key.public.verify(self.signed.as_bytes(), &self.signature)?;
        self.unproven()
    }
}

impl Claims {
    /// Whether they are for us, and for now.
    pub(crate) fn check(&self, issuer: &str, audience: &str, now: Timestamp) -> Result<(), Unproven> {
        if self.iss != issuer {
            return Err(Unproven::Issuer);
        }
        let ours = self.aud.names(audience);
        let alone = match &self.aud {
            Audience::One(_) => true,
            Audience::Several(several) => several.len() == 1,
        };
        // OpenID Connect Core, section 3.1.3.7: of several it has to be said for whom it was made.
        if !ours || (!alone && self.azp.as_deref() != Some(audience)) {
            return Err(Unproven::Audience);
        }
        let (now, made) = (now.seconds(), self.iat.or(self.nbf).unwrap_or(now.seconds()));
        let begun = |at: Option<u64>| at.is_none_or(|at| at <= now.saturating_add(SKEW_SECONDS));
        let short = self.exp <= made.saturating_add(MAX_LIFETIME_SECONDS);
        match now < self.exp && begun(self.iat) && begun(self.nbf) && short && is_name(&self.sub) {
            true => Ok(()),
            false => Err(Unproven::Time),
        }
    }

    /// When they end.
    pub(crate) fn expires(&self) -> Timestamp {
        Timestamp(self.exp.saturating_mul(1000))
    }

    /// Whether a claim is this word, or has it in its list; `scope` is a list with blanks between (RFC 8693).
    pub(crate) fn says(&self, claim: &str, value: &str) -> bool {
        match claim {
            "iss" => return self.iss == value,
            "sub" => return self.sub == value,
            "azp" => return self.azp.as_deref() == Some(value),
            "aud" => return self.aud.names(value),
            _ => {}
        }
        match self.more.get(claim) {
            Some(Value::String(text)) if claim == "scope" => text.split(' ').any(|it| it == value),
            Some(Value::String(text)) => text == value,
            Some(Value::Array(list)) => list.iter().any(|it| it == value),
            _ => false,
        }
    }
}

/// A public key of a provider's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) id: Option<String>,
    public: Public,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Public {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A key as it is published (RFC 7517).
#[derive(Debug, Deserialize)]
struct Published {
    kty: String,
    crv: Option<String>,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct PublishedSet {
    keys: Vec<Value>,
}

impl Key {
    /// The keys of a set that we can use; others are passed over, as RFC 7517 says.
    pub(crate) fn set(json: &[u8]) -> Result<Vec<Self>, Unproven> {
        let set: PublishedSet = serde_json::from_slice(json).map_err(|_| Unproven::Form)?;
        let keys = set.keys.into_iter().take(MAX_KEYS).filter_map(|key| serde_json::from_value(key).ok());
        Ok(keys.filter_map(Self::read).collect())
    }

    fn read(key: Published) -> Option<Self> {
        let part = |text: &Option<String>| decode(text.as_deref()?).ok();
        let public = match (key.kty.as_str(), key.crv.as_deref()) {
            ("RSA", None) => Public::Rsa { n: part(&key.n)?, e: part(&key.e)? },
            ("EC", Some("P-256")) => Public::P256([vec![0x04], part(&key.x)?, part(&key.y)?].concat()),
            ("OKP", Some("Ed25519")) => Public::Ed25519(part(&key.x)?),
            _ => return None,
        };
        let signs = key.purpose.is_none_or(|it| it == "sig");
        let fits = key.alg.is_none_or(|it| it == public.algorithm());
        (signs && fits).then_some(Self { id: key.kid, public })
    }
}

impl Public {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Unproven> {
        let verified = match self {
            Self::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Self::Ed25519(point) => UnparsedPublicKey::new(&ED25519, point).verify(message, signature),
        };
        verified.map_err(|_| Unproven::Signature)
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Unproven> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Unproven::Form)
}

fn is_name(sub: &str) -> bool {
    (1..=255).contains(&sub.len())
}

/// What stands before a type where it is written out (RFC 7515, section 4.1.9).
const APPLICATION: &str = "application/";
/// Keys of one set that are looked at.
const MAX_KEYS: usize = 64;
/// How far a provider's clock may be ahead.
const SKEW_SECONDS: u64 = 60;
/// The longest that a token may live: what is taken back at the provider is good here until it ends.
const MAX_LIFETIME_SECONDS: u64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn text(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn claims() -> Value {
        json!({"iss": "https://login.example", "sub": "ana", "aud": "keystead", "exp": 1_800_000_600, "iat": 1_800_000_000})
    }

    fn made(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let signed = format!("{}.{}", text(header.to_string()), text(claims.to_string()));
        format!("{signed}.{}", text(sign(signed.as_bytes())))
    }

    fn verified(token: &str, keys: &[Key]) -> Result<Claims, Unproven> {
        let claims = Unverified::read(token.as_bytes())?.verify(keys)?;
        claims.check("https://login.example", "keystead", NOW).map(|()| claims)
    }

    fn ed25519() -> (Ed25519KeyPair, Vec<Key>) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let x = text(pair.public_key());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "e", "x": x}, {"kty": "odd"}]});
        let keys = Key::set(set.to_string().as_bytes()).unwrap();
        (pair, keys)
    }

    #[test]
    fn a04_the_kind_of_a_key_says_how_it_signs_and_a_token_does_not() {
        let (pair, keys) = ed25519();
        let sign = |message: &[u8]| pair.sign(message).as_ref().to_vec();
        let public = pair.public_key().as_ref().to_vec();
        let mac = |key: &[u8], message: &[u8]| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
        };
        let header = |alg: &str| json!({"alg": alg, "kid": "e"});
        assert!(verified(&made(&header("EdDSA"), &claims(), sign), &keys).is_ok());
        for (what, token, why) in [
            ("none", made(&header("none"), &claims(), |_| Vec::new()), Unproven::Key),
            (
                "a public key as a secret",
                made(&header("HS256"), &claims(), |it| mac(&public, it)),
                Unproven::Key,
            ),
            ("another algorithm", made(&header("RS256"), &claims(), sign), Unproven::Key),
            ("another key", made(&json!({"alg": "EdDSA", "kid": "f"}), &claims(), sign), Unproven::Key),
            ("no signature", made(&header("EdDSA"), &claims(), |_| Vec::new()), Unproven::Signature),
            ("a wrong one", made(&header("EdDSA"), &claims(), |_| vec![1; 64]), Unproven::Signature),
            (
                "what must be understood",
                made(&json!({"alg": "EdDSA", "kid": "e", "crit": ["b64"], "b64": false}), &claims(), sign),
                Unproven::Form,
            ),
        ] {
            assert_eq!(verified(&token, &keys), Err(why), "{what}");
        }
        for garbage in ["", "a.b", "a.b.c", "..", "e30.e30.", "{}.{}.{}"] {
            assert!(verified(garbage, &keys).is_err(), "{garbage}");
        }
        let long = "a".repeat(MAX_TOKEN_BYTES + 1);
        assert_eq!(verified(&format!("{long}.e30.e30"), &keys), Err(Unproven::Form));
    }

    #[test]
    fn a04_claims_are_for_us_and_for_now_or_they_are_nothing() {
        let (pair, keys) = ed25519();
        let sign = |message: &[u8]| pair.sign(message).as_ref().to_vec();
        let with = |field: &str, value: Value| {
            let mut claims = claims();
            claims[field] = value;
            made(&json!({"alg": "EdDSA", "kid": "e"}), &claims, sign)
        };
        for (field, value, found) in [
            ("iss", json!("https://login.example/"), Err(Unproven::Issuer)),
            ("aud", json!("other"), Err(Unproven::Audience)),
            ("aud", json!(["keystead"]), Ok(())),
            ("aud", json!(["keystead", "other"]), Err(Unproven::Audience)),
            ("exp", json!(1_800_000_000), Err(Unproven::Time)),
            ("exp", json!(1_800_000_000 + 24 * 3600 + 1), Err(Unproven::Time)),
            ("iat", json!(1_800_000_061), Err(Unproven::Time)),
            ("nbf", json!(1_800_000_061), Err(Unproven::Time)),
            ("nbf", json!(1_800_000_060), Ok(())),
            ("sub", json!(""), Err(Unproven::Time)),
            ("exp", json!("soon"), Err(Unproven::Form)),
        ] {
            assert_eq!(verified(&with(field, value.clone()), &keys).map(drop), found, "{field}: {value}");
        }
        let mut claims = claims();
        (claims["aud"], claims["azp"]) = (json!(["keystead", "other"]), json!("keystead"));
        assert!(verified(&made(&json!({"alg": "EdDSA", "kid": "e"}), &claims, sign), &keys).is_ok());
    }

    #[test]
    fn a_curve_s_signature_is_verified_as_well() {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap();
        let point = pair.public_key().as_ref().to_vec();
        let (x, y) = (text(&point[1..33]), text(&point[33..]));
        let set =
            json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256"}]});
        let keys = Key::set(set.to_string().as_bytes()).unwrap();
        let sign = |message: &[u8]| pair.sign(&random, message).unwrap().as_ref().to_vec();
        assert!(verified(&made(&json!({"alg": "ES256"}), &claims(), sign), &keys).is_ok());
        let encrypts = set.to_string().replace("\"sig\"", "\"enc\"");
        assert!(Key::set(encrypts.as_bytes()).unwrap().is_empty());
    }

    #[test]
    fn a04_a_token_of_another_kind_is_none_of_ours() {
        let types = ["JWT".to_owned(), "at+jwt".to_owned()];
        for (header, found) in [
            (json!({"alg": "EdDSA"}), Ok(())),
            (json!({"alg": "EdDSA", "typ": "JWT"}), Ok(())),
            (json!({"alg": "EdDSA", "typ": "application/AT+JWT"}), Ok(())),
            (json!({"alg": "EdDSA", "typ": "logout+jwt"}), Err(Unproven::Type)),
            (json!({"alg": "EdDSA", "typ": "dpop+jwt"}), Err(Unproven::Type)),
            (json!({"alg": "EdDSA", "typ": ""}), Err(Unproven::Type)),
        ] {
            let token = made(&header, &claims(), |_| Vec::new());
            assert_eq!(Unverified::read(token.as_bytes()).unwrap().is_of(&types), found, "{header}");
        }
        let token = made(&json!({"alg": "EdDSA"}), &claims(), |_| Vec::new());
        let access = Unverified::read(token.as_bytes()).unwrap().is_of(&types[1..]);
        assert_eq!(access, Err(Unproven::Type), "where access tokens alone are taken");
    }

    #[test]
    fn a_claim_says_what_its_word_or_its_list_has() {
        let mut claims = claims();
        (claims["groups"], claims["scope"]) = (json!(["treasury", 7]), json!("openid desk"));
        claims["azp"] = json!("bot");
        let claims: Claims = serde_json::from_value(claims).unwrap();
        for (claim, value, says) in [
            ("groups", "treasury", true),
            ("groups", "treas", false),
            ("scope", "desk", true),
            ("scope", "openid desk", false),
            ("sub", "ana", true),
            ("sub", "ben", false),
            ("azp", "bot", true),
            ("azp", "ana", false),
            ("aud", "keystead", true),
            ("aud", "other", false),
            ("none", "", false),
        ] {
            assert_eq!(claims.says(claim, value), says, "{claim}: {value}");
        }
    }
}
