//! Writing messages.

use super::parse::xor_mask;
use super::{
    Class, Key, Message, TransactionId, ATTRIBUTE_HEADER, BINDING, COOKIE, ERROR_CODE, FINGERPRINT, FINGERPRINT_LEN, FINGERPRINT_XOR,
    HEADER, ICE_CONTROLLED, ICE_CONTROLLING, INTEGRITY_LEN, MESSAGE_INTEGRITY, PRIORITY, UNKNOWN_ATTRIBUTES, USERNAME, USE_CANDIDATE,
    XOR_MAPPED_ADDRESS,
};
use crate::bytes::{Full, Writer};
use std::net::{IpAddr, SocketAddr};

/// Writes one message into the caller's buffer.
#[derive(Debug)]
pub struct Builder<'a> {
    w: Writer<'a>,
    transaction: TransactionId,
}

impl<'a> Builder<'a> {
    pub fn new(out: &'a mut [u8], class: Class, method: u16, transaction: TransactionId) -> Result<Self, Full> {
        let class_bits = match class {
            Class::Request => 0,
            Class::Indication => 0x0010,
            Class::Success => 0x0100,
            Class::Failure => 0x0110,
        };
        let method_bits = method & 0x000f | (method & 0x0070) << 1 | (method & 0x0f80) << 2;
        let mut w = Writer::new(out);
        w.u16(method_bits | class_bits)?;
        w.u16(0)?;
        w.u32(COOKIE)?;
        w.bytes(&transaction)?;
        Ok(Self { w, transaction })
    }

    /// Append any attribute, padded with zeros.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) -> Result<(), Full> {
        self.w.u16(kind)?;
        self.w.u16(u16::try_from(value.len()).map_err(|_| Full)?)?;
        self.w.bytes(value)?;
        self.w.zeros(value.len().wrapping_neg() & 3)
    }

    pub fn xor_mapped_address(&mut self, address: SocketAddr) -> Result<(), Full> {
        let [p0, p1] = (address.port() ^ (COOKIE >> 16) as u16).to_be_bytes();
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, d] = (u32::from(ip) ^ COOKIE).to_be_bytes();
                self.attribute(XOR_MAPPED_ADDRESS, &[0, 1, p0, p1, a, b, c, d])
            }
            IpAddr::V6(ip) => {
                let mut value = [0u8; 20];
                let octets = (u128::from(ip) ^ xor_mask(&self.transaction)).to_be_bytes();
                let parts = [0, 2, p0, p1].into_iter().chain(octets);
                value.iter_mut().zip(parts).for_each(|(out, byte)| *out = byte);
                self.attribute(XOR_MAPPED_ADDRESS, &value)
            }
        }
    }

    /// ERROR-CODE without a reason phrase; `code` 300..=699.
    pub fn error_code(&mut self, code: u16) -> Result<(), Full> {
        self.attribute(ERROR_CODE, &[0, 0, (code / 100) as u8, (code % 100) as u8])
    }

    /// UNKNOWN-ATTRIBUTES, the first eight.
    pub fn unknown_attributes(&mut self, kinds: impl Iterator<Item = u16>) -> Result<(), Full> {
        let mut value = [0u8; 16];
        let mut len = 0usize;
        for (out, kind) in value.chunks_exact_mut(2).zip(kinds) {
            out.copy_from_slice(&kind.to_be_bytes());
            len = len.saturating_add(2);
        }
        self.attribute(UNKNOWN_ATTRIBUTES, value.get(..len).unwrap_or(&[]))
    }

    /// Append MESSAGE-INTEGRITY if there is a key, then FINGERPRINT; returns the message's length.
    pub fn finish(mut self, key: Option<&Key>) -> Result<usize, Full> {
        if let Some(key) = key {
            let length = self.length_with(ATTRIBUTE_HEADER.saturating_add(INTEGRITY_LEN))?;
            let written = self.w.written();
            let first = *written.first_chunk::<2>().ok_or(Full)?;
            let tag = key.sign(length, first, written.get(4..).ok_or(Full)?);
            self.attribute(MESSAGE_INTEGRITY, &tag)?;
        }
        let length = self.length_with(ATTRIBUTE_HEADER.saturating_add(FINGERPRINT_LEN))?;
        self.w.patch_u16(2, length)?;
        let crc = crc32fast::hash(self.w.written()) ^ FINGERPRINT_XOR;
        self.attribute(FINGERPRINT, &crc.to_be_bytes())?;
        Ok(self.w.len())
    }

    /// The finished message without MESSAGE-INTEGRITY and FINGERPRINT.
    fn finish_bare(mut self) -> Result<usize, Full> {
        let length = self.length_with(0)?;
        self.w.patch_u16(2, length)?;
        Ok(self.w.len())
    }

    /// The length field when `more` bytes follow.
    fn length_with(&self, more: usize) -> Result<u16, Full> {
        u16::try_from(self.w.len().saturating_sub(HEADER).saturating_add(more)).map_err(|_| Full)
    }
}

/// Answer an authenticated Binding request: what address it came from.
pub fn binding_success(out: &mut [u8], request: &Message<'_>, from: SocketAddr, key: &Key) -> Result<usize, Full> {
    let mut builder = Builder::new(out, Class::Success, BINDING, request.transaction)?;
    builder.xor_mapped_address(from)?;
    builder.finish(Some(key))
}

/// Refuse a request. Pass the key only if the request was authenticated (420 then lists what was not understood); without
/// it the answer is 28 bytes, so that it cannot be used to amplify.
pub fn error_response(out: &mut [u8], request: &Message<'_>, code: u16, key: Option<&Key>) -> Result<usize, Full> {
    let mut builder = Builder::new(out, Class::Failure, request.method, request.transaction)?;
    builder.error_code(code)?;
    if key.is_none() {
        return builder.finish_bare();
    }
    if code == 420 {
        builder.unknown_attributes(request.unknown_required())?;
    }
    builder.finish(key)
}

/// What an ICE agent says in a connectivity check.
#[derive(Debug, Clone, Copy)]
pub struct Ice<'a> {
    /// "remote-ufrag:local-ufrag".
    pub username: &'a str,
    pub priority: u32,
    pub controlling: bool,
    pub tie_breaker: u64,
    pub nominate: bool,
}

/// A connectivity or consent check (RFC 8445 section 7.1, RFC 7675); `key` is the remote password's.
pub fn binding_request(out: &mut [u8], transaction: TransactionId, ice: &Ice<'_>, key: &Key) -> Result<usize, Full> {
    let mut builder = Builder::new(out, Class::Request, BINDING, transaction)?;
    builder.attribute(USERNAME, ice.username.as_bytes())?;
    builder.attribute(PRIORITY, &ice.priority.to_be_bytes())?;
    let role = if ice.controlling { ICE_CONTROLLING } else { ICE_CONTROLLED };
    builder.attribute(role, &ice.tie_breaker.to_be_bytes())?;
    if ice.nominate && ice.controlling {
        builder.attribute(USE_CANDIDATE, &[])?;
    }
    builder.finish(Some(key))
}

/// A keepalive (RFC 8445 section 11).
pub fn binding_indication(out: &mut [u8], transaction: TransactionId) -> Result<usize, Full> {
    Builder::new(out, Class::Indication, BINDING, transaction)?.finish(None)
}
