//! Bytes that come in frames: the wire's, the enclave's, and the bundles of an exported log.

use std::sync::LazyLock;
use std::time::Duration;

use keystead_ledger::{block_bundle, entry_bundle, parse_bundles};
use keystead_signing::{Reply, Request, read_frame, write_frame};
use keystead_threshold::Message;
use keystead_wire::{MAX_FRAME_BYTES, MAX_HELLO_BYTES, read_body, read_length, split_call};
use tokio::runtime::{Builder, Runtime};

use crate::Verdict;

/// A frame of the wire, with its call's number.
pub(crate) fn wire_frame(data: &[u8]) -> Verdict {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));
    let Some((call, message)) = RUNTIME.block_on(frame(data)) else { return Verdict::Refused };
    let length = u32::try_from(message.len() + 8).expect("a frame's length");
    let again = [&length.to_be_bytes(), call.to_be_bytes().as_slice(), &message].concat();
    assert!(data.starts_with(&again), "a frame is written in another way");
    Verdict::Accepted
}

async fn frame(data: &[u8]) -> Option<(u64, Vec<u8>)> {
    let within = Duration::from_secs(60);
    let mut short = data;
    if let Ok(Some(length)) = read_length(&mut short, MAX_HELLO_BYTES, within).await {
        assert!(length <= MAX_HELLO_BYTES, "a first frame longer than allowed");
    }
    let mut reader = data;
    let length = read_length(&mut reader, MAX_FRAME_BYTES, within).await.ok()??;
    assert!(length <= MAX_FRAME_BYTES, "a frame longer than allowed");
    split_call(read_body(&mut reader, length, within).await.ok()?).ok()
}

/// A frame between the parent and the enclave, in either direction.
pub(crate) fn enclave_frame(data: &[u8]) -> Verdict {
    let mut reader = data;
    if let Ok(Some(request)) = read_frame::<Request>(&mut reader) {
        let mut again = Vec::new();
        write_frame(&mut again, &request).expect("a frame");
        assert!(data.starts_with(&again), "a frame is written in another way");
        return Verdict::Accepted;
    }
    let mut reader = data;
    match read_frame::<Reply>(&mut reader) {
        Ok(Some(reply)) => {
            let mut again = Vec::new();
            write_frame(&mut again, &reply).expect("a frame");
            assert!(data.starts_with(&again), "a frame is written in another way");
            Verdict::Accepted
        }
        Ok(None) | Err(_) => Verdict::Refused,
    }
}

/// What travels between two enclaves that hold a key in shares.
pub(crate) fn run_message(data: &[u8]) -> Verdict {
    let Ok(message) = Message::read(data) else { return Verdict::Refused };
    assert!(message.to_bytes().expect("a message") == data, "a message is written in another way");
    Verdict::Accepted
}

/// The entry bundle and the block bundle of an exported log, the first one after its length in four bytes.
pub(crate) fn bundles(data: &[u8]) -> Verdict {
    let Some((length, rest)) = data.split_first_chunk::<4>() else { return Verdict::Refused };
    let length = usize::try_from(u32::from_be_bytes(*length)).expect("32 bits").min(rest.len());
    let (entries, blocks) = rest.split_at(length);
    let Ok(parsed) = parse_bundles(entries, blocks) else { return Verdict::Refused };
    assert!(entry_bundle(&parsed).expect("its own headers") == entries, "entries are written in another way");
    assert!(block_bundle(&parsed) == blocks, "blocks are written in another way");
    Verdict::Accepted
}
