//! What denials read like, and their stable codes.

use keystead_base::{Coded as _, Digest};

use super::*;

#[test]
fn reasons_read_as_sentences_and_keep_their_codes() {
    let chain = ChainId(1);
    let name = |text: &str| text.parse::<Name>().unwrap();
    let bucket = Bucket { key: Some(name("hot")), chain: Some(chain), ..Bucket::default() };
    let slot = Slot { chain, account: Address::ZERO, nonce: 7 };
    for (reason, code, text) in [
        (Reason::Frozen { key: None }, "deny.frozen", "the whole cluster is frozen"),
        (Reason::Frozen { key: Some(name("hot")) }, "deny.frozen", "key `hot` is frozen"),
        (
            Reason::PriceStale { chain, asset: Asset::Native, needed: 2, fresh: 1 },
            "deny.price_stale",
            "no 2 sources have a fresh price for the coin on eip155:1, found 1",
        ),
        (
            Reason::LimitExceeded {
                window: name("day"),
                bucket,
                limit: Amount::from(10_u64),
                used: Amount::from(9_u64),
                asked: Amount::from(2_u64),
            },
            "deny.limit_exceeded",
            "window `day` (key hot, on eip155:1) allows 10, used 9, asked 2",
        ),
        (
            Reason::SlotTaken { slot, by: RequestId(Digest::ZERO) },
            "deny.slot_taken",
            "nonce 7 of 0x0000000000000000000000000000000000000000 on eip155:1 is taken by request \
             0000000000000000000000000000000000000000000000000000000000000000",
        ),
        (
            Reason::FeeTooHigh {
                cap: name("gas"),
                part: FeePart::MaxFeePerGas,
                limit: Amount::from(10_u64),
                asked: Amount::from(11_u64),
            },
            "deny.fee_too_high",
            "fee cap `gas` allows 10 wei per gas, asked 11",
        ),
        (
            Reason::CoinTaken {
                coin: Coin { transaction: Digest::ZERO, output: 3 },
                by: RequestId(Digest::ZERO),
            },
            "deny.coin_taken",
            "coin 0000000000000000000000000000000000000000000000000000000000000000:3 is spent by request \
             0000000000000000000000000000000000000000000000000000000000000000",
        ),
    ] {
        assert_eq!((reason.code(), reason.to_string().as_str()), (code, text));
        let bytes = borsh::to_vec(&reason).unwrap();
        assert_eq!(borsh::from_slice::<Reason>(&bytes).unwrap(), reason);
        let json = serde_json::to_string(&reason).unwrap();
        assert_eq!(serde_json::from_str::<Reason>(&json).unwrap(), reason);
    }
}
