//! One execution by `revm` on a state that it does not change.

use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use revm::context::result::{EVMError, ResultAndState};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::database::{CacheDB, EmptyDB, WrapDatabaseRef};
use revm::inspector::{InspectEvm as _, Inspector};
use revm::interpreter::{CallInputs, CallOutcome, CallScheme, CreateInputs, CreateOutcome};
use revm::primitives::eip7825::TX_GAS_LIMIT_CAP;
use revm::primitives::hardfork::SpecId;
use revm::{Context, DatabaseRef as _, MainBuilder as _, MainContext as _};

use crate::{DevnetError, Frame, FrameKind, Outcome};

pub(crate) type State = CacheDB<EmptyDB>;

/// A call without a signature: for reads, for tests, and for what a contract would send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The sender; its nonce and its code are not asked about.
    pub from: Address,
    /// The destination; `None` creates a contract.
    pub to: Option<Address>,
    /// Wei sent along.
    pub value: U256,
    /// The call data, or the init code.
    pub input: Bytes,
    /// At most the cap of EIP-7825.
    pub gas_limit: u64,
}

impl Message {
    /// A call of `to` without value, with as much gas as a transaction may have.
    pub fn call(from: Address, to: Address, input: impl Into<Bytes>) -> Self {
        Self { from, to: Some(to), value: U256::ZERO, input: input.into(), gas_limit: TX_GAS_LIMIT_CAP }
    }

    /// A creation, with as much gas as a transaction may have.
    pub fn create(from: Address, init_code: impl Into<Bytes>) -> Self {
        Self { to: None, ..Self::call(from, Address::ZERO, init_code) }
    }

    /// The same message with `value` wei.
    #[must_use]
    pub fn with_value(self, value: U256) -> Self {
        Self { value, ..self }
    }

    pub(crate) fn to_env(&self, chain_id: u64, nonce: u64) -> TxEnv {
        TxEnv {
            caller: self.from,
            gas_limit: self.gas_limit,
            kind: self.to.map_or(TxKind::Create, TxKind::Call),
            value: self.value,
            data: self.input.clone(),
            nonce,
            chain_id: Some(chain_id),
            ..TxEnv::default()
        }
    }
}

/// Who is asked for a signature, a nonce and a fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    /// All of a real node's checks.
    Full,
    /// A [`Message`]: no base fee, and a contract may be the sender.
    Message,
}

pub(crate) fn run(
    state: &State,
    chain_id: u64,
    mut block: BlockEnv,
    tx: TxEnv,
    checks: Checks,
) -> Result<(Outcome, ResultAndState), DevnetError> {
    if checks == Checks::Message {
        block.basefee = 0;
    }
    let mut evm = Context::mainnet()
        .with_db(WrapDatabaseRef(state))
        .with_block(block)
        .modify_cfg_chained(|cfg| configure(cfg, chain_id, checks))
        .build_mainnet_with_inspector(Frames::default());
    let executed = evm.inspect_tx(tx).map_err(|error| refusal(error, chain_id))?;
    let frames = std::mem::take(&mut evm.inspector.frames);
    let outcome = Outcome::new(&executed, frames, &|address| before(state, address));
    Ok((outcome, executed))
}

fn configure(cfg: &mut CfgEnv, chain_id: u64, checks: Checks) {
    cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
    cfg.chain_id = chain_id;
    cfg.tx_chain_id_check = true;
    cfg.disable_eip3607 = checks == Checks::Message;
}

fn before(state: &State, address: Address) -> (U256, u64, B256) {
    let Ok(info) = state.basic_ref(address);
    let info = info.unwrap_or_default();
    (info.balance, info.nonce, info.code_hash)
}

fn refusal<E: std::fmt::Display>(error: EVMError<E>, chain_id: u64) -> DevnetError {
    match error {
        EVMError::Transaction(reason) => DevnetError::invalid(reason, chain_id),
        other => DevnetError::Interpreter { reason: other.to_string() },
    }
}

/// Records every frame.
#[derive(Default)]
struct Frames {
    frames: Vec<Frame>,
    open: Vec<usize>,
}

impl Frames {
    fn begin(&mut self, kind: FrameKind, from: Address, to: Option<Address>, value: U256, input: Bytes) {
        let frame = Frame { depth: self.open.len(), kind, from, to, value, input, returned: false };
        self.open.push(self.frames.len());
        self.frames.push(frame);
    }

    fn end(&mut self, returned: bool) {
        let index = self.open.pop();
        if let Some(frame) = index.and_then(|index| self.frames.get_mut(index)) {
            frame.returned = returned;
        }
    }
}

impl<C: revm::context_interface::ContextTr> Inspector<C> for Frames {
    fn call(&mut self, context: &mut C, inputs: &mut CallInputs) -> Option<CallOutcome> {
        let (kind, from) = match inputs.scheme {
            CallScheme::Call => (FrameKind::Call, inputs.caller),
            CallScheme::StaticCall => (FrameKind::StaticCall, inputs.caller),
            CallScheme::CallCode => (FrameKind::CallCode, inputs.target_address),
            CallScheme::DelegateCall => (FrameKind::DelegateCall, inputs.target_address),
        };
        let input = inputs.input.bytes(context);
        self.begin(kind, from, Some(inputs.bytecode_address), inputs.value.get(), input);
        None
    }

    fn call_end(&mut self, _context: &mut C, _inputs: &CallInputs, outcome: &mut CallOutcome) {
        self.end(outcome.result.is_ok());
    }

    fn create(&mut self, _context: &mut C, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.begin(FrameKind::Create, inputs.caller(), None, inputs.value(), inputs.init_code().clone());
        None
    }

    fn create_end(&mut self, _context: &mut C, _inputs: &CreateInputs, outcome: &mut CreateOutcome) {
        self.end(outcome.result.is_ok());
    }
}
