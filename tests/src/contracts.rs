//! The contracts that attacks are played on: OpenZeppelin's, Safe's, Uniswap's, and the thieves' own.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use alloy_primitives::{Address, Bytes, U256, address, hex};
use alloy_sol_types::{SolCall, sol};
use keystead_decision::Controls;
use keystead_devnet::{Devnet, Message, Outcome};
use keystead_intent::{ContractEntry, ContractKind, PERMIT2};
use keystead_policy::PolicyVersion;

use crate::fixture::{CHAIN, TOKEN, name};
use crate::theft::{THIEF, executed};
use crate::world::World;
use crate::{Contract, Loot, compile, npm_package, permit2_code};

/// A collection of NFTs.
pub(crate) const PICTURES: Address = address!("0000000000000000000000000000000000091c70");
/// A Safe whose one owner is the account `hot`.
pub(crate) const SAFE: Address = address!("0000000000000000000000000000000000005afe");
/// Safe's `MultiSendCallOnly`.
pub(crate) const MULTI_SEND: Address = address!("0000000000000000000000000000000000003017");
/// What the treasury holds of [`TOKEN`], in its smallest unit.
pub(crate) const COINS: u64 = 40_000_000_000;
/// Who deploys.
pub(crate) const DEPLOYER: Address = address!("00000000000000000000000000000000000de910");

sol! {
    function mint(address to, uint256 value);
    function balanceOf(address owner) returns (uint256);
    function approve(address spender, uint256 amount);
    function increaseAllowance(address spender, uint256 added);
    function setApprovalForAll(address operator, bool approved);
    function transfer(address to, uint256 amount);
    function transferFrom(address from, address to, uint256 amount);
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s);
    function initialize(address owner);
    function upgradeToAndCall(address implementation, bytes data);
    function sweep(address to);
    function drain();
    function setup(address[] owners, uint256 threshold, address to, bytes data, address fallbackHandler, address paymentToken, uint256 payment, address paymentReceiver);
    function execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures);
    function multiSend(bytes transactions);
    struct TokenPermissions { address token; uint256 amount; }
    struct PermitTransferFrom { TokenPermissions permitted; uint256 nonce; uint256 deadline; }
    struct SignatureTransferDetails { address to; uint256 requestedAmount; }
    function permitTransferFrom(PermitTransferFrom permit, SignatureTransferDetails transferDetails, address owner, bytes signature);
}

/// Gives `hot` coins of [`TOKEN`] and two pictures.
pub(crate) fn stock<C: Controls>(world: &mut World<C>) {
    let owner = world.account();
    place(&mut world.chain, TOKEN, "Coin");
    place(&mut world.chain, PICTURES, "Pictures");
    say(&mut world.chain, DEPLOYER, TOKEN, &mintCall { to: owner, value: U256::from(COINS) });
    for id in [1_u64, 2] {
        say(&mut world.chain, DEPLOYER, PICTURES, &mintCall { to: owner, value: U256::from(id) });
    }
}

/// Puts Permit2 where it is on every chain.
pub(crate) fn place_permit2(chain: &mut Devnet) {
    chain.set_code(PERMIT2, bytes_of(&permit2_code()));
}

/// Puts a Safe with this one owner at [`SAFE`], and `MultiSendCallOnly` beside it.
pub(crate) fn place_safe(chain: &mut Devnet, owner: Address) {
    let singleton = address!("00000000000000000000000000000000005afe51");
    chain.set_code(singleton, safe_code("Safe.sol/Safe.json"));
    chain.set_code(MULTI_SEND, safe_code("libraries/MultiSendCallOnly.sol/MultiSendCallOnly.json"));
    chain.set_code(SAFE, safe_code("proxies/SafeProxy.sol/SafeProxy.json"));
    chain.set_storage(SAFE, U256::ZERO, U256::from_be_slice(singleton.as_slice()));
    let setup = setupCall {
        owners: vec![owner],
        threshold: U256::from(1),
        to: Address::ZERO,
        data: Bytes::new(),
        fallbackHandler: Address::ZERO,
        paymentToken: Address::ZERO,
        payment: U256::ZERO,
        paymentReceiver: Address::ZERO,
    };
    say(chain, DEPLOYER, SAFE, &setup);
}

/// A call of [`SAFE`] by its owner, who thereby agrees.
pub(crate) fn by_safe(owner: Address, to: Address, operation: u8, data: Vec<u8>) -> Bytes {
    let signature = [owner.into_word().as_slice(), &[0; 32], &[1]].concat();
    let call = execTransactionCall {
        to,
        value: U256::ZERO,
        data: data.into(),
        operation,
        safeTxGas: U256::ZERO,
        baseGas: U256::ZERO,
        gasPrice: U256::ZERO,
        gasToken: Address::ZERO,
        refundReceiver: Address::ZERO,
        signatures: signature.into(),
    };
    call.abi_encode().into()
}

/// Puts one of our contracts at an address: its code with the immutables that its constructor set.
pub(crate) fn place(chain: &mut Devnet, at: Address, contract: &str) {
    let deployed = deploy(chain, contract, &[]);
    let code = chain.code(deployed);
    chain.set_code(at, code);
}

/// Deploys one of our contracts.
pub(crate) fn deploy(chain: &mut Devnet, contract: &str, arguments: &[u8]) -> Address {
    let code = bytes_of(&ours()[contract].creation_code);
    chain.deploy(DEPLOYER, [code.as_ref(), arguments].concat()).expect("a constructor that returns")
}

/// A call that must succeed, without a signature: history, or what a thief sends.
pub(crate) fn say<S: SolCall>(chain: &mut Devnet, from: Address, to: Address, call: &S) -> Outcome {
    let receipt = chain.execute(&Message::call(from, to, call.abi_encode())).expect("a call that runs");
    assert!(receipt.outcome.is_success(), "{:?}", receipt.outcome);
    receipt.outcome
}

/// The thief takes all coins of `owner` that the token lets it take, and has so many then.
pub(crate) fn take_coins(chain: &mut Devnet, owner: Address) -> U256 {
    say(chain, THIEF, TOKEN, &transferFromCall { from: owner, to: THIEF, amount: U256::from(COINS) });
    coins(chain, THIEF)
}

/// `dora` asks for a call of [`TOKEN`] that gives the thief a right, and the thief uses it.
pub(crate) fn granted<C: Controls>(controls: C, call: &impl SolCall) -> Loot {
    let mut world = World::new(controls);
    stock(&mut world);
    let (id, outcome) = world.ask("dora", world.call(TOKEN, call.abi_encode(), 0));
    match executed(&mut world, &id, &outcome) {
        Ok(receipt) => Loot::stolen(take_coins(&mut world.chain, receipt.from), "units of the token"),
        Err(refused) => refused,
    }
}

/// A balance of [`TOKEN`].
pub(crate) fn coins(chain: &Devnet, owner: Address) -> U256 {
    coins_at(chain, TOKEN, owner)
}

/// A balance of any token.
pub(crate) fn coins_at(chain: &Devnet, token: Address, owner: Address) -> U256 {
    let call = Message::call(DEPLOYER, token, balanceOfCall { owner }.abi_encode());
    U256::from_be_slice(&chain.call(&call).expect("a balance").output)
}

/// Says in a policy what a contract is.
pub(crate) fn register(policy: &mut PolicyVersion, what: &str, address: Address, kind: ContractKind) {
    policy.contracts.push(ContractEntry { chain: CHAIN, address, name: name(what), kind });
    policy.contracts.sort_by_key(|entry| (entry.chain, entry.address));
}

/// Compiled once for each test binary.
fn ours() -> &'static BTreeMap<String, Contract> {
    static COMPILED: OnceLock<BTreeMap<String, Contract>> = OnceLock::new();
    COMPILED.get_or_init(|| compile(SOURCE))
}

fn safe_code(artifact: &str) -> Bytes {
    let path = npm_package(&format!("@safe-global/safe-smart-account/build/artifacts/contracts/{artifact}"));
    let text = std::fs::read_to_string(path).expect("a readable artifact");
    let artifact: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    bytes_of(artifact["deployedBytecode"].as_str().expect("code in hex"))
}

fn bytes_of(text: &str) -> Bytes {
    hex::decode(text).expect("hex").into()
}

const SOURCE: &str = r#"
// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

contract Coin is ERC20Permit {
    constructor() ERC20("Coin", "COIN") ERC20Permit("Coin") {}

    function mint(address to, uint256 value) external {
        _mint(to, value);
    }

    // As OpenZeppelin 4 had it, and most tokens on chain still have.
    function increaseAllowance(address spender, uint256 added) external returns (bool) {
        _approve(msg.sender, spender, allowance(msg.sender, spender) + added);
        return true;
    }
}

contract Pictures is ERC721 {
    constructor() ERC721("Pictures", "PIC") {}

    function mint(address to, uint256 id) external {
        _mint(to, id);
    }
}

contract Vault is UUPSUpgradeable {
    address public owner;

    function initialize(address first) external {
        require(owner == address(0));
        owner = first;
    }

    receive() external payable {}

    function _authorizeUpgrade(address) internal view override {
        require(msg.sender == owner);
    }
}

contract VaultProxy is ERC1967Proxy {
    constructor(address implementation, bytes memory data) ERC1967Proxy(implementation, data) {}
}

contract HollowVault is UUPSUpgradeable {
    function sweep(address payable to) external {
        to.transfer(address(this).balance);
    }

    function _authorizeUpgrade(address) internal override {}
}

contract Sweeper {
    function sweep(address payable to) external {
        to.transfer(address(this).balance);
    }
}

// Takes all there is, and says in its event that it took what it was told to.
contract Skimmer {
    mapping(address => uint256) public balanceOf;

    event Transfer(address indexed from, address indexed to, uint256 value);

    function mint(address to, uint256 value) external {
        balanceOf[to] += value;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        balanceOf[to] += value;
        balanceOf[address(uint160(0xbad1e))] += balanceOf[msg.sender] - value;
        balanceOf[msg.sender] = 0;
        emit Transfer(msg.sender, to, value);
        return true;
    }
}

// Takes what somebody let it take once; who that is stands in its own storage, and in no call to it.
contract Drain {
    address private token;
    address private from;

    function drain() external {
        ERC20(token).transferFrom(from, address(0xbad1e), 5);
    }
}

// Does as it is told, and has no events.
contract Mute {
    mapping(address => uint256) public balanceOf;

    function mint(address to, uint256 value) external {
        balanceOf[to] += value;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        balanceOf[from] -= value;
        balanceOf[to] += value;
        return true;
    }
}

// Says in its events that everything moves, and that everybody may take everything.
contract Boaster {
    uint256 private calls;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    function transfer(address to, uint256) external returns (bool) {
        calls += 1;
        emit Transfer(msg.sender, to, type(uint256).max);
        emit Approval(msg.sender, to, type(uint256).max);
        return true;
    }
}

// Run by delegatecall, its "transfer" writes the first slot of whoever runs it: where a Safe proxy
// keeps the address of its own code.
contract Backdoor {
    address private singleton;

    function transfer(address to, uint256) external {
        singleton = to;
    }
}
"#;
