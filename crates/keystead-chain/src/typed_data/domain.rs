//! The domain of a document: where its signature is valid.

use alloy_primitives::{Address, B256, U256, keccak256};

use super::TypedDataError;
use super::json::Json;
use super::schema::{DOMAIN_TYPE, Schema};
use super::value::{address, hex, uint};

/// The domain's fields; those that are absent are not part of its type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domain {
    /// The protocol's name.
    pub name: Option<String>,
    /// The protocol's version.
    pub version: Option<String>,
    /// The EIP-155 chain id.
    pub chain_id: Option<U256>,
    /// The contract that verifies the signature.
    pub verifying_contract: Option<Address>,
    /// A last resort to tell domains apart.
    pub salt: Option<B256>,
}

impl Domain {
    pub(crate) fn parse(json: &Json, schema: &Schema) -> Result<Self, TypedDataError> {
        let mut domain = Self::default();
        for (name, value) in json.object("domain")? {
            domain.set(name, value)?;
        }
        domain.check_declared(schema)?;
        Ok(domain)
    }

    /// EIP-712 `hashStruct` of the domain.
    #[must_use]
    pub fn separator(&self) -> B256 {
        let mut encoded = keccak256(self.encode_type()).to_vec();
        let text = |text: &String| keccak256(text);
        let words = [
            self.name.as_ref().map(text),
            self.version.as_ref().map(text),
            self.chain_id.map(B256::from),
            self.verifying_contract.map(|address| address.into_word()),
            self.salt,
        ];
        words.into_iter().flatten().for_each(|word| encoded.extend_from_slice(word.as_slice()));
        keccak256(encoded)
    }

    fn set(&mut self, name: &str, value: &Json) -> Result<(), TypedDataError> {
        let place = format!("domain.{name}");
        let bad = |expected: &str| TypedDataError::value(&place, expected);
        match name {
            "name" => self.name = Some(value.text(&place)?.to_owned()),
            "version" => self.version = Some(value.text(&place)?.to_owned()),
            "chainId" => self.chain_id = Some(uint(value).ok_or_else(|| bad("a uint256"))?),
            "verifyingContract" => {
                let found = address(value.text(&place)?).ok_or_else(|| bad("an address"))?;
                self.verifying_contract = Some(found);
            }
            "salt" => {
                let found = hex(value.text(&place)?).and_then(|bytes| B256::try_from(bytes.as_slice()).ok());
                self.salt = Some(found.ok_or_else(|| bad("32 bytes in hex"))?);
            }
            _ => return Err(TypedDataError::UnknownField { place: "domain".into(), field: name.to_owned() }),
        }
        Ok(())
    }

    /// Another order or other types would be another hash than the contract's.
    fn check_declared(&self, schema: &Schema) -> Result<(), TypedDataError> {
        if !schema.declares(DOMAIN_TYPE) {
            return Ok(());
        }
        let declared = schema.fields(DOMAIN_TYPE)?.iter().map(|field| (field.text(), field.name.as_str()));
        match declared.eq(self.present().collect::<Vec<(&str, &str)>>()) {
            true => Ok(()),
            false => Err(TypedDataError::DomainType),
        }
    }

    fn present(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        let fields = [
            (self.name.is_some(), ("string", "name")),
            (self.version.is_some(), ("string", "version")),
            (self.chain_id.is_some(), ("uint256", "chainId")),
            (self.verifying_contract.is_some(), ("address", "verifyingContract")),
            (self.salt.is_some(), ("bytes32", "salt")),
        ];
        fields.into_iter().filter(|(present, _)| *present).map(|(_, field)| field)
    }

    fn encode_type(&self) -> String {
        let fields: Vec<String> = self.present().map(|(kind, name)| format!("{kind} {name}")).collect();
        format!("{DOMAIN_TYPE}({})", fields.join(","))
    }
}
