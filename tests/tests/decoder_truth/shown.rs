//! What an execution shows: balances, allowances and authority that changed.

use alloy_primitives::{Address, B256, I256, Log, U256, keccak256};
use alloy_sol_types::SolValue;
use keystead_devnet::Outcome;
use keystead_intent::{Asset, EffectKind, Effects, PERMIT2};

/// One change.
#[derive(Debug)]
pub(crate) enum Change {
    Coins { account: Address, before: U256, after: U256 },
    Tokens { token: Address, from: Address, to: Address, amount: U256 },
    Nft { token: Address, from: Address, to: Address, id: U256 },
    Many { token: Address, from: Address, to: Address, id: U256, amount: U256 },
    Allowance { token: Address, owner: Address, spender: Address },
    NftApproval { token: Address, owner: Address, spender: Address, id: U256 },
    Operator { token: Address, owner: Address, operator: Address, approved: bool },
    Authority { target: Address },
}

/// All changes of an execution. An event that is not known here is no change of these kinds.
pub(crate) fn changes(outcome: &Outcome) -> Vec<Change> {
    let coins = outcome.changes.iter().filter_map(|(account, change)| {
        let balance = change.balance.as_ref()?;
        Some(Change::Coins { account: *account, before: balance.before, after: balance.after })
    });
    coins.chain(outcome.logs.iter().flat_map(of_event)).collect()
}

impl Change {
    /// Whether the effects say so.
    pub(crate) fn is_in(&self, effects: &Effects) -> bool {
        if let Self::Coins { account, before, after } = self {
            return coins_add_up(effects, *account, *before, *after);
        }
        effects.items.iter().any(|effect| self.is(&effect.kind))
    }

    fn is(&self, kind: &EffectKind) -> bool {
        match (self, kind) {
            (
                Self::Tokens { token, from, to, amount },
                EffectKind::Transfer { asset, from: f, to: t, amount: a },
            ) => *asset == Asset::Token(*token) && (from, to, amount) == (f, t, &a.0),
            (
                Self::Nft { token, from, to, id },
                EffectKind::NftTransfer { token: c, from: f, to: t, id: i },
            ) => (token, from, to, id) == (c, f, t, &i.0),
            (
                Self::Many { token, from, to, id, amount },
                EffectKind::MultiTokenTransfer { token: c, from: f, to: t, id: i, amount: a },
            ) => (token, from, to, id, amount) == (c, f, t, &i.0, &a.0),
            (Self::Allowance { token, owner, spender }, EffectKind::Allowance(allowance)) => {
                (token, owner, spender) == (&allowance.token, &allowance.owner, &allowance.spender)
            }
            (
                Self::NftApproval { token, owner, spender, id },
                EffectKind::NftApproval { token: c, owner: o, spender: s, id: i },
            ) => (token, owner, spender, id) == (c, o, s, &i.0),
            (
                Self::Operator { token, owner, operator, approved },
                EffectKind::OperatorApproval { token: c, owner: o, operator: p, approved: a },
            ) => (token, owner, operator, approved) == (c, o, p, a),
            (Self::Authority { target }, EffectKind::Authority { target: t, .. }) => target == t,
            _ => false,
        }
    }
}

fn coins_add_up(effects: &Effects, account: Address, before: U256, after: U256) -> bool {
    let signed = |amount: U256| I256::try_from(amount).expect("less than all ether");
    let said = effects.items.iter().fold(I256::ZERO, |sum, effect| match &effect.kind {
        EffectKind::Transfer { asset: Asset::Native, from, to, amount } => {
            let gained = if *to == account { signed(amount.0) } else { I256::ZERO };
            let lost = if *from == account { signed(amount.0) } else { I256::ZERO };
            sum + gained - lost
        }
        _ => sum,
    });
    signed(after) - signed(before) == said
}

fn of_event(log: &Log) -> Vec<Change> {
    let topics = log.topics();
    let Some(first) = topics.first() else { return Vec::new() };
    let address = |index: usize| topics.get(index).map_or(Address::ZERO, |it| Address::from_word(*it));
    let number = |index: usize| topics.get(index).map_or(U256::ZERO, |it| U256::from_be_bytes(it.0));
    let word =
        |index: usize| log.data.data.get(32 * index..32 * index + 32).map_or(U256::ZERO, U256::from_be_slice);
    let token = log.address;
    let is = |event: &str| *first == keccak256(event);
    if is("Transfer(address,address,uint256)") {
        let (from, to) = (address(1), address(2));
        return match topics.len() {
            4 => vec![Change::Nft { token, from, to, id: number(3) }],
            _ => vec![Change::Tokens { token, from, to, amount: word(0) }],
        };
    }
    if is("Approval(address,address,uint256)") {
        let (owner, spender) = (address(1), address(2));
        return match topics.len() {
            4 => vec![Change::NftApproval { token, owner, spender, id: number(3) }],
            _ => vec![Change::Allowance { token, owner, spender }],
        };
    }
    if is("Approval(address,address,address,uint160,uint48)") && token == PERMIT2 {
        return vec![Change::Allowance { token: address(2), owner: address(1), spender: address(3) }];
    }
    if is("ApprovalForAll(address,address,bool)") {
        let approved = !word(0).is_zero();
        return vec![Change::Operator { token, owner: address(1), operator: address(2), approved }];
    }
    if is("TransferSingle(address,address,address,uint256,uint256)") {
        let (from, to) = (address(2), address(3));
        return vec![Change::Many { token, from, to, id: word(0), amount: word(1) }];
    }
    if is("TransferBatch(address,address,address,uint256[],uint256[])") {
        return batch(log, address(2), address(3));
    }
    if AUTHORITY_EVENTS.iter().any(|event| is(event)) {
        vec![Change::Authority { target: token }]
    } else {
        Vec::new()
    }
}

fn batch(log: &Log, from: Address, to: Address) -> Vec<Change> {
    type Batch = (Vec<U256>, Vec<U256>);
    let (ids, amounts) = Batch::abi_decode_params(&log.data.data).expect("an event of the standard");
    let token = log.address;
    ids.into_iter().zip(amounts).map(|(id, amount)| Change::Many { token, from, to, id, amount }).collect()
}

const AUTHORITY_EVENTS: [&str; 14] = [
    "OwnershipTransferred(address,address)",
    "RoleGranted(bytes32,address,address)",
    "RoleRevoked(bytes32,address,address)",
    "RoleAdminChanged(bytes32,bytes32,bytes32)",
    "Upgraded(address)",
    "AdminChanged(address,address)",
    "AddedOwner(address)",
    "RemovedOwner(address)",
    "ChangedThreshold(uint256)",
    "EnabledModule(address)",
    "DisabledModule(address)",
    "ChangedGuard(address)",
    "ChangedModuleGuard(address)",
    "ChangedFallbackHandler(address)",
];

#[test]
fn events_are_told_apart_by_their_topics() {
    let log = |topics: Vec<B256>, data: Vec<u8>| Log::new_unchecked(Address::ZERO, topics, data.into());
    let transfer = keccak256("Transfer(address,address,uint256)");
    let coins = of_event(&log(vec![transfer, B256::ZERO, B256::ZERO], vec![0; 32]));
    assert!(matches!(coins[..], [Change::Tokens { .. }]));
    let nft = of_event(&log(vec![transfer, B256::ZERO, B256::ZERO, B256::ZERO], Vec::new()));
    assert!(matches!(nft[..], [Change::Nft { .. }]));
}
