//! The DTLS-SRTP server end of one transport (RFC 5764), over the sans-I/O `dimpl`.
//!
//! We are always the server, DTLS 1.2, ECDSA P-256. The peer must present the certificate whose SHA-256 was announced
//! in signaling: nothing is exported before that is checked. No cookie exchange: only addresses with an authenticated
//! ICE check get this far, so the reply cannot be reflected.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::srtp::Profile;
use dimpl::{certificate, Config, Dtls, DtlsCertificate, Output};

/// Largest record we produce or poll.
const RECORD_LIMIT: usize = 2048;

/// This engine's certificate and DTLS settings; made once, shared by all peers.
#[derive(Clone)]
pub struct Identity {
    certificate: DtlsCertificate,
    config: Arc<Config>,
}

impl Identity {
    /// Generates a key and a self-signed certificate.
    pub fn generate() -> Result<Identity, String> {
        let certificate = certificate::generate_self_signed_certificate().map_err(|e| e.to_string())?;
        let config = Config::builder()
            .use_server_cookie(false)
            .flight_start_rto(Duration::from_millis(250))
            .flight_retries(6)
            .handshake_timeout(Duration::from_secs(30))
            .build()
            .map_err(|e| e.to_string())?;
        Ok(Identity { certificate, config: Arc::new(config) })
    }

    /// Upper-case hex with colons (RFC 8122).
    pub fn fingerprint(&self) -> String {
        self.certificate.fingerprint_str()
    }
}

/// What the association says.
#[derive(Debug)]
pub enum DtlsOutput {
    /// Handshake done, certificate checked: RFC 5764 section 4.2 keying material (client key, server key, client salt, server salt).
    Keys(Vec<u8>, Profile),
    /// The certificate is not the announced one.
    WrongFingerprint,
    /// The association is over.
    Closed,
}

/// One association.
pub struct DtlsServer {
    dtls: Dtls,
    expected: [u8; 32],
    verified: bool,
    connected: bool,
    keys: Option<(Vec<u8>, Profile)>,
    /// A flight of ours was sent.
    begun: bool,
    wake: Instant,
}

impl DtlsServer {
    pub fn new(identity: &Identity, expected: [u8; 32], now: Instant) -> DtlsServer {
        let dtls = Dtls::new_12(identity.config.clone(), identity.certificate.clone(), now);
        DtlsServer { dtls, expected, verified: false, connected: false, keys: None, begun: false, wake: now + Duration::from_secs(3600) }
    }

    /// Feeds one datagram; records to send go to `send`.
    pub fn receive(&mut self, now: Instant, datagram: &[u8], send: &mut dyn FnMut(&[u8])) -> Option<DtlsOutput> {
        // Time first where it only tells what time it is; later the datagram first: it may end the flight that time would resend.
        let failed = match self.begun {
            false => self.dtls.handle_timeout(now).is_err() || self.dtls.handle_packet(datagram).is_err(),
            true => self.dtls.handle_packet(datagram).is_err() || self.dtls.handle_timeout(now).is_err(),
        };
        if failed {
            return Some(DtlsOutput::Closed);
        }
        self.poll(now, send)
    }

    /// Retransmissions and deadlines.
    pub fn timeout(&mut self, now: Instant, send: &mut dyn FnMut(&[u8])) -> Option<DtlsOutput> {
        if self.dtls.handle_timeout(now).is_err() {
            return Some(DtlsOutput::Closed);
        }
        self.poll(now, send)
    }

    /// When `timeout` wants to be called.
    pub fn wake(&self) -> Instant {
        self.wake
    }

    /// Sends close_notify.
    pub fn close(&mut self, now: Instant, send: &mut dyn FnMut(&[u8])) {
        if self.connected && self.dtls.close().is_ok() {
            self.poll(now, send);
        }
    }

    fn poll(&mut self, now: Instant, send: &mut dyn FnMut(&[u8])) -> Option<DtlsOutput> {
        let mut record = [0u8; RECORD_LIMIT];
        // A poll cycle ends with Timeout; the bound only guards against a fault.
        for _ in 0..256 {
            match self.dtls.poll_output(&mut record) {
                Output::Packet(bytes) => {
                    self.begun = true;
                    send(bytes);
                }
                Output::PeerCert(der) => {
                    let digest = certificate::calculate_fingerprint(der);
                    if digest.as_slice() != self.expected.as_slice() {
                        return Some(DtlsOutput::WrongFingerprint);
                    }
                    self.verified = true;
                }
                Output::KeyingMaterial(material, profile) => {
                    let profile = match profile {
                        dimpl::SrtpProfile::AES128_CM_SHA1_80 => Profile::Aes128CmSha1_80,
                        dimpl::SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
                        dimpl::SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
                        _ => return Some(DtlsOutput::Closed),
                    };
                    self.keys = Some((material.to_vec(), profile));
                }
                Output::Connected => self.connected = true,
                Output::CloseNotify | Output::BufferTooSmall { .. } => return Some(DtlsOutput::Closed),
                Output::Timeout(at) => {
                    // dimpl may name an instant in the past while idle; never spin on it.
                    self.wake = at.max(now + Duration::from_millis(5));
                    break;
                }
                _ => {}
            }
        }
        if self.connected && self.verified {
            if let Some((keys, profile)) = self.keys.take() {
                return Some(DtlsOutput::Keys(keys, profile));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client sends in answer to these datagrams.
    fn answer(client: &mut Dtls, now: Instant, datagrams: &[Vec<u8>]) -> Vec<Vec<u8>> {
        client.handle_timeout(now).unwrap();
        datagrams.iter().for_each(|datagram| client.handle_packet(datagram).unwrap());
        let (mut buffer, mut sent) = ([0u8; RECORD_LIMIT], Vec::new());
        loop {
            match client.poll_output(&mut buffer) {
                Output::Packet(record) => sent.push(record.to_vec()),
                Output::Timeout(_) => return sent,
                _ => {}
            }
        }
    }

    #[test]
    fn a_flight_that_a_late_answer_ends_is_not_sent_again() {
        let t = Instant::now();
        let certificate = certificate::generate_self_signed_certificate().unwrap();
        let fingerprint = certificate.fingerprint().try_into().unwrap();
        let mut server = DtlsServer::new(&Identity::generate().unwrap(), fingerprint, t);
        let mut client = Dtls::new_12(Arc::new(Config::default()), certificate, t);
        client.set_active(true);
        // The transport was announced long before its client came.
        let t = t + Duration::from_secs(50);
        let mut flight = Vec::new();
        for hello in answer(&mut client, t, &[]) {
            server.receive(t, &hello, &mut |record| flight.push(record.to_vec()));
        }
        assert!(!flight.is_empty());
        let answers = answer(&mut client, t, &flight);
        assert_eq!(answers.len(), 1, "one datagram");
        // It waits in the socket until long after the flight should have been repeated.
        let late = t + Duration::from_secs(2);
        assert!(server.wake() < late);
        let mut sent = Vec::new();
        let output = server.receive(late, &answers[0], &mut |record| sent.push(record.to_vec()));
        assert!(matches!(output, Some(DtlsOutput::Keys(..))), "{output:?}");
        assert!(sent.iter().all(|record| !flight.iter().any(|first| first.len() == record.len())), "{} datagrams", sent.len());
        assert!(sent.iter().map(Vec::len).sum::<usize>() < 150, "its last flight only");
        sent.clear();
        assert!(server.timeout(late + Duration::from_millis(5), &mut |record| sent.push(record.to_vec())).is_none());
        assert!(sent.is_empty());
    }
}
