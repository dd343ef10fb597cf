//! Cedar's side of the words: the schema, names as entities, and the context of one question.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use alloy_primitives::{Address, hex};
use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression, Schema,
};
use keystead_base::{Name, Timestamp};
use keystead_intent::{ActionKind, AuthorityChange};

use crate::named::Wanted;
use crate::{PolicyError, Roster, Sections};

/// The schema's text, as `keystead policy schema` prints it.
pub const SCHEMA: &str = include_str!("../schema.cedarschema");

/// The attributes that hold at 2^63−1, and are therefore only ever compared with smaller numbers.
pub(crate) const SATURATING: [&str; 12] = [
    "amount",
    "amount_micro",
    "deadline",
    "domain_chain",
    "drill_age_seconds",
    "fee",
    "fee_micro",
    "max_fee_per_gas",
    "max_priority_fee_per_gas",
    "nonce_ahead",
    "simulated_out",
    "simulated_out_fiat",
];

/// The attributes that say what a run of the transaction came to.
pub(crate) const RUN_ATTRIBUTES: [&str; 6] = [
    "simulation",
    "gains_approval",
    "creates",
    "simulated_out",
    "simulated_out_fiat",
    "simulated_assets_out",
];

/// The attribute of a `Field` that holds at both ends of 64 bits.
pub(crate) const FIELD_NUMBER: &str = "number";

static PARSED: LazyLock<Result<Schema, String>> = LazyLock::new(|| {
    Schema::from_cedarschema_str(SCHEMA).map(|(schema, _)| schema).map_err(|error| error.to_string())
});

/// The parsed schema.
pub(crate) fn schema() -> Result<&'static Schema, PolicyError> {
    PARSED.as_ref().map_err(|reason| PolicyError::Engine { reason: reason.clone() })
}

/// The entity types, parsed once.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    member: EntityTypeName,
    role: EntityTypeName,
    key: EntityTypeName,
    cluster: EntityUid,
    fields: EntityUid,
    actions: HashMap<ActionKind, EntityUid>,
}

impl Words {
    pub(crate) fn new() -> Result<Self, PolicyError> {
        let action = type_name("Action")?;
        let cluster = uid(&type_name("Cluster")?, "cluster");
        let fields = uid(&type_name("Fields")?, "fields");
        let actions = ACTIONS.into_iter().map(|kind| (kind, uid(&action, kind.as_str()))).collect();
        Ok(Self {
            member: type_name("Member")?,
            role: type_name("Role")?,
            key: type_name("Key")?,
            cluster,
            fields,
            actions,
        })
    }

    pub(crate) fn action(&self, kind: ActionKind) -> Option<&EntityUid> {
        self.actions.get(&kind)
    }

    pub(crate) fn member(&self, name: &Name) -> EntityUid {
        uid(&self.member, name.as_str())
    }

    /// The one entity whose tags are the values of the effect that is asked about.
    pub(crate) fn fields(&self) -> &EntityUid {
        &self.fields
    }

    /// The key, or the cluster where there is none.
    pub(crate) fn resource(&self, key: Option<&Name>) -> EntityUid {
        key.map_or_else(|| self.cluster.clone(), |key| uid(&self.key, key.as_str()))
    }

    /// The name inside an entity of type `Key`; none for any other entity.
    pub(crate) fn key_name(&self, entity: &EntityUid) -> Option<Name> {
        if entity.type_name() != &self.key {
            return None;
        }
        text(entity).parse().ok()
    }

    /// The id of an entity of type `Member`; none for any other entity.
    pub(crate) fn member_id(&self, entity: &EntityUid) -> Option<String> {
        (entity.type_name() == &self.member).then(|| text(entity).to_owned())
    }

    /// The roster as entities: each member in its roles.
    pub(crate) fn entities(&self, roster: &Roster) -> Result<Entities, PolicyError> {
        let people = roster.people.iter().map(|it| (&it.name, &it.roles, true));
        let services = roster.services.iter().map(|it| (&it.name, &it.roles, false));
        let members: Result<Vec<_>, _> =
            people.chain(services).map(|(name, roles, person)| self.entity(name, roles, person)).collect();
        let members = members?;
        Entities::from_entities(members, Some(schema()?))
            .map_err(|error| PolicyError::Engine { reason: error.to_string() })
    }

    fn entity(&self, name: &Name, roles: &[Name], person: bool) -> Result<Entity, PolicyError> {
        let parents: HashSet<_> = roles.iter().map(|role| uid(&self.role, role.as_str())).collect();
        let attributes = HashMap::from([("person".to_owned(), RestrictedExpression::new_bool(person))]);
        Entity::new(self.member(name), attributes, parents)
            .map_err(|error| PolicyError::Engine { reason: error.to_string() })
    }
}

/// Collects the attributes of one context: those that are wanted. The others are not even worked out.
pub(crate) struct Attributes<'a> {
    wanted: Wanted<'a>,
    pairs: Vec<(String, RestrictedExpression)>,
}

impl<'a> Attributes<'a> {
    /// Starts with the time of day, which every context has.
    pub(crate) fn at(now: Timestamp, wanted: Wanted<'a>) -> Self {
        let days = now.seconds() / 86_400;
        let attributes = Self { wanted, pairs: Vec::new() };
        attributes
            .long("hour", || now.seconds() / 3600 % 24)
            .long("weekday", || days.saturating_add(3) % 7 + 1)
    }

    fn with(mut self, name: &str, value: impl FnOnce() -> RestrictedExpression) -> Self {
        if self.wanted.has(name) {
            self.pairs.push((name.to_owned(), value()));
        }
        self
    }

    pub(crate) fn text<T: Into<String>>(self, name: &str, value: impl FnOnce() -> T) -> Self {
        self.with(name, || RestrictedExpression::new_string(value().into()))
    }

    pub(crate) fn address(self, name: &str, value: Option<Address>) -> Self {
        self.text(name, || value.map(lower_hex).unwrap_or_default())
    }

    pub(crate) fn flag(self, name: &str, value: bool) -> Self {
        self.with(name, || RestrictedExpression::new_bool(value))
    }

    pub(crate) fn entity(self, name: &str, entity: &EntityUid) -> Self {
        self.with(name, || RestrictedExpression::new_entity_uid(entity.clone()))
    }

    /// A number, held at 2^63−1.
    pub(crate) fn long<T: TryInto<i64>>(self, name: &str, value: impl FnOnce() -> T) -> Self {
        self.with(name, || RestrictedExpression::new_long(value().try_into().unwrap_or(i64::MAX)))
    }

    pub(crate) fn texts(self, name: &str, values: &[&str]) -> Self {
        let text = |value: &&str| RestrictedExpression::new_string((*value).to_owned());
        self.with(name, || RestrictedExpression::new_set(values.iter().map(text)))
    }

    pub(crate) fn set(self, name: &str, values: impl FnOnce() -> Vec<String>) -> Self {
        self.with(name, || {
            RestrictedExpression::new_set(values().into_iter().map(RestrictedExpression::new_string))
        })
    }

    /// None where Cedar refuses a pair, which the types above leave no way for.
    pub(crate) fn into_context(self) -> Option<Context> {
        Context::from_pairs(self.pairs).ok()
    }
}

/// The context of a change of authority.
pub(crate) fn change_context(
    change: &AuthorityChange,
    sections: Sections,
    now: Timestamp,
) -> Option<Context> {
    Attributes::at(now, Wanted::All)
        .text("class", || "authority")
        .text("change", || change.kind().as_str())
        .texts("sections", &sections.names())
        .into_context()
}

/// An address or selector as rules write it.
pub(crate) fn lower_hex(bytes: impl AsRef<[u8]>) -> String {
    hex::encode_prefixed(bytes)
}

fn type_name(text: &str) -> Result<EntityTypeName, PolicyError> {
    text.parse().map_err(|_| PolicyError::Engine { reason: format!("{text} is no entity type") })
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn text(entity: &EntityUid) -> &str {
    entity.id().unescaped()
}

const ACTIONS: [ActionKind; 10] = [
    ActionKind::Transfer,
    ActionKind::ContractCall,
    ActionKind::TypedData,
    ActionKind::Message,
    ActionKind::RawEthereum,
    ActionKind::Replacement,
    ActionKind::Authority,
    ActionKind::Psbt,
    ActionKind::Solana,
    ActionKind::Near,
];
