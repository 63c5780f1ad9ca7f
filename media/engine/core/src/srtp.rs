//! SRTP and SRTCP (RFC 3711, RFC 7714): one `Sealer` and one `Opener` per transport, keyed from DTLS (RFC 5764).
//!
//! Rules: everything is in place and without allocation after a source's first packet. Nothing (rollover counter, replay
//! window, table of sources) changes before the tag has been verified. A (source, index) pair is never sealed twice:
//! the sealer refuses, because reuse would give away an AEAD key. Unencrypted SRTCP and MKIs are not accepted.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod cipher;
mod kdf;
mod open;
mod seal;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
mod window;

pub use open::{Opener, MAX_SOURCES_IN};
pub use seal::{Sealer, MAX_SOURCES_OUT, SEAL_WINDOW};

/// Largest number of bytes sealing adds (SRTCP with an AEAD: 16-byte tag and 4-byte index).
pub const MAX_OVERHEAD: usize = 20;

/// Why a packet was neither sealed nor opened; each is one drop counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// Not RTP/RTCP, shorter than header and tag, or (sealing) no room for the tag.
    Short,
    /// SRTCP without the encryption bit.
    Unencrypted,
    /// Already seen, or older than the replay window.
    Replay,
    /// More sources than the table holds.
    TooManySources,
    /// The authentication tag is wrong.
    Tag,
    /// Sealing: this (source, sequence number) was sealed before, or is too old to know.
    Reuse,
    /// The packet index reached its limit (2^48 SRTP, 2^31 SRTCP packets): a new key is needed.
    Exhausted,
    /// Key or salt of the wrong length.
    Key,
}

/// A protection profile of the DTLS use_srtp extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// SRTP_AES128_CM_HMAC_SHA1_80 (RFC 5764).
    Aes128CmSha1_80,
    /// SRTP_AEAD_AES_128_GCM (RFC 7714).
    AeadAes128Gcm,
    /// SRTP_AEAD_AES_256_GCM (RFC 7714).
    AeadAes256Gcm,
}

impl Profile {
    /// From its IANA DTLS-SRTP number.
    pub fn from_id(id: u16) -> Option<Self> {
        match id {
            0x0001 => Some(Self::Aes128CmSha1_80),
            0x0007 => Some(Self::AeadAes128Gcm),
            0x0008 => Some(Self::AeadAes256Gcm),
            _ => None,
        }
    }

    /// Its IANA DTLS-SRTP number.
    pub fn id(self) -> u16 {
        match self {
            Self::Aes128CmSha1_80 => 0x0001,
            Self::AeadAes128Gcm => 0x0007,
            Self::AeadAes256Gcm => 0x0008,
        }
    }

    /// Master key length, bytes.
    pub fn key_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Master salt length, bytes.
    pub fn salt_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// Bytes to ask of the DTLS exporter with label "EXTRACTOR-dtls_srtp".
    pub fn material_len(self) -> usize {
        self.key_len().saturating_add(self.salt_len()).saturating_mul(2)
    }

    /// Tag length of RTP and RTCP, bytes.
    pub fn tag_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }
}

/// Which end of the DTLS handshake we were: it decides whose keys seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Client,
    Server,
}

/// Both directions from `Profile::material_len` bytes of DTLS keying material (RFC 5764 section 4.2: client key, server
/// key, client salt, server salt).
pub fn from_dtls(profile: Profile, material: &[u8], role: Role) -> Result<(Sealer, Opener), Error> {
    if material.len() != profile.material_len() {
        return Err(Error::Key);
    }
    let (client_key, rest) = material.split_at_checked(profile.key_len()).ok_or(Error::Key)?;
    let (server_key, rest) = rest.split_at_checked(profile.key_len()).ok_or(Error::Key)?;
    let (client_salt, server_salt) = rest.split_at_checked(profile.salt_len()).ok_or(Error::Key)?;
    let (ours, theirs) = match role {
        Role::Client => ((client_key, client_salt), (server_key, server_salt)),
        Role::Server => ((server_key, server_salt), (client_key, client_salt)),
    };
    Ok((Sealer::new(profile, ours.0, ours.1)?, Opener::new(profile, theirs.0, theirs.1)?))
}
