//! What chain endpoints answer: somebody else's computer.

use keystead_transmit::outside::read_answer;

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
