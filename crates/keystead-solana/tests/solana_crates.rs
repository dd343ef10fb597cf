//! The `solana` crates beside ours: the same messages, byte for byte, the same orders, the same addresses.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test panics to fail"
)]

mod dice;

use dice::Dice;
use keystead_solana::program::{NATIVE_MINT, SYSTEM, TOKEN};
use keystead_solana::{
    AccountMeta, Draft, Instruction, Message, MessageError, NewTokenAccount, Pubkey, TokenMove, Version,
    associated_account, compile, order,
};
use solana_address::Address;
use solana_message::{Hash, VersionedMessage, legacy, v0};
use solana_system_interface::instruction as system;
use spl_token_interface::instruction as token;

type Theirs = solana_message::Instruction;

fn address(key: Pubkey) -> Address {
    Address::new_from_array(key.0)
}

fn theirs(it: &Instruction) -> Theirs {
    let meta = |it: &AccountMeta| solana_message::AccountMeta {
        pubkey: address(it.key),
        is_signer: it.signer,
        is_writable: it.writable,
    };
    let accounts = it.accounts.iter().map(meta).collect();
    Theirs { program_id: address(it.program), accounts, data: it.data.clone() }
}

fn their_message(draft: &Draft) -> VersionedMessage {
    let orders: Vec<_> = draft.instructions.iter().map(theirs).collect();
    let (payer, hash) = (address(draft.payer), Hash::new_from_array(draft.blockhash));
    match draft.version {
        Version::Legacy => {
            VersionedMessage::Legacy(legacy::Message::new_with_blockhash(&orders, Some(&payer), &hash))
        }
        Version::Zero => VersionedMessage::V0(v0::Message::try_compile(&payer, &orders, &[], hash).unwrap()),
    }
}

/// Everything that both say of a message.
fn assert_same(ours: &Message, theirs: &VersionedMessage) {
    let keys: Vec<_> = theirs.static_account_keys().iter().map(|it| Pubkey(it.to_bytes())).collect();
    assert_eq!(ours.keys(), keys);
    assert_eq!(ours.blockhash(), theirs.recent_blockhash().to_bytes());
    assert_eq!(ours.signers().len(), usize::from(theirs.header().num_required_signatures));
    assert_eq!(ours.instructions().len(), theirs.instructions().len());
    for (ours, compiled) in ours.instructions().iter().zip(theirs.instructions()) {
        assert_eq!(ours.program, keys[usize::from(compiled.program_id_index)]);
        assert_eq!(ours.data, compiled.data);
        assert_eq!(ours.accounts.len(), compiled.accounts.len());
        for (ours, at) in ours.accounts.iter().zip(&compiled.accounts) {
            let at = usize::from(*at);
            assert_eq!(ours.key, keys[at]);
            assert_eq!(ours.signer, theirs.is_signer(at));
            assert_eq!(ours.writable, is_writable(theirs, at));
        }
    }
}

/// As the header has it. Validators take the right away from programs and from accounts of their own, for which nobody signs.
fn is_writable(message: &VersionedMessage, at: usize) -> bool {
    let header = message.header();
    let (signers, keys) = (usize::from(header.num_required_signatures), message.static_account_keys().len());
    let signing = signers - usize::from(header.num_readonly_signed_accounts);
    at < signing || (signers..keys - usize::from(header.num_readonly_unsigned_accounts)).contains(&at)
}

/// Whether they read the bytes, and would sign them: sanitized, no key twice, no tables, something to do, and room for
/// the signatures.
fn they_accept(bytes: &[u8]) -> Option<VersionedMessage> {
    let message: VersionedMessage = wincode::deserialize_exact(bytes).ok()?;
    message.sanitize().ok()?;
    let tables = message.address_table_lookups().is_some_and(|it| !it.is_empty());
    let whole = 1 + 64 * usize::from(message.header().num_required_signatures) + bytes.len();
    let known = !matches!(message, VersionedMessage::V1(_));
    let fits =
        known && !tables && !has_duplicates(&message) && !message.instructions().is_empty() && whole <= 1_232;
    fits.then_some(message)
}

fn has_duplicates(message: &VersionedMessage) -> bool {
    let keys = message.static_account_keys();
    keys.iter().enumerate().any(|(at, key)| keys[..at].contains(key))
}

fn draft(dice: &mut Dice) -> Draft {
    let pool: Vec<_> = (0..1 + dice.below(8)).map(|_| Pubkey(dice.bytes())).collect();
    let instructions = (0..1 + dice.below(5)).map(|_| instruction(dice, &pool)).collect();
    let version = if dice.below(2) == 0 { Version::Legacy } else { Version::Zero };
    Draft { version, payer: Pubkey(dice.bytes()), blockhash: dice.bytes(), instructions }
}

fn instruction(dice: &mut Dice, pool: &[Pubkey]) -> Instruction {
    let program = if dice.below(3) == 0 { SYSTEM } else { pool[dice.below(pool.len())] };
    let accounts = (0..dice.below(6)).map(|_| AccountMeta {
        key: pool[dice.below(pool.len())],
        signer: dice.below(4) == 0,
        writable: dice.below(2) == 0,
    });
    let accounts = accounts.collect();
    let length = if dice.below(20) == 0 { 130 } else { dice.below(40) };
    Instruction { program, accounts, data: dice.many(length) }
}

#[test]
fn s02_random_messages_are_the_same_bytes_to_both() {
    let mut dice = Dice::new(1);
    let mut both = 0;
    for _ in 0..3_000 {
        let draft = draft(&mut dice);
        let theirs = their_message(&draft);
        let bytes = theirs.serialize();
        match compile(&draft) {
            Ok(ours) => {
                assert_eq!(ours.to_bytes(), bytes, "{draft:?}");
                assert_same(&ours, &theirs);
                both += 1;
            }
            Err(MessageError::TooLong { .. }) => assert!(they_accept(&bytes).is_none()),
            Err(error) => panic!("{error} for {draft:?}"),
        }
    }
    println!("{both} random messages are the same to both");
    assert!(both > 2_500, "{both}");
}

/// In both directions: what ours accepts, theirs accepts and reads alike; what theirs accepts, ours accepts.
#[test]
fn s02_spoiled_messages_are_accepted_by_both_or_by_none() {
    let mut dice = Dice::new(2);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = their_message(&draft(&mut dice)).serialize();
        for _ in 0..=dice.below(3) {
            spoil(&mut dice, &mut bytes);
        }
        match (Message::parse(&bytes), they_accept(&bytes)) {
            (Ok(ours), Some(theirs)) => {
                assert_eq!(ours.to_bytes(), bytes);
                assert_same(&ours, &theirs);
                accepted += 1;
            }
            (Err(_), None) => refused += 1,
            (ours, theirs) => panic!("ours {ours:?}, theirs {theirs:?}: {bytes:02x?}"),
        }
    }
    println!("{accepted} spoiled messages are accepted by both, {refused} by none");
    assert!(accepted > 2_000 && refused > 5_000, "{accepted} {refused}");
}

/// The first bytes have the header and the lengths.
fn spoil(dice: &mut Dice, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return bytes.push(0);
    }
    let reach = if dice.below(2) == 0 { bytes.len().min(6) } else { bytes.len() };
    let at = dice.below(reach);
    match dice.below(6) {
        0 | 1 => bytes[at] ^= 1 << dice.below(8),
        2 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
        3 => bytes.truncate(at),
        4 => bytes.insert(at, u8::try_from(dice.below(256)).unwrap()),
        _ => bytes.push(0),
    }
}

#[test]
fn s02_lookup_tables_are_refused_and_theirs_would_take_them() {
    let mut dice = Dice::new(3);
    let [payer, account, table] = [1, 2, 3].map(|_| Pubkey(dice.bytes()));
    let orders = [theirs(&order::transfer(payer, account, 1))];
    let table =
        solana_message::AddressLookupTableAccount { key: address(table), addresses: vec![address(account)] };
    let message = v0::Message::try_compile(&address(payer), &orders, &[table], Hash::default()).unwrap();
    assert_eq!(message.address_table_lookups.len(), 1);
    let bytes = VersionedMessage::V0(message).serialize();
    assert!(wincode::deserialize_exact::<VersionedMessage>(&bytes).unwrap().sanitize().is_ok());
    // The recipient's index is beyond the keys that the bytes have.
    assert!(matches!(
        Message::parse(&bytes),
        Err(MessageError::Index { .. } | MessageError::LookupTables { .. })
    ));
}

#[test]
fn orders_of_the_system_program_are_theirs() {
    let mut dice = Dice::new(4);
    for _ in 0..200 {
        let [a, b, c] = [1, 2, 3].map(|_| Pubkey(dice.bytes()));
        let (lamports, space) = (dice.number(), dice.number());
        let [from, to, owner] = [a, b, c].map(address);
        assert_eq!(theirs(&order::transfer(a, b, lamports)), system::transfer(&from, &to, lamports));
        assert_eq!(
            theirs(&order::create_account(a, b, lamports, space, c)),
            system::create_account(&from, &to, lamports, space, &owner)
        );
        assert_eq!(theirs(&order::advance_nonce(a, b)), system::advance_nonce_account(&from, &to));
    }
}

#[test]
fn orders_of_the_token_program_are_theirs() {
    let mut dice = Dice::new(5);
    let program = address(TOKEN);
    for _ in 0..200 {
        let [mint, source, authority, destination] = [1, 2, 3, 4].map(|_| Pubkey(dice.bytes()));
        let (amount, decimals) = (dice.number(), u8::try_from(dice.below(20)).unwrap());
        let moved = TokenMove {
            mint,
            source,
            authority,
            destination,
            wallet: None,
            amount,
            decimals: Some(decimals),
        };
        let [from, of, to, by] = [source, mint, destination, authority].map(address);
        let checked = token::transfer_checked(&program, &from, &of, &to, &by, &[], amount, decimals).unwrap();
        assert_eq!(theirs(&order::transfer_tokens(&moved, TOKEN)), checked);
        #[allow(deprecated, reason = "wallets still send it")]
        let unchecked = token::transfer(&program, &from, &to, &by, &[], amount).unwrap();
        assert_eq!(theirs(&order::transfer_tokens(&TokenMove { decimals: None, ..moved }, TOKEN)), unchecked);
    }
}

#[test]
fn addresses_are_theirs_in_text_and_as_derived() {
    let mut dice = Dice::new(6);
    let associated: Address = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL".parse().unwrap();
    for _ in 0..300 {
        let [wallet, mint] = [1, 2].map(|_| Pubkey(dice.bytes()));
        assert_eq!(wallet.to_string(), address(wallet).to_string());
        assert_eq!(wallet.to_string().parse(), Ok(wallet));
        let seeds = [wallet.0.as_slice(), &TOKEN.0, &mint.0];
        let (found, _) = Address::find_program_address(&seeds, &associated);
        assert_eq!(associated_account(wallet, TOKEN, mint).map(address), Some(found));
    }
    // A wallet and its account for USDC, as explorers show them for years.
    assert_eq!(address(NATIVE_MINT), spl_token_interface::native_mint::id());
    assert_eq!(address(TOKEN), spl_token_interface::id());
}

#[test]
fn s02_what_a_builder_of_theirs_says_is_what_is_read() {
    use keystead_solana::{Cluster, EffectKind, explain};
    use spl_token_interface::instruction::AuthorityType;
    let mut dice = Dice::new(7);
    let [us, mint, source, to] = [1, 2, 3, 4].map(|_| Pubkey(dice.bytes()));
    let [a_us, a_mint, a_source, a_to] = [us, mint, source, to].map(address);
    let program = address(TOKEN);
    let kinds = AuthorityType::MintTokens;
    let orders = [
        token::approve(&program, &a_source, &a_to, &a_us, &[], 5).unwrap(),
        token::approve_checked(&program, &a_source, &a_mint, &a_to, &a_us, &[], 5, 6).unwrap(),
        token::revoke(&program, &a_source, &a_us, &[]).unwrap(),
        token::set_authority(&program, &a_mint, Some(&a_to), kinds, &a_us, &[]).unwrap(),
        token::set_authority(&program, &a_source, None, AuthorityType::CloseAccount, &a_us, &[]).unwrap(),
        token::close_account(&program, &a_source, &a_to, &a_us, &[]).unwrap(),
        token::sync_native(&program, &a_source).unwrap(),
        system::assign(&a_us, &a_to),
        system::authorize_nonce_account(&a_source, &a_us, &a_to),
        system::withdraw_nonce_account(&a_source, &a_us, &a_to, 7),
    ];
    let message = legacy::Message::new_with_blockhash(&orders, Some(&a_us), &Hash::default());
    let read = Message::parse(&message.serialize()).unwrap();
    let kinds: Vec<_> = explain(Cluster::Devnet, us, &read).items.into_iter().map(|it| it.kind).collect();
    assert!(
        matches!(&kinds[0], EffectKind::Allowance(it) if it.delegate == to && it.amount == 5 && it.mint.is_none())
    );
    assert!(
        matches!(&kinds[1], EffectKind::Allowance(it) if it.mint == Some(mint) && it.decimals == Some(6))
    );
    assert!(matches!(&kinds[2], EffectKind::Revocation { account, .. } if *account == source));
    assert!(
        matches!(&kinds[3], EffectKind::Authority { target, subject, .. } if *target == mint && *subject == Some(to))
    );
    assert!(matches!(&kinds[4], EffectKind::Authority { target, subject: None, .. } if *target == source));
    assert!(matches!(&kinds[5], EffectKind::Close { destination, .. } if *destination == to));
    assert!(matches!(&kinds[6], EffectKind::Recount { .. }));
    assert!(matches!(&kinds[7], EffectKind::Authority { target, .. } if *target == us));
    assert!(matches!(&kinds[8], EffectKind::Authority { target, .. } if *target == source));
    assert!(matches!(&kinds[9], EffectKind::Coins { lamports: 7, .. }));
    // More signers than one: not understood.
    let several = token::revoke(&program, &a_source, &a_mint, &[&a_us, &a_to]).unwrap();
    let message = legacy::Message::new_with_blockhash(&[several], Some(&a_us), &Hash::default());
    let read = Message::parse(&message.serialize()).unwrap();
    assert!(matches!(explain(Cluster::Devnet, us, &read).items[0].kind, EffectKind::Opaque { .. }));
    let account = associated_account(us, TOKEN, mint).unwrap();
    let new = NewTokenAccount { funder: us, account, wallet: us, mint, token_program: TOKEN, lamports: None };
    assert_eq!(order::create_token_account(&new).accounts.len(), 6);
}
