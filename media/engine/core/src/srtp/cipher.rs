//! The two transforms with their session keys: AEAD (RFC 7714) and counter mode with HMAC-SHA1 (RFC 3711 section 4).
//!
//! Callers pass the source, the 48-bit packet index (SRTCP: the 31-bit index) and a buffer whose layout they have checked.

use super::kdf::{ctr_key, ctr_xor, Kdf, Label};
use super::{Error, Profile};
use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_128_GCM, AES_256_GCM};
use aws_lc_rs::cipher::EncryptingKey;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

/// Encryption bit of the SRTCP index word.
const ENCRYPTED: u32 = 0x8000_0000;
/// Bytes of an SRTCP packet in the clear: header and sender SSRC.
const RTCP_CLEAR: usize = 8;
const GCM_TAG: usize = 16;
const SHA1_TAG: usize = 10;
const INDEX_WORD: usize = 4;

/// Session keys of one direction and one of RTP / RTCP.
pub(super) enum Cipher {
    Gcm { key: LessSafeKey, salt: [u8; 12] },
    Ctr(Box<Ctr>),
}

/// Key schedules of counter mode and HMAC-SHA1.
pub(super) struct Ctr {
    key: EncryptingKey,
    auth: hmac::Key,
    salt: [u8; 14],
}

/// (RTP, RTCP) session ciphers of one direction.
pub(super) fn session(profile: Profile, key: &[u8], salt: &[u8]) -> Result<(Cipher, Cipher), Error> {
    if key.len() != profile.key_len() || salt.len() != profile.salt_len() {
        return Err(Error::Key);
    }
    let kdf = Kdf::new(key, salt)?;
    let rtp = cipher(profile, &kdf, Label::RtpKey, Label::RtpAuth, Label::RtpSalt)?;
    let rtcp = cipher(profile, &kdf, Label::RtcpKey, Label::RtcpAuth, Label::RtcpSalt)?;
    Ok((rtp, rtcp))
}

fn cipher(profile: Profile, kdf: &Kdf, key: Label, auth: Label, salt: Label) -> Result<Cipher, Error> {
    let gcm = |unbound: Result<UnboundKey, _>| -> Result<Cipher, Error> {
        let key = LessSafeKey::new(unbound.map_err(|_| Error::Key)?);
        Ok(Cipher::Gcm { key, salt: *kdf.derive::<12>(salt)? })
    };
    match profile {
        Profile::AeadAes128Gcm => gcm(UnboundKey::new(&AES_128_GCM, kdf.derive::<16>(key)?.as_slice())),
        Profile::AeadAes256Gcm => gcm(UnboundKey::new(&AES_256_GCM, kdf.derive::<32>(key)?.as_slice())),
        Profile::Aes128CmSha1_80 => Ok(Cipher::Ctr(Box::new(Ctr {
            key: ctr_key(kdf.derive::<16>(key)?.as_slice())?,
            auth: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, kdf.derive::<20>(auth)?.as_slice()),
            salt: *kdf.derive::<14>(salt)?,
        }))),
    }
}

impl Cipher {
    /// Reads what the next packet will need.
    pub(super) fn warm(&self) -> u64 {
        match self {
            Self::Gcm { salt, .. } => u64::from(salt[0]),
            Self::Ctr(keys) => u64::from(keys.salt[0]),
        }
    }

    /// Seal `buf[..len]`, whose first `header_len` bytes stay in the clear; the new length.
    pub(super) fn seal_rtp(&self, ssrc: u32, index: u64, buf: &mut [u8], header_len: usize, len: usize) -> Result<usize, Error> {
        match self {
            Self::Gcm { key, salt } => {
                let end = len.saturating_add(GCM_TAG);
                let (packet, tag_out) = buf.get_mut(..end).and_then(|b| b.split_at_mut_checked(len)).ok_or(Error::Short)?;
                let (header, body) = packet.split_at_mut_checked(header_len).ok_or(Error::Short)?;
                let nonce = gcm_nonce(salt, ssrc, index);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*header), body).map_err(|_| Error::Key)?;
                tag_out.copy_from_slice(tag.as_ref());
                Ok(end)
            }
            Self::Ctr(keys) => {
                let Ctr { key, auth, salt } = &**keys;
                let end = len.saturating_add(SHA1_TAG);
                let (packet, tag_out) = buf.get_mut(..end).and_then(|b| b.split_at_mut_checked(len)).ok_or(Error::Short)?;
                ctr_xor(key, ctr_iv(salt, ssrc, index), packet.get_mut(header_len..).ok_or(Error::Short)?)?;
                tag_out.copy_from_slice(&sha1_tag(auth, packet, roc(index)));
                Ok(end)
            }
        }
    }

    /// Open a whole packet whose first `header_len` bytes are in the clear; the new length.
    pub(super) fn open_rtp(&self, ssrc: u32, index: u64, packet: &mut [u8], header_len: usize) -> Result<usize, Error> {
        match self {
            Self::Gcm { key, salt } => {
                let len = packet.len().checked_sub(GCM_TAG).filter(|&len| len >= header_len).ok_or(Error::Short)?;
                let (header, body) = packet.split_at_mut_checked(header_len).ok_or(Error::Short)?;
                key.open_in_place(gcm_nonce(salt, ssrc, index), Aad::from(&*header), body).map_err(|_| Error::Tag)?;
                Ok(len)
            }
            Self::Ctr(keys) => {
                let Ctr { key, auth, salt } = &**keys;
                let len = packet.len().checked_sub(SHA1_TAG).filter(|&len| len >= header_len).ok_or(Error::Short)?;
                let (signed, tag) = packet.split_at_mut_checked(len).ok_or(Error::Short)?;
                verify_slices_are_equal(&sha1_tag(auth, signed, roc(index)), tag).map_err(|_| Error::Tag)?;
                ctr_xor(key, ctr_iv(salt, ssrc, index), signed.get_mut(header_len..).ok_or(Error::Short)?)?;
                Ok(len)
            }
        }
    }

    /// Seal the compound packet `buf[..len]` with this 31-bit index; the new length.
    pub(super) fn seal_rtcp(&self, ssrc: u32, index: u32, buf: &mut [u8], len: usize) -> Result<usize, Error> {
        let word = (index | ENCRYPTED).to_be_bytes();
        match self {
            Self::Gcm { key, salt } => {
                let end = len.saturating_add(GCM_TAG).saturating_add(INDEX_WORD);
                let (packet, trailer) = buf.get_mut(..end).and_then(|b| b.split_at_mut_checked(len)).ok_or(Error::Short)?;
                let (header, body) = packet.split_at_mut_checked(RTCP_CLEAR).ok_or(Error::Short)?;
                let (tag_out, word_out) = trailer.split_at_mut_checked(GCM_TAG).ok_or(Error::Short)?;
                let aad = gcm_rtcp_aad(header, word)?;
                let nonce = gcm_nonce(salt, ssrc, u64::from(index));
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), body).map_err(|_| Error::Key)?;
                tag_out.copy_from_slice(tag.as_ref());
                word_out.copy_from_slice(&word);
                Ok(end)
            }
            Self::Ctr(keys) => {
                let Ctr { key, auth, salt } = &**keys;
                let signed_len = len.saturating_add(INDEX_WORD);
                let end = signed_len.saturating_add(SHA1_TAG);
                let (signed, tag_out) = buf.get_mut(..end).and_then(|b| b.split_at_mut_checked(signed_len)).ok_or(Error::Short)?;
                ctr_xor(key, ctr_iv(salt, ssrc, u64::from(index)), signed.get_mut(RTCP_CLEAR..len).ok_or(Error::Short)?)?;
                signed.get_mut(len..).ok_or(Error::Short)?.copy_from_slice(&word);
                tag_out.copy_from_slice(&sha1_tag(auth, signed, []));
                Ok(end)
            }
        }
    }

    /// Open a whole SRTCP packet whose index word said `index`; the new length.
    pub(super) fn open_rtcp(&self, ssrc: u32, index: u32, packet: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::Gcm { key, salt } => {
                let sealed = packet.len().checked_sub(INDEX_WORD).ok_or(Error::Short)?;
                let len = sealed.checked_sub(GCM_TAG).filter(|&len| len >= RTCP_CLEAR).ok_or(Error::Short)?;
                let (header, body) = packet.get_mut(..sealed).and_then(|p| p.split_at_mut_checked(RTCP_CLEAR)).ok_or(Error::Short)?;
                let aad = gcm_rtcp_aad(header, (index | ENCRYPTED).to_be_bytes())?;
                let nonce = gcm_nonce(salt, ssrc, u64::from(index));
                key.open_in_place(nonce, Aad::from(aad), body).map_err(|_| Error::Tag)?;
                Ok(len)
            }
            Self::Ctr(keys) => {
                let Ctr { key, auth, salt } = &**keys;
                let signed_len = packet.len().checked_sub(SHA1_TAG).ok_or(Error::Short)?;
                let len = signed_len.checked_sub(INDEX_WORD).filter(|&len| len >= RTCP_CLEAR).ok_or(Error::Short)?;
                let (signed, tag) = packet.split_at_mut_checked(signed_len).ok_or(Error::Short)?;
                verify_slices_are_equal(&sha1_tag(auth, signed, []), tag).map_err(|_| Error::Tag)?;
                ctr_xor(key, ctr_iv(salt, ssrc, u64::from(index)), signed.get_mut(RTCP_CLEAR..len).ok_or(Error::Short)?)?;
                Ok(len)
            }
        }
    }

    /// The index word of a received SRTCP packet.
    pub(super) fn rtcp_word(&self, packet: &[u8]) -> Result<u32, Error> {
        let end = match self {
            Self::Gcm { .. } => packet.len(),
            Self::Ctr(_) => packet.len().checked_sub(SHA1_TAG).ok_or(Error::Short)?,
        };
        let word = packet.get(..end).and_then(|p| p.last_chunk::<INDEX_WORD>()).ok_or(Error::Short)?;
        let word = u32::from_be_bytes(*word);
        if word & ENCRYPTED == 0 {
            Err(Error::Unencrypted)
        } else {
            Ok(word & !ENCRYPTED)
        }
    }
}

/// The rollover counter part of an index, as authenticated by the counter-mode profile.
fn roc(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

/// RFC 7714 sections 8.1 and 9.1: salt xor (two zero bytes, SSRC, 48-bit index).
fn gcm_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> Nonce {
    let [s0, s1, s2, s3] = ssrc.to_be_bytes();
    let [_, _, i0, i1, i2, i3, i4, i5] = index.to_be_bytes();
    let mut iv = [0, 0, s0, s1, s2, s3, i0, i1, i2, i3, i4, i5];
    iv.iter_mut().zip(salt).for_each(|(iv, salt)| *iv ^= salt);
    Nonce::assume_unique_for_key(iv)
}

/// RFC 3711 section 4.1.1: salt * 2^16 xor SSRC * 2^64 xor index * 2^16.
fn ctr_iv(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let [s0, s1, s2, s3] = ssrc.to_be_bytes();
    let [_, _, i0, i1, i2, i3, i4, i5] = index.to_be_bytes();
    let mut iv = [0, 0, 0, 0, s0, s1, s2, s3, i0, i1, i2, i3, i4, i5, 0, 0];
    iv.iter_mut().zip(salt).for_each(|(iv, salt)| *iv ^= salt);
    iv
}

fn gcm_rtcp_aad(header: &[u8], word: [u8; 4]) -> Result<[u8; 12], Error> {
    let [h0, h1, h2, h3, h4, h5, h6, h7]: [u8; 8] = header.try_into().map_err(|_| Error::Short)?;
    let [w0, w1, w2, w3] = word;
    Ok([h0, h1, h2, h3, h4, h5, h6, h7, w0, w1, w2, w3])
}

/// The first 80 bits of HMAC-SHA1 over `signed` followed by `suffix`.
fn sha1_tag<const N: usize>(auth: &hmac::Key, signed: &[u8], suffix: [u8; N]) -> [u8; SHA1_TAG] {
    let mut context = hmac::Context::with_key(auth);
    context.update(signed);
    context.update(&suffix);
    let tag = context.sign();
    let mut short = [0; SHA1_TAG];
    short.iter_mut().zip(tag.as_ref()).for_each(|(out, tag)| *out = *tag);
    short
}
