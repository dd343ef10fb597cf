//! What chain endpoints answer: somebody else's computer.

use keystead_transmit::outside::{read_answer, read_coin_answer};

use crate::Verdict;

/// The body of an answer, read as every answer that is ever asked for.
pub(crate) fn answer(data: &[u8]) -> Verdict {
    let Ok(readings) = read_answer(data, 1) else { return Verdict::Refused };
    if let (Ok(number), Ok(amount)) = (&readings.number, &readings.amount) {
        assert_eq!(amount.0, alloy_primitives::U256::from(*number), "one quantity, two numbers");
    }
    let known = readings.number.is_ok()
        || readings.amount.is_ok()
        || readings.bytes.is_ok()
        || readings.receipt.is_ok()
        || readings.block.is_ok()
        || readings.sent_in.is_ok()
        || readings.history.is_ok();
    if known { Verdict::Accepted } else { Verdict::Refused }
}

/// The body of an answer of a source of coins, read as every answer that is ever asked for.
pub(crate) fn coins(data: &[u8]) -> Verdict {
    let readings = read_coin_answer(data, 1);
    if let Ok(block) = &readings.block {
        assert_eq!(bitcoin::consensus::serialize(block), data, "one block, two texts");
    }
    if let Ok(transaction) = &readings.transaction {
        let hex = bitcoin::consensus::encode::serialize_hex(transaction);
        assert!(hex.as_bytes().eq_ignore_ascii_case(data), "one transaction, two texts");
    }
    let known = readings.height.is_ok()
        || readings.block_hash.is_ok()
        || readings.block.is_ok()
        || readings.transaction.is_ok()
        || readings.page.is_ok()
        || readings.status.is_ok()
        || readings.outspend.is_ok()
        || readings.estimates.is_ok()
        || readings.core.contains(&true);
    if known { Verdict::Accepted } else { Verdict::Refused }
}
