//! RFC vectors here; libsrtp's packets and hostile input in their own files.

mod hostile;
mod libsrtp;

use super::cipher::{session, Cipher};
use super::kdf::{ctr_key, ctr_xor, Kdf, Label};
use super::*;
use crate::testing::hex;
use aws_lc_rs::aead::{LessSafeKey, UnboundKey, AES_128_GCM, AES_256_GCM};

pub(super) const ALL: [Profile; 3] = [Profile::Aes128CmSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm];

/// Keying material that is different in every byte.
pub(super) fn material(profile: Profile) -> Vec<u8> {
    (0..profile.material_len()).map(|i| i as u8 ^ 0x5a).collect()
}

/// Our sealer and the opener of the other side.
pub(super) fn pair(profile: Profile) -> (Sealer, Opener) {
    let (sealer, _) = from_dtls(profile, &material(profile), Role::Server).unwrap();
    let (_, opener) = from_dtls(profile, &material(profile), Role::Client).unwrap();
    (sealer, opener)
}

/// A small RTP packet.
pub(super) fn rtp_packet(ssrc: u32, sequence: u16) -> Vec<u8> {
    let header = crate::rtp::Header { payload_type: 96, marker: false, sequence, timestamp: 1, ssrc };
    let mut out = [0u8; 64];
    let n = crate::rtp::write(&mut out, &header, &[(3, &[1, 2])], &[b"some media"], 0).unwrap();
    out[..n].to_vec()
}

/// A small RTCP packet.
pub(super) fn rtcp_packet(ssrc: u32) -> Vec<u8> {
    let mut out = [0u8; 64];
    let mut builder = crate::rtcp::Builder::new(&mut out);
    builder.receiver_report(ssrc, &[]).unwrap();
    builder.pli(ssrc, 9).unwrap();
    let n = builder.finish();
    out[..n].to_vec()
}

pub(super) fn sealed_rtp(sealer: &mut Sealer, packet: &[u8]) -> Result<Vec<u8>, Error> {
    let mut buf = [packet, &[0xEE; MAX_OVERHEAD]].concat();
    let n = sealer.seal_rtp(&mut buf, packet.len())?;
    buf.truncate(n);
    Ok(buf)
}

pub(super) fn sealed_rtcp(sealer: &mut Sealer, packet: &[u8]) -> Result<Vec<u8>, Error> {
    let mut buf = [packet, &[0xEE; MAX_OVERHEAD]].concat();
    let n = sealer.seal_rtcp(&mut buf, packet.len())?;
    buf.truncate(n);
    Ok(buf)
}

pub(super) fn opened_rtp(opener: &mut Opener, packet: &[u8]) -> Result<Vec<u8>, Error> {
    let mut buf = packet.to_vec();
    let n = opener.open_rtp(&mut buf)?;
    buf.truncate(n);
    Ok(buf)
}

pub(super) fn opened_rtcp(opener: &mut Opener, packet: &[u8]) -> Result<Vec<u8>, Error> {
    let mut buf = packet.to_vec();
    let n = opener.open_rtcp(&mut buf)?;
    buf.truncate(n);
    Ok(buf)
}

#[test]
fn rfc_3711_key_stream() {
    let key = ctr_key(&hex("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
    let iv = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().unwrap();
    let mut stream = [0u8; 48];
    ctr_xor(&key, iv, &mut stream).unwrap();
    let expected = "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0";
    assert_eq!(stream.to_vec(), hex(expected));
}

#[test]
fn rfc_3711_key_derivation() {
    let kdf = Kdf::new(&hex("E1F97A0D3E018BE0D64FA32C06DE4139"), &hex("0EC675AD498AFEEBB6960B3AABE6")).unwrap();
    assert_eq!(kdf.derive::<16>(Label::RtpKey).unwrap().to_vec(), hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(kdf.derive::<14>(Label::RtpSalt).unwrap().to_vec(), hex("30CBBC08863D8C85D49DB34A9AE1"));
    let auth = "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE E049646C43D9327AD175578EF7227098
        6371C10C9A369AC2F94A8C5FBCDDDC25 6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2";
    assert_eq!(kdf.derive::<94>(Label::RtpAuth).unwrap().to_vec(), hex(auth));
}

/// RFC 7714 sections 16 and 17 use these as session key and salt.
fn rfc_7714(bits: usize) -> Cipher {
    let key: Vec<u8> = (0..(bits / 8) as u8).collect();
    let algorithm = if bits == 128 { &AES_128_GCM } else { &AES_256_GCM };
    Cipher::Gcm { key: LessSafeKey::new(UnboundKey::new(algorithm, &key).unwrap()), salt: *b"Quid pro quo" }
}

#[test]
fn rfc_7714_rtp() {
    let plain = hex("8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573");
    let sealed = [
        (
            128,
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d
            7f27beb1 6a9152cf 765ee439 0cce",
        ),
        (
            256,
            "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3
            db36dfff d6b0f9bb 7878d7a7 6c13",
        ),
    ];
    for (bits, expected) in sealed {
        let cipher = rfc_7714(bits);
        let mut buf = [plain.as_slice(), &[0; 16]].concat();
        let n = cipher.seal_rtp(0x5501_a0b2, 0xf17b, &mut buf, 12, plain.len()).unwrap();
        assert_eq!(buf[..n], hex(expected), "{bits}");
        assert_eq!(cipher.open_rtp(0x5501_a0b2, 0xf17b, &mut buf, 12), Ok(plain.len()));
        assert_eq!(buf[..plain.len()], plain, "{bits}");
    }
}

#[test]
fn rfc_7714_rtcp() {
    let plain = hex("81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef");
    let sealed = [
        (
            128,
            "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b
            c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
        ),
        (
            256,
            "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad
            1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
        ),
    ];
    for (bits, expected) in sealed {
        let cipher = rfc_7714(bits);
        let mut buf = [plain.as_slice(), &[0; 20]].concat();
        let n = cipher.seal_rtcp(0x4d61_7273, 0x5d4, &mut buf, plain.len()).unwrap();
        assert_eq!(buf[..n], hex(expected), "{bits}");
        assert_eq!(cipher.rtcp_word(&buf), Ok(0x5d4));
        assert_eq!(cipher.open_rtcp(0x4d61_7273, 0x5d4, &mut buf), Ok(plain.len()));
        assert_eq!(buf[..plain.len()], plain, "{bits}");
    }
}

#[test]
fn keys_of_wrong_length_are_refused() {
    for profile in ALL {
        assert_eq!(Profile::from_id(profile.id()), Some(profile));
        let good = material(profile);
        assert!(from_dtls(profile, &good, Role::Client).is_ok());
        assert!(matches!(from_dtls(profile, &good[1..], Role::Client), Err(Error::Key)));
        assert!(matches!(from_dtls(profile, &[&good[..], &[0]].concat(), Role::Client), Err(Error::Key)));
        assert!(session(profile, &good[..profile.key_len()], &good[..profile.salt_len() - 1]).is_err());
    }
    assert_eq!(Profile::from_id(2), None);
}

#[test]
fn both_roles_talk_to_each_other() {
    for profile in ALL {
        let (mut client_out, mut client_in) = from_dtls(profile, &material(profile), Role::Client).unwrap();
        let (mut server_out, mut server_in) = from_dtls(profile, &material(profile), Role::Server).unwrap();
        let (rtp, rtcp) = (rtp_packet(5, 77), rtcp_packet(5));
        for (sealer, opener) in [(&mut client_out, &mut server_in), (&mut server_out, &mut client_in)] {
            let sealed = sealed_rtp(sealer, &rtp).unwrap();
            assert_eq!(sealed.len(), rtp.len() + profile.tag_len());
            assert_eq!(opened_rtp(opener, &sealed).unwrap(), rtp);
            let sealed = sealed_rtcp(sealer, &rtcp).unwrap();
            assert_eq!(sealed.len(), rtcp.len() + profile.tag_len() + 4);
            assert_eq!(opened_rtcp(opener, &sealed).unwrap(), rtcp);
        }
        // Keys differ by direction: what we sent does not open as what we received.
        let own = sealed_rtp(&mut client_out, &rtp_packet(5, 78)).unwrap();
        assert_eq!(opened_rtp(&mut client_in, &own), Err(Error::Tag));
    }
}
