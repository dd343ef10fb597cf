//! A whole EIP-712 document, parsed strictly and hashed once.

use alloy_primitives::B256;
use keystead_base::Amount;
use keystead_intent::{TypedDomain, TypedField, TypedForm};

use super::fields::flatten;
use super::json::Json;
use super::schema::Schema;
use super::value::{Reader, Value};
use super::{Domain, TypedDataError};

/// A document as `eth_signTypedData_v4` takes it.
///
/// Every member, field and type is accounted for: what is not signed is an error. Types are hashed
/// as they are written, so only canonical names exist (`uint256`, never `uint`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    domain: Domain,
    primary: String,
    encode_type: String,
    value: Value,
    struct_hash: B256,
    listed: Option<Vec<TypedField>>,
}

impl Document {
    /// Parses JSON text.
    ///
    /// # Errors
    ///
    /// [`TypedDataError`] says where and what.
    pub fn parse(text: &str) -> Result<Self, TypedDataError> {
        let json = Json::parse(text)?;
        let members = json.members("the document", &["types", "primaryType", "domain", "message"])?;
        let [types, primary, domain, message] = members.as_slice() else {
            return Err(TypedDataError::value("the document", "an object of four members"));
        };
        let schema = Schema::parse(types)?;
        let primary = primary.text("primaryType")?.to_owned();
        schema.check_all_used(&primary)?;
        let domain = Domain::parse(domain, &schema)?;
        let encode_type = schema.encode_type(&primary)?;
        let (value, struct_hash) = Reader::new(&schema).structure(&primary, message, "message", 0)?;
        let listed = flatten(&schema, &primary, &value);
        Ok(Self { domain, primary, encode_type, value, struct_hash, listed })
    }

    /// Where the signature is valid.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The struct that is signed.
    #[must_use]
    pub fn primary_type(&self) -> &str {
        &self.primary
    }

    /// EIP-712 `encodeType` of the primary type.
    #[must_use]
    pub fn encode_type(&self) -> &str {
        &self.encode_type
    }

    /// EIP-712 `hashStruct` of the message.
    #[must_use]
    pub fn struct_hash(&self) -> B256 {
        self.struct_hash
    }

    /// `0x1901 || domain separator || struct hash`.
    #[must_use]
    pub fn signing_preimage(&self) -> [u8; 66] {
        let mut preimage = [0; 66];
        let (version, hashes) = preimage.split_at_mut(2);
        let (separator, message) = hashes.split_at_mut(32);
        version.copy_from_slice(&[0x19, 0x01]);
        separator.copy_from_slice(self.domain.separator().as_slice());
        message.copy_from_slice(self.struct_hash.as_slice());
        preimage
    }

    /// What it is and where it is valid, as rules and people see it.
    #[must_use]
    pub fn form(&self) -> TypedForm {
        let domain = TypedDomain {
            name: self.domain.name.clone(),
            version: self.domain.version.clone(),
            chain: self.domain.chain_id.map(Amount),
            verifying_contract: self.domain.verifying_contract,
            salt: self.domain.salt,
        };
        let fields = self.listed.clone().unwrap_or_default();
        TypedForm { primary_type: self.primary.clone(), domain, fields }
    }

    /// Whether [`Self::form`] lists every value; it lists none where they are too many.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.listed.is_some()
    }

    /// The values of the primary type's fields, in their order.
    #[must_use]
    pub fn fields(&self) -> &[Value] {
        self.value.items().unwrap_or_default()
    }
}
