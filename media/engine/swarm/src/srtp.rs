//! SRTP and SRTCP (RFC 3711, RFC 7714) for viewers that open their packets themselves: in place, no allocation. Pure.

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_128_GCM, AES_256_GCM};
use aws_lc_rs::cipher::{EncryptingKey, EncryptionContext, UnboundCipherKey, AES_128, AES_256};
use aws_lc_rs::hmac;
use str0m::crypto::dtls::SrtpProfile;

use crate::rtp::u32_at;

const GCM_TAG: usize = 16;
const SHA1_TAG: usize = 10;
/// Header and sender of an SRTCP packet are not encrypted.
const RTCP_HEADER: usize = 8;

/// What DTLS gave us (RFC 5764 section 4.2).
pub struct Keys {
    pub profile: SrtpProfile,
    pub material: Vec<u8>,
    /// Whether we were the DTLS client.
    pub client: bool,
}

enum Cipher {
    Gcm { key: LessSafeKey, salt: [u8; 12] },
    CmSha1 { key: EncryptingKey, salt: [u8; 16], auth: hmac::Key },
}

/// One direction of an association.
struct Side {
    rtp: Cipher,
    rtcp: Cipher,
}

/// Both directions.
pub struct Session {
    theirs: Side,
    ours: Side,
    rtcp_sent: u32,
}

impl Session {
    /// None if the material does not fit the profile.
    pub fn new(keys: &Keys) -> Option<Session> {
        let (key, salt) = match keys.profile {
            SrtpProfile::AES128_CM_SHA1_80 => (16, 14),
            SrtpProfile::AEAD_AES_128_GCM => (16, 12),
            SrtpProfile::AEAD_AES_256_GCM => (32, 12),
            _ => return None,
        };
        let side = |client: bool| {
            let at = if client { 0 } else { 1 };
            let master = keys.material.get(at * key..(at + 1) * key)?;
            let salt = keys.material.get(2 * key + at * salt..2 * key + (at + 1) * salt)?;
            Some(Side { rtp: Cipher::derive(keys.profile, master, salt, 0)?, rtcp: Cipher::derive(keys.profile, master, salt, 3)? })
        };
        Some(Session { theirs: side(!keys.client)?, ours: side(keys.client)?, rtcp_sent: 0 })
    }

    /// Opens an RTP packet in place; returns how much of it is left, header included. `index` is the packet's (RFC 3711 section 3.3.1).
    pub fn open_rtp(&self, packet: &mut [u8], header: usize, ssrc: u32, index: u64) -> Option<usize> {
        let roc = (index >> 16) as u32;
        self.theirs.rtp.open(packet, header, ssrc, index, &[], &roc.to_be_bytes())
    }

    /// Opens a compound in place; returns how much of it is left. Replays are not looked for: reports are only read.
    pub fn open_rtcp(&self, packet: &mut [u8]) -> Option<usize> {
        let ssrc = u32_at(packet, 4)?;
        let cipher = &self.theirs.rtcp;
        let trailer = packet.len().checked_sub(cipher.after_index() + 4)?;
        let word = u32_at(packet, trailer)?;
        // Compounds that are not encrypted are not for us.
        if word >> 31 == 0 {
            return None;
        }
        packet.copy_within(trailer + 4.., trailer);
        let end = packet.len() - 4;
        cipher.open(packet.get_mut(..end)?, RTCP_HEADER, ssrc, u64::from(word & 0x7fff_ffff), &word.to_be_bytes(), &word.to_be_bytes())
    }

    /// Seals a compound.
    pub fn seal_rtcp(&mut self, packet: &mut Vec<u8>) -> Option<()> {
        self.rtcp_sent += 1;
        let (ssrc, word) = (u32_at(packet, 4)?, 1 << 31 | self.rtcp_sent);
        match &self.ours.rtcp {
            Cipher::Gcm { key, salt } => {
                let (header, body) = packet.split_at_mut(RTCP_HEADER);
                let aad = [&*header, &word.to_be_bytes()].concat();
                let tag = key.seal_in_place_separate_tag(nonce(salt, ssrc, u64::from(self.rtcp_sent)), Aad::from(aad), body).ok()?;
                packet.extend(tag.as_ref());
                packet.extend(word.to_be_bytes());
            }
            Cipher::CmSha1 { key, salt, auth } => {
                counter_mode(key, salt, ssrc, u64::from(self.rtcp_sent), packet.get_mut(RTCP_HEADER..)?)?;
                packet.extend(word.to_be_bytes());
                let tag = hmac::sign(auth, packet);
                packet.extend(&tag.as_ref()[..SHA1_TAG]);
            }
        }
        Some(())
    }
}

impl Cipher {
    /// RFC 3711 section 4.3; `label` of the encryption key.
    fn derive(profile: SrtpProfile, master: &[u8], salt: &[u8], label: u8) -> Option<Cipher> {
        let derive = |label: u8, out: &mut [u8]| {
            let mut iv = [0; 16];
            iv[..salt.len()].copy_from_slice(salt);
            iv[7] ^= label;
            let algorithm = if master.len() == 32 { &AES_256 } else { &AES_128 };
            let key = EncryptingKey::ctr(UnboundCipherKey::new(algorithm, master).ok()?).ok()?;
            key.less_safe_encrypt(out, EncryptionContext::Iv128(iv.into())).ok().map(|_| ())
        };
        if profile == SrtpProfile::AES128_CM_SHA1_80 {
            let (mut key, mut auth, mut salt) = ([0; 16], [0; 20], [0; 16]);
            derive(label, &mut key)?;
            derive(label + 1, &mut auth)?;
            derive(label + 2, &mut salt[..14])?;
            let key = EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, &key).ok()?).ok()?;
            return Some(Cipher::CmSha1 { key, salt, auth: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth) });
        }
        let (mut key, mut salt) = (vec![0; master.len()], [0; 12]);
        derive(label, &mut key)?;
        derive(label + 2, &mut salt)?;
        let algorithm = if master.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
        Some(Cipher::Gcm { key: LessSafeKey::new(UnboundKey::new(algorithm, &key).ok()?), salt })
    }

    /// Bytes behind the index word of an SRTCP packet.
    fn after_index(&self) -> usize {
        match self {
            Cipher::Gcm { .. } => 0,
            Cipher::CmSha1 { .. } => SHA1_TAG,
        }
    }

    /// Both kinds of packet are header, body, tag here; `aead` is authenticated after the header by GCM, `behind` after the body by HMAC.
    fn open(&self, packet: &mut [u8], header: usize, ssrc: u32, index: u64, aead: &[u8], behind: &[u8; 4]) -> Option<usize> {
        match self {
            Cipher::Gcm { key, salt } => {
                let (header, body) = packet.split_at_mut_checked(header)?;
                let nonce = nonce(salt, ssrc, index);
                let plain = if aead.is_empty() {
                    key.open_in_place(nonce, Aad::from(&*header), body).ok()?
                } else {
                    key.open_in_place(nonce, Aad::from([&*header, aead].concat()), body).ok()?
                };
                Some(header.len() + plain.len())
            }
            Cipher::CmSha1 { key, salt, auth } => {
                let (message, tag) = packet.split_at_mut_checked(packet.len().checked_sub(SHA1_TAG)?)?;
                let mut context = hmac::Context::with_key(auth);
                context.update(message);
                context.update(behind);
                if context.sign().as_ref()[..SHA1_TAG] != *tag {
                    return None;
                }
                counter_mode(key, salt, ssrc, index, message.get_mut(header..)?)?;
                Some(message.len())
            }
        }
    }
}

/// RFC 7714 sections 8.1 and 9.1.
fn nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> Nonce {
    let mut iv = *salt;
    xor(&mut iv[2..6], &ssrc.to_be_bytes());
    xor(&mut iv[6..12], &index.to_be_bytes()[2..]);
    Nonce::assume_unique_for_key(iv)
}

/// RFC 3711 section 4.1.1.
fn counter_mode(key: &EncryptingKey, salt: &[u8; 16], ssrc: u32, index: u64, bytes: &mut [u8]) -> Option<()> {
    let mut iv = *salt;
    xor(&mut iv[4..8], &ssrc.to_be_bytes());
    xor(&mut iv[8..14], &index.to_be_bytes()[2..]);
    key.less_safe_encrypt(bytes, EncryptionContext::Iv128(iv.into())).ok().map(|_| ())
}

fn xor(bytes: &mut [u8], with: &[u8]) {
    bytes.iter_mut().zip(with).for_each(|(a, b)| *a ^= b);
}

/// The index of a packet with this sequence number, given the highest authenticated so far (RFC 3711 section 3.3.1).
pub fn index(highest: Option<u64>, sequence: u16) -> u64 {
    let Some(highest) = highest else { return u64::from(sequence) };
    let step = sequence.wrapping_sub(highest as u16) as i16;
    highest.checked_add_signed(step.into()).unwrap_or(u64::from(sequence))
}
