//! Learns the SRTP keys of str0m's peers: DTLS as str0m has it, looked at while it passes keys on.
//!
//! One thread drives all peers and asks for the keys right after driving one, so a single place for the last keys is enough.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use str0m::crypto::dtls::{DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion};
use str0m::crypto::{from_feature_flags, CryptoError, CryptoProvider};

use crate::srtp::Keys;

thread_local! {
    static LAST: RefCell<Option<Keys>> = const { RefCell::new(None) };
}

/// The keys that came out of the peer just driven.
pub fn take() -> Option<Keys> {
    LAST.with(|last| last.borrow_mut().take())
}

/// str0m's own cryptography, keys overheard.
pub fn provider() -> Arc<CryptoProvider> {
    let own = from_feature_flags();
    // One for the life of the process.
    let dtls: &'static Overheard = Box::leak(Box::new(Overheard { own: own.dtls_provider }));
    Arc::new(CryptoProvider { dtls_provider: dtls, ..own })
}

#[derive(Debug)]
struct Overheard {
    own: &'static dyn DtlsProvider,
}

impl DtlsProvider for Overheard {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.own.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        Ok(Box::new(Association { own: self.own.new_dtls(cert, now, version, mtu)? }))
    }
}

#[derive(Debug)]
struct Association {
    own: Box<dyn DtlsInstance>,
}

impl DtlsInstance for Association {
    fn set_active(&mut self, active: bool) {
        self.own.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.own.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let client = self.own.is_active();
        let output = self.own.poll_output(buf);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output {
            let keys = Keys { profile: *profile, material: material.to_vec(), client };
            LAST.with(|last| *last.borrow_mut() = Some(keys));
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.own.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.own.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.own.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.own.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.own.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.own.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.own.close()
    }
}
