//! Session keys from a master key (RFC 3711 section 4.3, AES-CM PRF, key derivation rate 0).

use super::Error;
use aws_lc_rs::cipher::{EncryptingKey, EncryptionContext, UnboundCipherKey, AES_128, AES_256};
use aws_lc_rs::iv::FixedLength;
use zeroize::Zeroizing;

/// Labels of RFC 3711 section 4.3.1 and 4.3.2.
#[derive(Debug, Clone, Copy)]
pub(super) enum Label {
    RtpKey = 0,
    RtpAuth = 1,
    RtpSalt = 2,
    RtcpKey = 3,
    RtcpAuth = 4,
    RtcpSalt = 5,
}

/// Derives from one master key and salt.
pub(super) struct Kdf {
    prf: EncryptingKey,
    salt: Zeroizing<[u8; 14]>,
}

impl Kdf {
    /// `key` 16 or 32 bytes; `salt` up to 14 bytes, zero-extended on the right (RFC 7714 section 11).
    pub(super) fn new(key: &[u8], salt: &[u8]) -> Result<Self, Error> {
        let mut padded = Zeroizing::new([0u8; 14]);
        padded.get_mut(..salt.len()).ok_or(Error::Key)?.copy_from_slice(salt);
        Ok(Self { prf: ctr_key(key)?, salt: padded })
    }

    /// `N` bytes for this label.
    pub(super) fn derive<const N: usize>(&self, label: Label) -> Result<Zeroizing<[u8; N]>, Error> {
        let mut iv = [0u8; 16];
        for (out, salt) in iv.iter_mut().zip(self.salt.iter()) {
            *out = *salt;
        }
        iv[7] ^= label as u8;
        let mut out = Zeroizing::new([0u8; N]);
        ctr_xor(&self.prf, iv, out.as_mut_slice())?;
        Ok(out)
    }
}

/// An AES-CTR key of 16 or 32 bytes.
pub(super) fn ctr_key(key: &[u8]) -> Result<EncryptingKey, Error> {
    let algorithm = match key.len() {
        16 => &AES_128,
        32 => &AES_256,
        _ => return Err(Error::Key),
    };
    let key = UnboundCipherKey::new(algorithm, key).map_err(|_| Error::Key)?;
    EncryptingKey::ctr(key).map_err(|_| Error::Key)
}

/// Exclusive-or `data` with the AES-CTR key stream that starts at `iv`.
pub(super) fn ctr_xor(key: &EncryptingKey, iv: [u8; 16], data: &mut [u8]) -> Result<(), Error> {
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    key.less_safe_encrypt(data, context).map(|_| ()).map_err(|_| Error::Key)
}
