//! Reading messages.

use super::{
    Class, Error, Key, TransactionId, ATTRIBUTE_HEADER, COOKIE, ERROR_CODE, FINGERPRINT, FINGERPRINT_LEN, FINGERPRINT_XOR, HEADER,
    ICE_CONTROLLED, ICE_CONTROLLING, INTEGRITY_LEN, MAPPED_ADDRESS, MAX_ATTRIBUTES, MAX_MESSAGE, MESSAGE_INTEGRITY, PRIORITY,
    UNKNOWN_ATTRIBUTES, USERNAME, USE_CANDIDATE, XOR_MAPPED_ADDRESS,
};
use crate::bytes::Reader;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One attribute in wire order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    pub kind: u16,
    pub value: &'a [u8],
    /// Offset of its header from the start of the message.
    offset: usize,
}

/// A message whose framing (and FINGERPRINT, if it has one) has been checked.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    raw: &'a [u8],
    pub class: Class,
    pub method: u16,
    pub transaction: TransactionId,
    /// Carried a FINGERPRINT (and it was right).
    pub fingerprint: bool,
    /// Attributes up to and without MESSAGE-INTEGRITY end here.
    covered: usize,
    integrity: Option<[u8; INTEGRITY_LEN]>,
}

impl<'a> Message<'a> {
    /// Check one datagram.
    pub fn parse(raw: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(raw);
        let kind = reader.u16().filter(|kind| kind >> 14 == 0).ok_or(Error::NotStun)?;
        let length = usize::from(reader.u16().ok_or(Error::NotStun)?);
        if reader.u32() != Some(COOKIE) {
            return Err(Error::NotStun);
        }
        let transaction = reader.array().ok_or(Error::NotStun)?;
        if raw.len() > MAX_MESSAGE || length % 4 != 0 || length != reader.rest().len() {
            return Err(Error::Length);
        }
        // RFC 8489 section 5: class bits are spread over the method bits.
        let class = match (kind & 0x0100 != 0, kind & 0x0010 != 0) {
            (false, false) => Class::Request,
            (false, true) => Class::Indication,
            (true, false) => Class::Success,
            (true, true) => Class::Failure,
        };
        let method = kind & 0x000f | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2;
        let mut message = Self { raw, class, method, transaction, fingerprint: false, covered: raw.len(), integrity: None };
        message.check_attributes()?;
        Ok(message)
    }

    /// Walk all attributes once: bounds, number, FINGERPRINT, where MESSAGE-INTEGRITY is.
    fn check_attributes(&mut self) -> Result<(), Error> {
        let mut attributes = Attributes::new(self.raw, self.raw.len());
        let mut number = 0usize;
        for attribute in attributes.by_ref() {
            number = number.saturating_add(1);
            if number > MAX_ATTRIBUTES {
                return Err(Error::Attribute);
            }
            if self.fingerprint {
                return Err(Error::Fingerprint);
            }
            match attribute.kind {
                MESSAGE_INTEGRITY if self.integrity.is_none() => {
                    self.integrity = Some(attribute.value.try_into().map_err(|_| Error::Attribute)?);
                    self.covered = attribute.offset;
                }
                FINGERPRINT => {
                    let before = self.raw.get(..attribute.offset).ok_or(Error::Attribute)?;
                    let told: [u8; FINGERPRINT_LEN] = attribute.value.try_into().map_err(|_| Error::Fingerprint)?;
                    if crc32fast::hash(before) ^ FINGERPRINT_XOR != u32::from_be_bytes(told) {
                        return Err(Error::Fingerprint);
                    }
                    if self.integrity.is_none() {
                        self.covered = attribute.offset;
                    }
                    self.fingerprint = true;
                }
                _ => {}
            }
        }
        if attributes.is_whole() {
            Ok(())
        } else {
            Err(Error::Attribute)
        }
    }

    /// Was this message made by somebody who knows the key?
    pub fn verify_integrity(&self, key: &Key) -> Result<(), Error> {
        let tag = self.integrity.ok_or(Error::Integrity)?;
        // The length field counts up to the end of MESSAGE-INTEGRITY, whatever follows (RFC 8489 section 14.5).
        let end = self.covered.saturating_add(ATTRIBUTE_HEADER).saturating_add(INTEGRITY_LEN);
        let length = u16::try_from(end.saturating_sub(HEADER)).map_err(|_| Error::Integrity)?;
        let first = self.raw.first_chunk::<2>().ok_or(Error::Integrity)?;
        let after_length = self.raw.get(4..self.covered).ok_or(Error::Integrity)?;
        let expected = key.sign(length, *first, after_length);
        verify_slices_are_equal(&expected, &tag).map_err(|_| Error::Integrity)
    }

    /// The whole datagram.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Attributes before MESSAGE-INTEGRITY (or FINGERPRINT).
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, self.covered)
    }

    /// The value of the first attribute of this kind before MESSAGE-INTEGRITY.
    pub fn attribute(&self, kind: u16) -> Option<&'a [u8]> {
        self.attributes().find(|a| a.kind == kind).map(|a| a.value)
    }

    /// USERNAME, "receiver-ufrag:sender-ufrag" in ICE; None if absent, not UTF-8 or longer than 513 bytes.
    pub fn username(&self) -> Option<&'a str> {
        self.attribute(USERNAME).filter(|name| name.len() <= 513).and_then(|name| std::str::from_utf8(name).ok())
    }

    /// The receiver's half of USERNAME: which local credentials the sender wants checked.
    pub fn local_ufrag(&self) -> Option<&'a str> {
        self.username()?.split_once(':').map(|(local, _)| local)
    }

    /// Both halves of USERNAME: (receiver's ufrag, sender's ufrag).
    pub fn ufrags(&self) -> Option<(&'a str, &'a str)> {
        self.username()?.split_once(':')
    }

    pub fn priority(&self) -> Option<u32> {
        self.attribute(PRIORITY)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// The controlling agent nominates this pair.
    pub fn use_candidate(&self) -> bool {
        self.attribute(USE_CANDIDATE).is_some()
    }

    /// Tie-breaker, if the sender believes it is controlling.
    pub fn controlling(&self) -> Option<u64> {
        self.attribute(ICE_CONTROLLING)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// Tie-breaker, if the sender believes it is controlled.
    pub fn controlled(&self) -> Option<u64> {
        self.attribute(ICE_CONTROLLED)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// The code of an error response, 300..=699.
    pub fn error_code(&self) -> Option<u16> {
        let [_, _, class, number] = *self.attribute(ERROR_CODE)?.first_chunk::<4>()?;
        let (class, number) = (u16::from(class & 7), u16::from(number));
        ((3..=6).contains(&class) && number < 100).then(|| class.saturating_mul(100).saturating_add(number))
    }

    /// XOR-MAPPED-ADDRESS: what the other side saw as our address.
    pub fn xor_mapped_address(&self) -> Option<SocketAddr> {
        let mut reader = Reader::new(self.attribute(XOR_MAPPED_ADDRESS)?);
        let [_, family] = reader.array()?;
        let port = reader.u16()? ^ (COOKIE >> 16) as u16;
        let ip = match family {
            1 => IpAddr::V4(Ipv4Addr::from(reader.u32()? ^ COOKIE)),
            2 => {
                let mask = xor_mask(&self.transaction);
                IpAddr::V6(Ipv6Addr::from(reader.array().map(u128::from_be_bytes)? ^ mask))
            }
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }

    /// Attributes that must be understood (below 0x8000) but are not known here, at most eight, for a 420 response.
    pub fn unknown_required(&self) -> impl Iterator<Item = u16> + use<'a> {
        const KNOWN: [u16; 8] =
            [MAPPED_ADDRESS, USERNAME, MESSAGE_INTEGRITY, ERROR_CODE, UNKNOWN_ATTRIBUTES, XOR_MAPPED_ADDRESS, PRIORITY, USE_CANDIDATE];
        self.attributes().map(|a| a.kind).filter(|kind| *kind < 0x8000 && !KNOWN.contains(kind)).take(8)
    }
}

/// What IPv6 addresses are exclusive-ored with (RFC 8489 section 14.2).
pub(super) fn xor_mask(transaction: &TransactionId) -> u128 {
    transaction.iter().fold(u128::from(COOKIE), |mask, byte| mask << 8 | u128::from(*byte))
}

/// Iterator over attributes; ends at the first malformed one (which `Message::parse` has excluded).
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    reader: Reader<'a>,
    end: usize,
}

impl<'a> Attributes<'a> {
    fn new(raw: &'a [u8], end: usize) -> Self {
        Self { reader: Reader::new(raw.get(HEADER..end).unwrap_or(&[])), end }
    }

    /// Everything was consumed by whole attributes.
    fn is_whole(&self) -> bool {
        self.reader.is_empty()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let offset = self.end.saturating_sub(self.reader.rest().len());
        let mut ahead = self.reader;
        let kind = ahead.u16()?;
        let len = usize::from(ahead.u16()?);
        let value = ahead.take(len)?;
        ahead.take(len.wrapping_neg() & 3)?;
        self.reader = ahead;
        Some(Attribute { kind, value, offset })
    }
}
