//! The contracts that calls are played against, and what our account has there.

use alloy_primitives::{Address, Bytes, U256, address, keccak256};
use alloy_sol_types::{SolCall, SolValue, sol};
use keystead_base::Name;
use keystead_devnet::{Devnet, Message, Outcome};
use keystead_intent::{Asset, AssetEntry, AssetIndex, AssetKind, ContractEntry, ContractKind, PERMIT2};
use keystead_tests::fixture::{BIRTH, CHAIN, ETHER, name};
use keystead_tests::{compile, npm_package, permit2_code};

sol! {
    interface IStage {
        function mint(address to, uint256 amount) external;
        function approve(address spender, uint256 amount) external;
        function setup(address[] owners, uint256 threshold, address to, bytes data, address fallbackHandler, address paymentToken, uint256 payment, address paymentReceiver) external;
        function createProxyWithNonce(address singleton, bytes initializer, uint256 saltNonce) external returns (address);
    }
}

/// The chain, the addresses, and the registry that says what they are.
pub(crate) struct Stage {
    chain: Devnet,
    pub(crate) registry: AssetIndex,
    pub(crate) account: Address,
    pub(crate) coin: Address,
    pub(crate) nft: Address,
    pub(crate) many: Address,
    pub(crate) vault: Address,
    pub(crate) implementation: Address,
    pub(crate) safe: Address,
    pub(crate) multi_send: Address,
    pub(crate) multi_send_call_only: Address,
}

/// Somebody who holds a little of everything and allows our account to take it.
pub(crate) const OTHER: Address = address!("0000000000000000000000000000000000007e57");

impl Stage {
    pub(crate) fn build() -> Self {
        let mut chain = Devnet::new(CHAIN.0, BIRTH.seconds());
        let account = address!("a11ce00000000000000000000000000000000001");
        chain.fund(account, U256::from(1_000 * ETHER));
        chain.set_code(PERMIT2, const_hex::decode(permit2_code()).unwrap());
        let contracts = compile(SOURCE);
        let mut deploy = |name: &str| {
            let code = const_hex::decode(&contracts[name].creation_code).unwrap();
            chain.deploy(account, code).unwrap()
        };
        let (coin, nft, many) = (deploy("Coin"), deploy("Nft"), deploy("Many"));
        let (implementation, second) = (deploy("Vault"), deploy("Vault"));
        let mut proxy = const_hex::decode(&contracts["Proxy"].creation_code).unwrap();
        proxy.extend((implementation, Bytes::from(initialize(account))).abi_encode_params());
        let vault = chain.deploy(account, proxy).unwrap();
        let safe = deploy_safe(&mut chain, account);
        let multi_send = deploy_artifact(&mut chain, account, "libraries/MultiSend.sol/MultiSend");
        let multi_send_call_only =
            deploy_artifact(&mut chain, account, "libraries/MultiSendCallOnly.sol/MultiSendCallOnly");
        let mut stage = Self {
            chain,
            registry: AssetIndex::default(),
            account,
            coin,
            nft,
            many,
            vault,
            implementation: second,
            safe,
            multi_send,
            multi_send_call_only,
        };
        stage.hand_out();
        stage.registry = stage.registry();
        stage
    }

    /// Plays a call of our account; nothing of it lasts.
    pub(crate) fn run(&self, to: Address, value: U256, data: Vec<u8>) -> Outcome {
        self.chain.call(&Message::call(self.account, to, data).with_value(value)).unwrap()
    }

    fn hand_out(&mut self) {
        for token in [self.coin, self.nft, self.many] {
            for holder in [self.account, self.safe, OTHER] {
                self.must(self.account, token, mint(holder));
            }
        }
        let (coin, account) = (self.coin, self.account);
        self.must(
            OTHER,
            coin,
            IStage::approveCall { spender: account, amount: U256::from(500) }.abi_encode(),
        );
        self.must(account, coin, IStage::approveCall { spender: PERMIT2, amount: U256::MAX }.abi_encode());
        self.chain.fund(self.safe, U256::from(10 * ETHER));
    }

    fn must(&mut self, from: Address, to: Address, data: Vec<u8>) {
        let receipt = self.chain.execute(&Message::call(from, to, data)).unwrap();
        assert!(receipt.outcome.is_success(), "{:?}", receipt.outcome);
    }

    fn registry(&self) -> AssetIndex {
        let asset = |asset, kind, symbol: &str| AssetEntry {
            chain: CHAIN,
            asset,
            symbol: symbol.to_owned(),
            decimals: 0,
            kind,
        };
        let contract = |text: &str, address, kind| {
            let name: Name = name(text);
            ContractEntry { chain: CHAIN, address, name, kind }
        };
        let assets = [
            asset(Asset::Native, AssetKind::Fungible, "ETH"),
            asset(Asset::Token(self.coin), AssetKind::Fungible, "COIN"),
            asset(Asset::Token(self.nft), AssetKind::NonFungible, "NFT"),
            asset(Asset::Token(self.many), AssetKind::MultiToken, "MANY"),
        ];
        let contracts = [
            contract("safe", self.safe, ContractKind::Safe),
            contract("multi-send", self.multi_send, ContractKind::MultiSend),
            contract("multi-send-call-only", self.multi_send_call_only, ContractKind::MultiSend),
            contract("permit2", PERMIT2, ContractKind::Permit2),
            contract("vault", self.vault, ContractKind::Governed),
        ];
        AssetIndex::new(&assets, &contracts).unwrap()
    }
}

fn mint(to: Address) -> Vec<u8> {
    IStage::mintCall { to, amount: U256::from(1_000) }.abi_encode()
}

fn initialize(owner: Address) -> Vec<u8> {
    let mut data = keccak256("initialize(address)")[..4].to_vec();
    data.extend(owner.abi_encode());
    data
}

fn deploy_safe(chain: &mut Devnet, owner: Address) -> Address {
    let singleton = deploy_artifact(chain, owner, "Safe.sol/Safe");
    let factory = deploy_artifact(chain, owner, "proxies/SafeProxyFactory.sol/SafeProxyFactory");
    let handler = deploy_artifact(
        chain,
        owner,
        "handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler",
    );
    let initializer = IStage::setupCall {
        owners: vec![owner],
        threshold: U256::from(1),
        to: Address::ZERO,
        data: Bytes::new(),
        fallbackHandler: handler,
        paymentToken: Address::ZERO,
        payment: U256::ZERO,
        paymentReceiver: Address::ZERO,
    };
    let create = IStage::createProxyWithNonceCall {
        singleton,
        initializer: initializer.abi_encode().into(),
        saltNonce: U256::ZERO,
    };
    let receipt = chain.execute(&Message::call(owner, factory, create.abi_encode())).unwrap();
    assert!(receipt.outcome.is_success(), "{:?}", receipt.outcome);
    Address::abi_decode(&receipt.outcome.output).unwrap()
}

fn deploy_artifact(chain: &mut Devnet, from: Address, path: &str) -> Address {
    let folder = npm_package("@safe-global/safe-smart-account").join("build/artifacts/contracts");
    let text = std::fs::read_to_string(folder.join(format!("{path}.json"))).unwrap();
    let artifact: serde_json::Value = serde_json::from_str(&text).unwrap();
    let code = const_hex::decode(artifact["bytecode"].as_str().unwrap()).unwrap();
    chain.deploy(from, code).unwrap()
}

/// Tokens and a vault out of OpenZeppelin's parts; our account owns them.
const SOURCE: &str = r#"// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

contract Coin is ERC20("Coin", "COIN"), ERC20Permit("Coin"), Ownable(msg.sender), Multicall {
    function mint(address to, uint256 amount) external { _mint(to, amount); }
}
contract Nft is ERC721("Nft", "NFT"), Ownable(msg.sender), Multicall {
    uint256 private next;
    function mint(address to, uint256) external { for (uint256 i = 0; i < 4; i++) { _mint(to, next++); } }
}
contract Many is ERC1155(""), Ownable(msg.sender), Multicall {
    function mint(address to, uint256 amount) external { for (uint256 i = 0; i < 4; i++) { _mint(to, i, amount, ""); } }
}
contract Vault is UUPSUpgradeable, AccessControl, Multicall {
    address public owner;
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
    function initialize(address first) external {
        require(owner == address(0));
        owner = first;
        _grantRole(DEFAULT_ADMIN_ROLE, first);
    }
    function transferOwnership(address next) external {
        require(msg.sender == owner);
        emit OwnershipTransferred(owner, next);
        owner = next;
    }
    function _authorizeUpgrade(address) internal view override { require(msg.sender == owner); }
}
contract Proxy is ERC1967Proxy {
    constructor(address code, bytes memory data) ERC1967Proxy(code, data) {}
}
"#;
