//! Why a policy version is refused before it decides anything.

use keystead_base::{Amount, Blame, CanonError, Coded, Digest, Name};
use keystead_intent::{AssetError, ChainId};

/// What is wrong with a policy version, or with the step from one to the next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The bytes are no policy version.
    #[error(transparent)]
    Document(#[from] CanonError),
    /// The JSON form does not parse.
    #[error("this is no policy version: {reason}")]
    Json {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// The registry of assets and contracts contradicts itself.
    #[error(transparent)]
    Registry(#[from] AssetError),
    /// A rule does not parse.
    #[error("rule `{rule}` is not one Cedar policy: {reason}")]
    Syntax {
        /// The rule.
        rule: Name,
        /// What the parser says.
        reason: String,
    },
    /// A rule does not fit the schema.
    #[error("rule `{rule}` does not fit the schema: {reason}")]
    Schema {
        /// The rule.
        rule: Name,
        /// What the validator says.
        reason: String,
    },
    /// The schema in the program itself or the roster as entities does not load.
    #[error("the policy engine does not start: {reason}")]
    Engine {
        /// What it says.
        reason: String,
    },
    /// An annotation that means nothing, or not with this value.
    #[error("rule `{rule}`: annotation @{annotation} is {expected}, found {found:?}")]
    Annotation {
        /// The rule.
        rule: Name,
        /// The annotation.
        annotation: String,
        /// What would be right.
        expected: &'static str,
        /// The value found.
        found: String,
    },
    /// An amount is used in another way than compared with a number below its maximum.
    #[error(
        "rule `{rule}`: `{attribute}` holds at 2^63-1, so it is only compared with a number below that, {found}"
    )]
    Saturating {
        /// The rule.
        rule: Name,
        /// The attribute.
        attribute: String,
        /// What was found instead.
        found: &'static str,
    },
    /// A list that is not strictly ascending: unsorted, or with the same thing twice.
    #[error("{list} must ascend and hold nothing twice, but {second} follows {first}")]
    Order {
        /// Which list.
        list: &'static str,
        /// The earlier element.
        first: String,
        /// The later element.
        second: String,
    },
    /// Too long a list or text.
    #[error("{what} has at most {limit}, found {found}")]
    TooMany {
        /// Which list or text.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// Something that must not be empty or zero is.
    #[error("{what} of `{name}` must not be {found}")]
    Empty {
        /// Which field.
        what: &'static str,
        /// Of which element.
        name: String,
        /// `empty` or `zero`.
        found: &'static str,
    },
    /// A name that nothing has.
    #[error("`{by}` refers to {kind} `{found}`, which does not exist")]
    Unknown {
        /// What refers.
        by: String,
        /// What kind of thing is missing.
        kind: &'static str,
        /// The name.
        found: String,
    },
    /// One name or key for two members.
    #[error("{first} and {second} have the same {what}")]
    Shared {
        /// `name`, `signing key` or `transport key`.
        what: &'static str,
        /// One member.
        first: String,
        /// The other.
        second: String,
    },
    /// A measure that means nothing here.
    #[error("{what} of `{name}` is an asset or fiat, found a count")]
    Measure {
        /// Which field.
        what: &'static str,
        /// Of which element.
        name: String,
    },
    /// A quorum that is no majority, or more than all.
    #[error("the quorum of {nodes} nodes is {least} to {nodes}, found {found}")]
    Quorum {
        /// How many nodes.
        nodes: usize,
        /// The smallest majority.
        least: usize,
        /// The quorum found.
        found: u32,
    },
    /// More of the sources must agree than there are, or none.
    #[error("1 to {sources} of the price sources must agree, found {found}")]
    Agree {
        /// How many sources.
        sources: usize,
        /// The number found.
        found: u32,
    },
    /// A row that nobody could ever satisfy.
    #[error("row `{row}` needs {needed} people of role `{role}`, and the roster has {found}")]
    Unsatisfiable {
        /// The row.
        row: Name,
        /// The role.
        role: Name,
        /// How many it needs.
        needed: u32,
        /// How many there are.
        found: u32,
    },
    /// A row that names changes of authority and speaks of other classes.
    #[error("row `{row}` names changes, so its only class is `authority`")]
    Changes {
        /// The row.
        row: Name,
    },
    /// A row that would let a key be wiped at once.
    #[error(
        "row `{row}` names `destroy_key` or `exit_key`, so it needs people, a delay, and a role that may veto"
    )]
    Destruction {
        /// The row.
        row: Name,
    },
    /// Changing authority would take no more people than freezing does (S14).
    #[error("class authority needs a row for all keys without amount and {expected} people, found {found}")]
    Authority {
        /// How many people, at least.
        expected: u64,
        /// How many the best such row asks for.
        found: u64,
    },
    /// No version may be left out.
    #[error("the next version is {expected}, found {found}: a gap")]
    Gap {
        /// The number that would be next.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// No version may come again.
    #[error("the next version is {expected}, found {found}: a rollback")]
    Rollback {
        /// The number that would be next.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// It follows another version than the one in force.
    #[error("the version in force has digest {expected}, and this one follows {found}")]
    Previous {
        /// The digest of the version in force.
        expected: Digest,
        /// The digest that the next version names.
        found: Digest,
    },
    /// Nothing would change.
    #[error("version {number} changes nothing")]
    Unchanged {
        /// The next version's number.
        number: u64,
    },
    /// A change of one section touches another.
    #[error("this change may touch `{expected}` only, and touches `{found}`")]
    Section {
        /// The section that it may touch.
        expected: &'static str,
        /// The section that it touches.
        found: &'static str,
    },
    /// A window would go on counting in another unit.
    #[error("window `{window}` counts something else than before; give the new one another name")]
    WindowMeaning {
        /// The window.
        window: Name,
    },
    /// A node would have an earlier boot number again.
    #[error(
        "node `{node}` has boot number {current}; the next version has {found}, under which it voted before"
    )]
    Boot {
        /// The node.
        node: Name,
        /// Its number in the version in force.
        current: u64,
        /// Its number in the next version.
        found: u64,
    },
    /// An amount beyond what the field may hold.
    #[error("{what} is at most {limit}, found {found}")]
    TooLarge {
        /// Which field.
        what: &'static str,
        /// The limit.
        limit: Amount,
        /// The amount found.
        found: Amount,
    },
    /// A time that is too short for what happens in it.
    #[error("{what} is at least {least}, found {found}")]
    TooSmall {
        /// Which field.
        what: &'static str,
        /// The least.
        least: u64,
        /// The number found.
        found: u64,
    },
    /// A device record that does not hold, is there twice, or is missing.
    #[error(transparent)]
    Enrolment(#[from] crate::EnrolmentError),
    /// Two networks on which a key has the same scripts.
    #[error(
        "{first} and {second} derive the same keys, so that one signature is good on both: list one of them"
    )]
    TestNetworks {
        /// The one.
        first: ChainId,
        /// The other.
        second: ChainId,
    },
}

impl Coded for PolicyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Document(_) => "policy.document",
            Self::Json { .. } => "policy.json",
            Self::Registry(_) => "policy.registry",
            Self::Syntax { .. } => "policy.syntax",
            Self::Schema { .. } => "policy.schema",
            Self::Engine { .. } => "policy.engine",
            Self::Annotation { .. } => "policy.annotation",
            Self::Saturating { .. } => "policy.saturating",
            Self::Order { .. } => "policy.order",
            Self::TooMany { .. } => "policy.too_many",
            Self::Empty { .. } => "policy.empty",
            Self::Unknown { .. } => "policy.unknown",
            Self::Shared { .. } => "policy.shared",
            Self::Measure { .. } => "policy.measure",
            Self::Quorum { .. } => "policy.quorum",
            Self::Agree { .. } => "policy.agree",
            Self::Unsatisfiable { .. } => "policy.unsatisfiable",
            Self::Changes { .. } => "policy.changes",
            Self::Destruction { .. } => "policy.destruction",
            Self::Authority { .. } => "policy.authority",
            Self::Gap { .. } => "policy.gap",
            Self::Rollback { .. } => "policy.rollback",
            Self::Previous { .. } => "policy.previous",
            Self::Unchanged { .. } => "policy.unchanged",
            Self::Section { .. } => "policy.section",
            Self::WindowMeaning { .. } => "policy.window_meaning",
            Self::Boot { .. } => "policy.boot",
            Self::TooLarge { .. } => "policy.too_large",
            Self::TooSmall { .. } => "policy.too_small",
            Self::Enrolment(error) => error.code(),
            Self::TestNetworks { .. } => "policy.test_networks",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Engine { .. } => Blame::Environment,
            _ => Blame::Caller,
        }
    }
}
