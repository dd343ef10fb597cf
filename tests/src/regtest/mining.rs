//! A miner whose coins anybody may spend.

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::{Hash as _, sha256d};
use bitcoin::opcodes::OP_TRUE;
use bitcoin::script::Builder;
use bitcoin::transaction::Version as TransactionVersion;
use bitcoin::{
    Amount, Block, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut,
    Witness, WitnessMerkleNode,
};

use super::Chain;

impl Chain {
    /// The next block, with what waits.
    pub(super) fn mine(&mut self) {
        let transactions = std::mem::take(&mut self.pool);
        assert!(self.takes(&transactions), "Core takes what waits");
    }

    pub(super) fn mine_to(&mut self, script: &ScriptBuf) {
        let mut block = self.next(self.blocks.len(), &[], 0);
        block.txdata[0].output[0].script_pubkey = script.clone();
        assert!(self.kernel.take(&solved(block)), "Core takes an empty block");
        self.read_back();
    }

    pub(super) fn takes(&mut self, transactions: &[Transaction]) -> bool {
        let block = self.next(self.blocks.len(), transactions, 0);
        let taken = self.kernel.take(&block);
        self.read_back();
        taken
    }

    pub(super) fn reorganize(&mut self, blocks: usize) {
        let first = self.blocks.len() - blocks;
        let gone: Vec<Block> = self.blocks.split_off(first);
        for extra in 0..=blocks {
            let block = self.next(self.blocks.len(), &[], 1 + u8::try_from(extra).expect("few"));
            self.kernel.take(&block);
            self.blocks.push(block);
        }
        self.read_back();
        assert!(gone.iter().all(|it| !self.blocks.contains(it)), "Core follows the longer branch");
    }

    /// A payment from the oldest coin of the miner that can be spent, into the pool.
    pub(super) fn pay(&mut self, script: &ScriptBuf, sat: u64) -> OutPoint {
        let (coin, held) = self.ripe().expect("a coin that is old enough");
        let output = |sat, script_pubkey| TxOut { value: Amount::from_sat(sat), script_pubkey };
        let rest = held - sat - MINER_FEE;
        let input = TxIn {
            previous_output: coin,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::from_slice(&[anybody()]),
        };
        let paying = Transaction {
            version: TransactionVersion::TWO,
            lock_time: LockTime::ZERO,
            input: vec![input],
            output: vec![output(sat, script.clone()), output(rest, anybody().to_p2wsh())],
        };
        self.admit(&paying).expect("a payment of the miner");
        OutPoint { txid: paying.compute_txid(), vout: 0 }
    }

    fn ripe(&self) -> Option<(OutPoint, u64)> {
        let old = self.blocks.get(..self.blocks.len().checked_sub(MATURITY)?)?;
        let coins = old.iter().map(|block| &block.txdata[0]).filter(|it| it.is_coinbase());
        let mut coins = coins.map(|it| (OutPoint { txid: it.compute_txid(), vout: 0 }, it.output[0].clone()));
        let ours = anybody().to_p2wsh();
        coins
            .find(|(coin, output)| output.script_pubkey == ours && self.spender(*coin).is_none())
            .map(|(coin, output)| (coin, output.value.to_sat()))
    }

    /// A block at a height; another number is another block.
    fn next(&self, height: usize, transactions: &[Transaction], number: u8) -> Block {
        let before = &self.blocks[height - 1];
        let mut block = Block {
            header: Header {
                version: Version::from_consensus(0x2000_0000),
                prev_blockhash: before.block_hash(),
                merkle_root: TxMerkleNode::all_zeros(),
                time: before.header.time + 1,
                bits: CompactTarget::from_consensus(0x207f_ffff),
                nonce: 0,
            },
            txdata: [vec![coinbase(height, number)], transactions.to_vec()].concat(),
        };
        let root = block.witness_root().expect("transactions");
        block.txdata[0].output.push(commitment(root));
        solved(block)
    }
}

/// With the root of its transactions, and the work that regtest asks for: one try in two does.
fn solved(mut block: Block) -> Block {
    block.header.merkle_root = block.compute_merkle_root().expect("transactions");
    while block.header.validate_pow(block.header.target()).is_err() {
        block.header.nonce += 1;
    }
    block
}

/// The script that stands behind the hash of the miner's own.
fn anybody() -> ScriptBuf {
    Builder::new().push_opcode(OP_TRUE).into_script()
}

/// BIP-34 wants the height first.
fn coinbase(height: usize, number: u8) -> Transaction {
    let at = i64::try_from(height).expect("a height");
    let script_sig = Builder::new().push_int(at).push_slice([number; 4]).into_script();
    let input = TxIn {
        previous_output: OutPoint::null(),
        script_sig,
        sequence: Sequence::MAX,
        witness: Witness::from_slice(&[[0_u8; 32]]),
    };
    let subsidy = Amount::from_sat(50_0000_0000 >> (height / HALVING));
    Transaction {
        version: TransactionVersion::TWO,
        lock_time: LockTime::ZERO,
        input: vec![input],
        output: vec![TxOut { value: subsidy, script_pubkey: anybody().to_p2wsh() }],
    }
}

/// BIP-141, "Commitment structure".
fn commitment(root: WitnessMerkleNode) -> TxOut {
    let hash = sha256d::Hash::hash(&[root.to_byte_array(), [0; 32]].concat());
    let mut data = [0; 36];
    data[..4].copy_from_slice(&[0xaa, 0x21, 0xa9, 0xed]);
    data[4..].copy_from_slice(hash.as_byte_array());
    TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new_op_return(data) }
}

/// After how many blocks a miner's coin can be spent.
const MATURITY: usize = 100;
/// On regtest the reward halves that often.
const HALVING: usize = 150;
const MINER_FEE: u64 = 1_000;
