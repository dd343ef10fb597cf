//! Random calls: sensible ones, nested ones, and ones with a byte that is not as it should be.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall, sol};
use keystead_intent::PERMIT2;
use proptest::prelude::*;

use crate::stage::{OTHER, Stage};

sol! {
    interface ICalls {
        function transfer(address to, uint256 amount) external;
        function transferFrom(address from, address to, uint256 amount) external;
        function approve(address spender, uint256 amount) external;
        function increaseAllowance(address spender, uint256 amount) external;
        function transferOwnership(address owner) external;
        function renounceOwnership() external;
        function safeTransferFrom(address from, address to, uint256 id) external;
        function setApprovalForAll(address operator, bool approved) external;
        function safeBatchTransferFrom(address from, address to, uint256[] ids, uint256[] amounts, bytes data) external;
        function multicall(bytes[] data) external;
        function multiSend(bytes transactions) external payable;
        function execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures) external payable;
        function addOwnerWithThreshold(address owner, uint256 threshold) external;
        function enableModule(address module) external;
        function setFallbackHandler(address handler) external;
        function upgradeToAndCall(address code, bytes data) external payable;
        function grantRole(bytes32 role, address account) external;
        function revokeRole(bytes32 role, address account) external;
    }
    interface IMany {
        function safeTransferFrom(address from, address to, uint256 id, uint256 amount, bytes data) external;
    }
    interface IPermit2Calls {
        function approve(address token, address spender, uint160 amount, uint48 expiration) external;
        function transferFrom(address from, address to, uint160 amount, address token) external;
    }
}

/// A call, before addresses are known.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Coins(Who, u64),
    Coin(Simple),
    Nft(Simple),
    Many(Simple),
    Vault(Simple),
    Permit2 { spend: bool, who: Who, amount: u16 },
    Multicall(Vec<Simple>),
    Safe(Box<Call>, bool),
    SafeItself(Simple),
    MultiSend { calls: Vec<Call>, call_only: bool, through_safe: bool },
    Raw(u8, Vec<u8>),
    Mutated(Box<Call>, u16, u8),
}

/// A function of a token or vault.
#[derive(Clone, Debug)]
pub(crate) enum Simple {
    Transfer(Who, u16),
    TransferFrom(Who, Who, u16),
    Approve(Who, u64),
    IncreaseAllowance(Who, u16),
    SafeTransfer(Who, Who, u8),
    ManyTransfer(Who, Who, u8, u16),
    BatchTransfer(Who, Vec<(u8, u16)>),
    ApproveForAll(Who, bool),
    Ownership(Who),
    Renounce,
    Role(Who, bool, bool),
    Upgrade(bool),
    AddOwner(Who),
    EnableModule(Who),
    FallbackHandler(Who),
}

/// Somebody.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    Us,
    Other,
    Safe,
    Stranger(u8),
}

/// Calls of all kinds.
pub(crate) fn call() -> impl Strategy<Value = Call> {
    let leaf = prop_oneof![
        2 => (who(), any::<u64>()).prop_map(|(who, wei)| Call::Coins(who, wei)),
        6 => mostly(coin()).prop_map(Call::Coin),
        4 => mostly(nft()).prop_map(Call::Nft),
        4 => mostly(many()).prop_map(Call::Many),
        3 => mostly(vault()).prop_map(Call::Vault),
        2 => (any::<bool>(), who(), any::<u16>())
            .prop_map(|(spend, who, amount)| Call::Permit2 { spend, who, amount }),
        3 => prop::collection::vec(mostly(coin()), 0..4).prop_map(Call::Multicall),
        2 => mostly(safe_itself()).prop_map(Call::SafeItself),
        1 => (any::<u8>(), prop::collection::vec(any::<u8>(), 0..80)).prop_map(|(to, data)| Call::Raw(to, data)),
    ];
    let nested = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            3 => (inner.clone(), prop::bool::weighted(0.2)).prop_map(|(it, delegate)| Call::Safe(Box::new(it), delegate)),
            3 => (prop::collection::vec(inner, 0..5), any::<bool>(), any::<bool>())
                .prop_map(|(calls, call_only, through_safe)| Call::MultiSend { calls, call_only, through_safe }),
        ]
    });
    prop_oneof![
        5 => nested.clone(),
        1 => (nested, any::<u16>(), 1..=u8::MAX).prop_map(|(it, at, bits)| Call::Mutated(Box::new(it), at, bits)),
    ]
}

/// Nearly always what the contract has, now and then what another one has.
fn mostly(own: impl Strategy<Value = Simple>) -> impl Strategy<Value = Simple> {
    prop_oneof![9 => own, 1 => prop_oneof![coin(), nft(), many(), vault(), safe_itself()]]
}

fn coin() -> impl Strategy<Value = Simple> {
    prop_oneof![
        6 => (who(), 0..300_u16).prop_map(|(to, amount)| Simple::Transfer(to, amount)),
        3 => (from(), who(), 0..250_u16).prop_map(|(from, to, amount)| Simple::TransferFrom(from, to, amount)),
        4 => (who(), any::<u64>()).prop_map(|(who, amount)| Simple::Approve(who, amount)),
        1 => (who(), any::<u16>()).prop_map(|(who, amount)| Simple::IncreaseAllowance(who, amount)),
        1 => who().prop_map(Simple::Ownership),
        1 => Just(Simple::Renounce),
    ]
}

fn nft() -> impl Strategy<Value = Simple> {
    prop_oneof![
        4 => (from(), who(), 0..6_u8).prop_map(|(from, to, id)| Simple::SafeTransfer(from, to, id)),
        4 => (from(), who(), 0..6_u16).prop_map(|(from, to, id)| Simple::TransferFrom(from, to, id)),
        3 => (who(), 0..6_u64).prop_map(|(who, id)| Simple::Approve(who, id)),
        2 => (who(), any::<bool>()).prop_map(|(who, yes)| Simple::ApproveForAll(who, yes)),
        1 => who().prop_map(Simple::Ownership),
    ]
}

fn many() -> impl Strategy<Value = Simple> {
    prop_oneof![
        4 => (from(), who(), 0..4_u8, 0..300_u16).prop_map(|(from, to, id, n)| Simple::ManyTransfer(from, to, id, n)),
        3 => (who(), prop::collection::vec((0..4_u8, 0..200_u16), 0..4)).prop_map(|(to, it)| Simple::BatchTransfer(to, it)),
        2 => (who(), any::<bool>()).prop_map(|(who, yes)| Simple::ApproveForAll(who, yes)),
        1 => who().prop_map(Simple::Ownership),
    ]
}

fn vault() -> impl Strategy<Value = Simple> {
    prop_oneof![
        2 => who().prop_map(Simple::Ownership),
        3 => (who(), any::<bool>(), any::<bool>()).prop_map(|(who, admin, grant)| Simple::Role(who, admin, grant)),
        2 => prop::bool::weighted(0.8).prop_map(Simple::Upgrade),
    ]
}

fn safe_itself() -> impl Strategy<Value = Simple> {
    prop_oneof![
        who().prop_map(Simple::AddOwner),
        who().prop_map(Simple::EnableModule),
        who().prop_map(Simple::FallbackHandler),
    ]
}

fn from() -> impl Strategy<Value = Who> {
    prop_oneof![6 => Just(Who::Us), 1 => Just(Who::Other), 1 => who()]
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![Just(Who::Us), Just(Who::Other), Just(Who::Safe), any::<u8>().prop_map(Who::Stranger)]
}

impl Call {
    /// Destination, value and calldata of our account's call.
    pub(crate) fn message(&self, stage: &Stage) -> (Address, U256, Vec<u8>) {
        let zero = U256::ZERO;
        match self {
            Self::Coins(who, wei) => (who.address(stage), U256::from(*wei), Vec::new()),
            Self::Coin(simple) => (stage.coin, zero, simple.data(stage)),
            Self::Nft(simple) => (stage.nft, zero, simple.data(stage)),
            Self::Many(simple) => (stage.many, zero, simple.data(stage)),
            Self::Vault(simple) => (stage.vault, zero, simple.data(stage)),
            Self::Permit2 { spend, who, amount } => (PERMIT2, zero, permit2(stage, *spend, *who, *amount)),
            Self::Multicall(calls) => {
                let data = calls.iter().map(|it| Bytes::from(it.data(stage))).collect();
                (stage.coin, zero, ICalls::multicallCall { data }.abi_encode())
            }
            Self::SafeItself(simple) => safe(stage, (stage.safe, zero, simple.data(stage)), false),
            Self::Safe(inner, delegate) => safe(stage, inner.message(stage), *delegate),
            Self::MultiSend { calls, call_only, through_safe } => {
                let to = if *call_only { stage.multi_send_call_only } else { stage.multi_send };
                let data = multi_send(calls.iter().map(|it| it.message(stage)));
                if *through_safe { safe(stage, (to, zero, data), true) } else { (to, zero, data) }
            }
            Self::Raw(to, data) => (stage.everywhere(*to), zero, data.clone()),
            Self::Mutated(inner, at, bits) => {
                let (to, value, mut data) = inner.message(stage);
                let at = usize::from(*at) % data.len().max(1);
                data.get_mut(at).into_iter().for_each(|byte| *byte ^= bits);
                (to, value, data)
            }
        }
    }
}

impl Simple {
    fn data(&self, stage: &Stage) -> Vec<u8> {
        let who = |who: &Who| who.address(stage);
        match self {
            Self::Transfer(to, amount) => {
                ICalls::transferCall { to: who(to), amount: U256::from(*amount) }.abi_encode()
            }
            Self::TransferFrom(from, to, amount) => {
                ICalls::transferFromCall { from: who(from), to: who(to), amount: U256::from(*amount) }
                    .abi_encode()
            }
            Self::Approve(spender, amount) => {
                ICalls::approveCall { spender: who(spender), amount: U256::from(*amount) }.abi_encode()
            }
            Self::IncreaseAllowance(spender, amount) => {
                ICalls::increaseAllowanceCall { spender: who(spender), amount: U256::from(*amount) }
                    .abi_encode()
            }
            Self::SafeTransfer(from, to, id) => {
                ICalls::safeTransferFromCall { from: who(from), to: who(to), id: U256::from(*id) }
                    .abi_encode()
            }
            Self::ManyTransfer(from, to, id, amount) => IMany::safeTransferFromCall {
                from: who(from),
                to: who(to),
                id: U256::from(*id),
                amount: U256::from(*amount),
                data: Bytes::new(),
            }
            .abi_encode(),
            Self::BatchTransfer(to, items) => ICalls::safeBatchTransferFromCall {
                from: stage.account,
                to: who(to),
                ids: items.iter().map(|(id, _)| U256::from(*id)).collect(),
                amounts: items.iter().map(|(_, amount)| U256::from(*amount)).collect(),
                data: Bytes::new(),
            }
            .abi_encode(),
            Self::ApproveForAll(operator, approved) => {
                ICalls::setApprovalForAllCall { operator: who(operator), approved: *approved }.abi_encode()
            }
            Self::Ownership(owner) => ICalls::transferOwnershipCall { owner: who(owner) }.abi_encode(),
            Self::Renounce => ICalls::renounceOwnershipCall {}.abi_encode(),
            Self::Role(account, admin, grant) => role(who(account), *admin, *grant),
            Self::Upgrade(good) => {
                let code = if *good { stage.implementation } else { stage.coin };
                ICalls::upgradeToAndCallCall { code, data: Bytes::new() }.abi_encode()
            }
            Self::AddOwner(owner) => {
                ICalls::addOwnerWithThresholdCall { owner: who(owner), threshold: U256::from(1) }.abi_encode()
            }
            Self::EnableModule(module) => ICalls::enableModuleCall { module: who(module) }.abi_encode(),
            Self::FallbackHandler(handler) => {
                ICalls::setFallbackHandlerCall { handler: who(handler) }.abi_encode()
            }
        }
    }
}

impl Who {
    fn address(self, stage: &Stage) -> Address {
        match self {
            Self::Us => stage.account,
            Self::Other => OTHER,
            Self::Safe => stage.safe,
            // Far from the precompiles.
            Self::Stranger(byte) => Address::repeat_byte(byte | 0x80),
        }
    }
}

impl Stage {
    fn everywhere(&self, byte: u8) -> Address {
        let places = [
            self.coin,
            self.nft,
            self.many,
            self.vault,
            self.safe,
            PERMIT2,
            self.multi_send,
            self.implementation,
        ];
        places[usize::from(byte) % places.len()]
    }
}

fn role(account: Address, admin: bool, grant: bool) -> Vec<u8> {
    let role = if admin { B256::ZERO } else { keccak256("PAUSER_ROLE") };
    if grant {
        ICalls::grantRoleCall { role, account }.abi_encode()
    } else {
        ICalls::revokeRoleCall { role, account }.abi_encode()
    }
}

fn permit2(stage: &Stage, spend: bool, who: Who, amount: u16) -> Vec<u8> {
    let (token, who) = (stage.coin, who.address(stage));
    let amount = alloy_primitives::aliases::U160::from(amount);
    if spend {
        IPermit2Calls::transferFromCall { from: stage.account, to: who, amount, token }.abi_encode()
    } else {
        let expiration = alloy_primitives::aliases::U48::from(0xffff_ffff_ffff_u64);
        IPermit2Calls::approveCall { token, spender: who, amount, expiration }.abi_encode()
    }
}

/// Our account is the only owner, so its own call is the signature (`v` = 1).
fn safe(stage: &Stage, inner: (Address, U256, Vec<u8>), delegate: bool) -> (Address, U256, Vec<u8>) {
    let mut signatures = stage.account.into_word().to_vec();
    signatures.extend([0; 32]);
    signatures.push(1);
    let (to, value, data) = inner;
    let call = ICalls::execTransactionCall {
        to,
        value,
        data: data.into(),
        operation: u8::from(delegate),
        safeTxGas: U256::ZERO,
        baseGas: U256::ZERO,
        gasPrice: U256::ZERO,
        gasToken: Address::ZERO,
        refundReceiver: Address::ZERO,
        signatures: signatures.into(),
    };
    (stage.safe, U256::ZERO, call.abi_encode())
}

/// MultiSend's packed form: operation, destination, value, length, data.
fn multi_send(inner: impl Iterator<Item = (Address, U256, Vec<u8>)>) -> Vec<u8> {
    let mut transactions = Vec::new();
    for (to, value, data) in inner {
        transactions.push(0);
        transactions.extend(to.as_slice());
        transactions.extend(value.to_be_bytes::<32>());
        transactions.extend(U256::from(data.len()).to_be_bytes::<32>());
        transactions.extend(&data);
    }
    ICalls::multiSendCall { transactions: transactions.into() }.abi_encode()
}
