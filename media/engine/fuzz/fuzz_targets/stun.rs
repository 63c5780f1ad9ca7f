//! STUN: any datagram; whatever parses can be asked everything, and a stranger's message is never authentic.
#![no_main]
use jiangtai_core::stun::{error_response, Key, Message};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(message) = Message::parse(data) else { return };
    let _ = (message.username(), message.priority(), message.controlling(), message.controlled(), message.use_candidate());
    let _ = (message.error_code(), message.xor_mapped_address(), message.unknown_required().count());
    let key = Key::new(b"a key that is in no seed");
    assert!(message.verify_integrity(&key).is_err());
    let mut out = [0; 64];
    assert!(error_response(&mut out, &message, 401, None).is_ok_and(|n| n * 2 <= data.len() * 3));
});
