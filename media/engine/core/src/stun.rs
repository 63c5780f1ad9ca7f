//! STUN (RFC 8489) as ICE uses it (RFC 8445): checked messages, and replies written into the caller's buffer.
//!
//! `Message::parse` checks framing and FINGERPRINT; nothing in a message may be acted upon before `verify_integrity`.
//! Attributes after MESSAGE-INTEGRITY are ignored (RFC 8489 section 14.5), repeated ones too: the first counts.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod parse;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
mod write;

pub use parse::{Attribute, Attributes, Message};
pub use write::{binding_indication, binding_request, binding_success, error_response, Builder, Ice};

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Longest message accepted, bytes: ICE checks are far smaller and must fit a packet.
pub const MAX_MESSAGE: usize = 1280;
/// Attributes accepted in one message.
pub const MAX_ATTRIBUTES: usize = 32;

/// The Binding method, the only one ICE uses.
pub const BINDING: u16 = 0x001;

pub const MAPPED_ADDRESS: u16 = 0x0001;
pub const USERNAME: u16 = 0x0006;
pub const MESSAGE_INTEGRITY: u16 = 0x0008;
pub const ERROR_CODE: u16 = 0x0009;
pub const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
pub const PRIORITY: u16 = 0x0024;
pub const USE_CANDIDATE: u16 = 0x0025;
pub const SOFTWARE: u16 = 0x8022;
pub const FINGERPRINT: u16 = 0x8028;
pub const ICE_CONTROLLED: u16 = 0x8029;
pub const ICE_CONTROLLING: u16 = 0x802a;

const COOKIE: u32 = 0x2112_a442;
const HEADER: usize = 20;
const ATTRIBUTE_HEADER: usize = 4;
const INTEGRITY_LEN: usize = 20;
const FINGERPRINT_LEN: usize = 4;
const FINGERPRINT_XOR: u32 = 0x5354_554e;

/// Chosen by the client of a transaction, echoed by the server.
pub type TransactionId = [u8; 12];

/// Why bytes are not an acceptable message; each is one drop counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// Not STUN: leading bits or magic cookie.
    NotStun,
    /// The length field disagrees with the bytes, or the message is longer than `MAX_MESSAGE`.
    Length,
    /// An attribute runs past the end, has an impossible length, or there are too many.
    Attribute,
    /// FINGERPRINT is wrong or not the last attribute.
    Fingerprint,
    /// MESSAGE-INTEGRITY is missing or wrong.
    Integrity,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Request,
    Indication,
    Success,
    Failure,
}

/// A MESSAGE-INTEGRITY key with its schedule; make it once per password (short-term credentials).
///
/// Of two states of SHA-1 and no heap: who keeps consent alive is otherwise silent, so all that a check touches comes from
/// cold memory, and the context of a general HMAC (all digests there are) is ten times as long.
#[derive(Debug, Clone)]
pub struct Key(Hmac<Sha1>);

impl Key {
    pub fn new(password: &[u8]) -> Self {
        Self(Hmac::new_from_slice(password).expect("HMAC takes keys of any length"))
    }

    /// HMAC over a message whose length field has to read `length`.
    fn sign(&self, length: u16, first: [u8; 2], after_length: &[u8]) -> [u8; INTEGRITY_LEN] {
        let mut mac = self.0.clone();
        mac.update(&first);
        mac.update(&length.to_be_bytes());
        mac.update(after_length);
        mac.finalize().into_bytes().into()
    }
}
