//! What is read side by side, and that nothing but the time depends on it.

use super::questions::contract;
use super::*;

/// A chain that answers many questions in one round.
struct SideBySide {
    chain: Chain,
    rounds: Cell<usize>,
    alone: Cell<usize>,
    /// What it is silent about when it is asked ahead.
    silent: Option<Piece>,
}

impl SideBySide {
    fn new(chain: Chain) -> Self {
        Self { chain, rounds: Cell::new(0), alone: Cell::new(0), silent: None }
    }

    fn read(&self, piece: Piece) -> Option<(Piece, Read)> {
        let read = match piece {
            Piece::Account(address) => self.chain.account(address).map(Read::Account),
            Piece::Slot(address, slot) => self.chain.storage(address, slot).map(Read::Slot),
            Piece::BlockHash(number) => self.chain.block_hash(number).map(Read::BlockHash),
        };
        read.ok().map(|read| (piece, read))
    }
}

impl StateReader for SideBySide {
    fn account(&self, address: Address) -> Result<ReadAccount, Unread> {
        self.alone.set(self.alone.get() + 1);
        self.chain.account(address)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, Unread> {
        self.alone.set(self.alone.get() + 1);
        self.chain.storage(address, slot)
    }

    fn block_hash(&self, number: u64) -> Result<B256, Unread> {
        self.chain.block_hash(number)
    }

    fn read_ahead(&self, pieces: &[Piece]) -> Vec<(Piece, Read)> {
        self.rounds.set(self.rounds.get() + 1);
        let asked = pieces.iter().filter(|it| Some(**it) != self.silent);
        asked.filter_map(|it| self.read(*it)).collect()
    }
}

/// A token that speaks, and trebles what everybody has: each balance is the slot of its account, times the first one.
fn trebles() -> Chain {
    let token = contract(&hex!("60035f555f5fa0"), &hex!("5f5460043554025f5260205ff3"));
    let mut chain = with_code(&token);
    for (slot, value) in [(U256::ZERO, 1), (slot_of(ACCOUNT), 1), (slot_of(OTHER), 5)] {
        chain.devnet.set_storage(CODE, slot, U256::from(value));
    }
    chain
}

fn slot_of(account: Address) -> U256 {
    U256::from_be_slice(account.as_slice())
}

fn watched(accounts: u64) -> Watched {
    let more = (1..=accounts).map(|at| Address::left_padding_from(&at.to_be_bytes()));
    let accounts = more.chain([OTHER]).collect();
    Watched { accounts, ..Watched::default() }
}

fn run_for<R: StateReader>(reader: &R, chain: &Chain, accounts: u64) -> Result<Run, RehearsalError> {
    let payload = Payload::Transaction(call(CODE, 0).encoded_for_signing().into());
    let unsigned = Unsigned::parse(ACCOUNT, ChainId(CHAIN), payload).unwrap();
    rehearse(reader, &head(chain), &unsigned, &watched(accounts)).map(Option::unwrap)
}

#[test]
fn d03_more_accounts_are_more_to_read_and_not_more_rounds() {
    let of = |accounts| {
        let reader = SideBySide::new(trebles());
        let run = run_for(&reader, &reader.chain, accounts).unwrap();
        assert_eq!(run, run_for(&reader.chain, &reader.chain, accounts).unwrap());
        assert_eq!(run.balances.len(), 2, "{run:?}");
        (reader.alone.get(), reader.rounds.get())
    };
    let (few, rounds) = of(2);
    assert_eq!(of(200), (few, rounds));
    assert!(rounds <= 2, "{rounds}");
}

#[test]
fn s02_the_limit_of_reads_is_the_same_for_who_reads_ahead() {
    for accounts in [900, 1_010, 1_030, 2_000] {
        let reader = SideBySide::new(trebles());
        let ahead = run_for(&reader, &reader.chain, accounts);
        let alone = run_for(&trebles(), &reader.chain, accounts);
        assert_eq!(ahead, alone, "{accounts}");
    }
}

/// What nobody answered ahead is asked for in earnest, and a guess never stands in for it.
#[test]
fn s02_a_piece_that_is_silent_ahead_is_asked_for_alone() {
    let mut reader = SideBySide::new(trebles());
    reader.silent = Some(Piece::Slot(CODE, slot_of(OTHER)));
    let run = run_for(&reader, &reader.chain, 2).unwrap();
    assert_eq!(run, run_for(&reader.chain, &reader.chain, 2).unwrap());
    let found: Vec<_> = run.balances.iter().map(|it| (it.account, it.before, it.after)).collect();
    let (one, three, five, fifteen) = (1_u64.into(), 3_u64.into(), 5_u64.into(), 15_u64.into());
    assert_eq!(found, [(OTHER, five, fifteen), (ACCOUNT, one, three)]);
    reader.chain.forgets_storage = true;
    assert_eq!(run_for(&reader, &reader.chain, 2).unwrap_err().code(), "rehearsal.state_unknown");
}
