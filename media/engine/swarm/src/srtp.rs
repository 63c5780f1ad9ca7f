//! SRTP and SRTCP (RFC 3711, RFC 7714) for viewers that open their packets themselves: in place, no allocation. Pure.

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_128_GCM, AES_256_GCM};
use aws_lc_rs::cipher::{EncryptingKey, EncryptionContext, UnboundCipherKey, AES_128, AES_256};
use aws_lc_rs::hmac;
use str0m::crypto::dtls::SrtpProfile;

use crate::rtp::u32_at;

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
    CmSha1(Box<CmSha1>),
}

struct CmSha1 {
    key: EncryptingKey,
    salt: [u8; 16],
    auth: hmac::Key,
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
            Cipher::CmSha1(own) => {
                counter_mode(&own.key, &own.salt, ssrc, u64::from(self.rtcp_sent), packet.get_mut(RTCP_HEADER..)?)?;
                packet.extend(word.to_be_bytes());
                let tag = hmac::sign(&own.auth, packet);
                packet.extend(&tag.as_ref()[..SHA1_TAG]);
            }
        }
        Some(())
    }
}

impl Cipher {
    /// RFC 3711 section 4.3; `label` of the encryption key.
    fn derive(profile: SrtpProfile, master: &[u8], salt: &[u8], label: u8) -> Option<Cipher> {
        let derive = |label: u8, out: &mut [u8]| derive(master, salt, label, out);
        if profile == SrtpProfile::AES128_CM_SHA1_80 {
            let (mut key, mut auth, mut salt) = ([0; 16], [0; 20], [0; 16]);
            derive(label, &mut key)?;
            derive(label + 1, &mut auth)?;
            derive(label + 2, &mut salt[..14])?;
            let key = EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, &key).ok()?).ok()?;
            let auth = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth);
            return Some(Cipher::CmSha1(Box::new(CmSha1 { key, salt, auth })));
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
            Cipher::CmSha1(_) => SHA1_TAG,
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
            Cipher::CmSha1(own) => {
                let (message, tag) = packet.split_at_mut_checked(packet.len().checked_sub(SHA1_TAG)?)?;
                let mut context = hmac::Context::with_key(&own.auth);
                context.update(message);
                context.update(behind);
                if context.sign().as_ref()[..SHA1_TAG] != *tag {
                    return None;
                }
                counter_mode(&own.key, &own.salt, ssrc, index, message.get_mut(header..)?)?;
                Some(message.len())
            }
        }
    }
}

/// `out` must be zero: it becomes key stream.
fn derive(master: &[u8], salt: &[u8], label: u8, out: &mut [u8]) -> Option<()> {
    let mut iv = [0; 16];
    iv.get_mut(..salt.len())?.copy_from_slice(salt);
    iv[7] ^= label;
    let algorithm = if master.len() == 32 { &AES_256 } else { &AES_128 };
    let key = EncryptingKey::ctr(UnboundCipherKey::new(algorithm, master).ok()?).ok()?;
    key.less_safe_encrypt(out, EncryptionContext::Iv128(iv.into())).ok().map(|_| ())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn sessions(profile: SrtpProfile) -> (Session, Session) {
        let material: Vec<u8> = (0..profile.keying_material_len() as u8).collect();
        let session = |client| Session::new(&Keys { profile, material: material.clone(), client }).unwrap();
        (session(true), session(false))
    }

    const PROFILES: [SrtpProfile; 3] = [SrtpProfile::AES128_CM_SHA1_80, SrtpProfile::AEAD_AES_128_GCM, SrtpProfile::AEAD_AES_256_GCM];

    #[test]
    fn keys_are_derived_as_rfc_3711_appendix_b_3_says() {
        let (master, salt) = (hex("E1F97A0D3E018BE0D64FA32C06DE4139"), hex("0EC675AD498AFEEBB6960B3AABE6"));
        let (mut key, mut auth, mut session_salt) = ([0; 16], [0; 20], [0; 14]);
        derive(&master, &salt, 0, &mut key).unwrap();
        derive(&master, &salt, 1, &mut auth).unwrap();
        derive(&master, &salt, 2, &mut session_salt).unwrap();
        assert_eq!(key.to_vec(), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(auth.to_vec(), hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
        assert_eq!(session_salt.to_vec(), hex("30CBBC08863D8C85D49DB34A9AE1"));
    }

    #[test]
    fn a_packet_opens_as_rfc_7714_section_16_1_says() {
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &hex("000102030405060708090a0b0c0d0e0f")).unwrap());
        let cipher = Cipher::Gcm { key, salt: hex("517569642070726f2071756f").try_into().unwrap() };
        let sealed = hex(
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 \
             6a9152cf 765ee439 0cce",
        );
        let mut packet = sealed.clone();
        let len = cipher.open(&mut packet, 12, 0x5501_a0b2, 0xf17b, &[], &[0; 4]).unwrap();
        assert_eq!(&packet[12..len], b"Gallia est omnis divisa in partes tres");
        for i in [1, 12, sealed.len() - 1] {
            let mut packet = sealed.clone();
            packet[i] ^= 1;
            assert_eq!(cipher.open(&mut packet, 12, 0x5501_a0b2, 0xf17b, &[], &[0; 4]), None);
        }
    }

    #[test]
    fn compounds_go_from_one_end_to_the_other_and_nowhere_else() {
        for profile in PROFILES {
            let (mut client, mut server) = sessions(profile);
            let compound: Vec<u8> = (0..52).collect();
            for _ in 0..2 {
                let mut sealed = compound.clone();
                client.seal_rtcp(&mut sealed).unwrap();
                assert_ne!(sealed[8..52], compound[8..]);
                let mut opened = sealed.clone();
                let len = server.open_rtcp(&mut opened).unwrap();
                assert_eq!(opened[..len], compound);
                assert_eq!(client.open_rtcp(&mut sealed.clone()), None);
                let last = sealed.len() - 1;
                for i in [0, 9, last - 4, last] {
                    let mut broken = sealed.clone();
                    broken[i] ^= 1;
                    assert_eq!(server.open_rtcp(&mut broken), None, "{profile:?} byte {i}");
                }
                assert!((0..last).all(|cut| server.open_rtcp(&mut sealed[..cut].to_vec()).is_none()));
            }
            server.seal_rtcp(&mut compound.clone()).unwrap();
        }
    }

    #[test]
    fn counter_mode_packets_open_with_their_rollover_counter_only() {
        let (client, server) = sessions(SrtpProfile::AES128_CM_SHA1_80);
        let plain: Vec<u8> = [&[0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7][..], &[5; 100]].concat();
        let (ssrc, number) = (7, 0x2_0001);
        let mut sealed = plain.clone();
        let Cipher::CmSha1(own) = &client.ours.rtp else { panic!("counter mode") };
        counter_mode(&own.key, &own.salt, ssrc, number, &mut sealed[12..]).unwrap();
        let tag = hmac::sign(&own.auth, &[&sealed[..], &2u32.to_be_bytes()].concat());
        sealed.extend(&tag.as_ref()[..SHA1_TAG]);
        let mut opened = sealed.clone();
        assert_eq!(server.open_rtp(&mut opened, 12, ssrc, number), Some(plain.len()));
        assert_eq!(opened[..plain.len()], plain);
        assert_eq!(server.open_rtp(&mut sealed.clone(), 12, ssrc, 0x1_0001), None);
        assert_eq!(server.open_rtp(&mut sealed[..8].to_vec(), 12, ssrc, number), None);
    }

    #[test]
    fn an_index_follows_the_sequence_number_across_its_wrap() {
        assert_eq!(index(None, 65_535), 65_535);
        assert_eq!(index(Some(65_535), 0), 65_536);
        assert_eq!(index(Some(65_536), 65_535), 65_535);
        assert_eq!(index(Some(3), 65_535), 65_535);
    }
}
