//! A hand-made peer: checks like a browser, is the DTLS client, sends and receives SRTP. Independent of the shard's state,
//! built from the wire modules alone.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use dimpl::{certificate, Config, Dtls, DtlsCertificate, Output};
use jiangtai_core::command::IceCredentials;
use jiangtai_core::outbox::Path;
use jiangtai_core::rtp::{self, Header};
use jiangtai_core::srtp::{self, Opener, Profile, Role, Sealer};
use jiangtai_core::{rtcp, stun};

/// Header extension ids every client uses.
pub const MID: u8 = 4;
pub const LEVEL: u8 = 1;
pub const SEND_TIME: u8 = 2;
pub const TWCC: u8 = 3;
pub const RID: u8 = 10;
pub const RRID: u8 = 11;

/// One received RTP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub ssrc: u32,
    pub pt: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Vec<u8>,
    /// Of all of it, as it came.
    pub bytes: usize,
    pub mid: Option<String>,
    pub level: Option<u8>,
    pub twcc: Option<u16>,
    pub send_time: Option<[u8; 3]>,
}

pub struct Client {
    pub id: u64,
    pub path: Path,
    pub ice: IceCredentials,
    pub certificate: DtlsCertificate,
    dtls: Dtls,
    material: Option<(Vec<u8>, Profile)>,
    pub srtp: Option<(Sealer, Opener)>,
    pub outgoing: VecDeque<Vec<u8>>,
    pub rtp: Vec<Received>,
    /// Plain RTCP compounds.
    pub rtcp: Vec<Vec<u8>>,
    pub stun: Vec<Vec<u8>>,
    pub closed: bool,
    /// It answers no checks.
    pub mute: bool,
    pub too_late: usize,
    pub twcc: u16,
    transaction: u32,
}

/// One configuration for all clients: making one tries every key exchange.
fn shared_config() -> Arc<Config> {
    static CONFIG: OnceLock<Arc<Config>> = OnceLock::new();
    CONFIG.get_or_init(|| Arc::new(Config::default())).clone()
}

/// One certificate for all clients: making them is slow in debug builds.
fn shared_certificate() -> DtlsCertificate {
    static CERTIFICATE: OnceLock<DtlsCertificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| certificate::generate_self_signed_certificate().unwrap()).clone()
}

impl Client {
    pub fn new(id: u64, now: Instant) -> Client {
        let certificate = shared_certificate();
        let mut dtls = Dtls::new_12(shared_config(), certificate.clone(), now);
        dtls.set_active(true);
        Client {
            id,
            path: Path::udp(([10, 0, (id >> 8) as u8, id as u8], 5000).into()),
            ice: credentials(id, 0),
            certificate,
            dtls,
            material: None,
            srtp: None,
            outgoing: VecDeque::new(),
            rtp: Vec::new(),
            rtcp: Vec::new(),
            stun: Vec::new(),
            closed: false,
            mute: false,
            too_late: 0,
            twcc: 0,
            transaction: 0,
        }
    }

    pub fn fingerprint(&self) -> [u8; 32] {
        self.certificate.fingerprint().try_into().unwrap()
    }

    /// A connectivity check with this client's credentials.
    pub fn check(&mut self, nominate: bool) -> Vec<u8> {
        self.check_with(&self.ice.clone(), nominate)
    }

    pub fn check_with(&mut self, ice: &IceCredentials, nominate: bool) -> Vec<u8> {
        self.transaction += 1;
        let mut transaction = [0u8; 12];
        transaction[..4].copy_from_slice(&self.transaction.to_be_bytes());
        transaction[4..].copy_from_slice(&self.id.to_be_bytes());
        let mut out = [0u8; 256];
        let mut builder = stun::Builder::new(&mut out, stun::Class::Request, stun::BINDING, transaction).unwrap();
        builder.attribute(stun::USERNAME, format!("{}:{}", ice.local_ufrag, ice.remote_ufrag).as_bytes()).unwrap();
        builder.attribute(stun::PRIORITY, &100u32.to_be_bytes()).unwrap();
        builder.attribute(stun::ICE_CONTROLLING, &7u64.to_be_bytes()).unwrap();
        if nominate {
            builder.attribute(stun::USE_CANDIDATE, &[]).unwrap();
        }
        let len = builder.finish(Some(&stun::Key::new(ice.local_pwd.as_bytes()))).unwrap();
        out[..len].to_vec()
    }

    /// Drives DTLS; datagrams to send are queued.
    pub fn tick(&mut self, now: Instant) {
        if self.closed || self.dtls.handle_timeout(now).is_err() {
            return;
        }
        self.poll();
    }

    fn poll(&mut self) {
        let mut buffer = [0u8; 2048];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(record) => self.outgoing.push_back(record.to_vec()),
                Output::KeyingMaterial(material, profile) => {
                    let profile = match profile {
                        dimpl::SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
                        dimpl::SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
                        _ => Profile::Aes128CmSha1_80,
                    };
                    self.srtp = Some(srtp::from_dtls(profile, &material, Role::Client).unwrap());
                    self.material = Some((material.to_vec(), profile));
                }
                Output::CloseNotify => self.closed = true,
                Output::Timeout(_) => break,
                _ => {}
            }
        }
    }

    pub fn receive(&mut self, now: Instant, datagram: &[u8]) {
        match datagram[0] {
            0..=3 => match self.answer(datagram) {
                Some(answer) => self.outgoing.extend((!self.mute).then_some(answer)),
                None => self.stun.push(datagram.to_vec()),
            },
            20..=63 => {
                let _ = self.dtls.handle_timeout(now);
                let _ = self.dtls.handle_packet(datagram);
                self.poll();
            }
            _ => self.receive_srtp(datagram),
        }
    }

    /// The answer to a check of this client, if it is one.
    pub fn answer(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        let question = stun::Message::parse(datagram).ok().filter(|message| message.class == stun::Class::Request)?;
        let (remote, local) = question.ufrags().unwrap();
        let ice = credentials(self.id, remote.rsplit_once('x')?.1.parse().ok()?);
        if (remote, local) != (ice.remote_ufrag.as_str(), ice.local_ufrag.as_str()) {
            return None;
        }
        let key = stun::Key::new(ice.remote_pwd.as_bytes());
        question.verify_integrity(&key).unwrap();
        assert_eq!((question.controlled(), question.use_candidate()), (Some(0), false));
        let mut out = [0u8; 128];
        let len = stun::binding_success(&mut out, &question, ([192, 0, 2, 1], 3478).into(), &key).unwrap();
        Some(out[..len].to_vec())
    }

    fn receive_srtp(&mut self, datagram: &[u8]) {
        let (_, opener) = self.srtp.as_mut().expect("media before keys");
        let mut packet = datagram.to_vec();
        if rtp::is_rtcp(&packet) {
            let len = opener.open_rtcp(&mut packet).expect("authentic RTCP");
            packet.truncate(len);
            self.rtcp.push(packet);
            return;
        }
        let len = match opener.open_rtp(&mut packet) {
            Ok(len) => len,
            // Later than this opener's window; authentic all the same.
            Err(srtp::Error::Replay) => return self.too_late += 1,
            Err(error) => panic!("RTP that is not authentic: {error:?}"),
        };
        let view = rtp::Packet::parse(&packet[..len]).unwrap();
        self.rtp.push(Received {
            ssrc: view.ssrc(),
            pt: view.payload_type(),
            sequence: view.sequence(),
            timestamp: view.timestamp(),
            marker: view.marker(),
            payload: view.payload().to_vec(),
            bytes: datagram.len(),
            mid: view.extension(MID).and_then(rtp::text).map(str::to_owned),
            level: view.extension(LEVEL).map(|v| v[0]),
            twcc: view.extension(TWCC).map(|v| u16::from_be_bytes(v.try_into().unwrap())),
            send_time: view.extension(SEND_TIME).map(|v| v.try_into().unwrap()),
        });
    }

    /// A sealer with the same keys and no memory, as a careless or hostile sender might have.
    pub fn renew_sealer(&mut self) {
        let (material, profile) = self.material.as_ref().unwrap();
        let (sealer, _) = srtp::from_dtls(*profile, material, Role::Client).unwrap();
        self.srtp.as_mut().unwrap().0 = sealer;
    }

    /// Seals one RTP packet.
    pub fn seal(&mut self, header: &Header, extensions: &[(u8, &[u8])], payload: &[u8]) -> Vec<u8> {
        let mut out = vec![0u8; 1500];
        let len = rtp::write(&mut out, header, extensions, &[payload], 0).unwrap();
        let len = self.srtp.as_mut().unwrap().0.seal_rtp(&mut out, len).unwrap();
        out.truncate(len);
        out
    }

    /// Seals one RTCP compound.
    pub fn seal_rtcp(&mut self, build: impl FnOnce(&mut rtcp::Builder<'_>)) -> Vec<u8> {
        let mut out = vec![0u8; 1500];
        let mut builder = rtcp::Builder::new(&mut out);
        build(&mut builder);
        let len = builder.finish();
        let len = self.srtp.as_mut().unwrap().0.seal_rtcp(&mut out, len).unwrap();
        out.truncate(len);
        out
    }

    /// Everything the engine asked for since the last call: (lost numbers, PLIs) about one source.
    pub fn take_requests(&mut self, ssrc: u32) -> (Vec<u16>, usize) {
        let (mut lost, mut plis) = (Vec::new(), 0);
        for compound in self.rtcp.drain(..) {
            for packet in rtcp::parse(&compound).unwrap() {
                match packet.unwrap() {
                    rtcp::Packet::Nack(nack) if nack.media == ssrc => lost.extend(nack.lost()),
                    rtcp::Packet::Pli { media, .. } if media == ssrc => plis += 1,
                    _ => {}
                }
            }
        }
        (lost, plis)
    }

    /// Takes what has been received of one source.
    pub fn take(&mut self, ssrc: u32) -> Vec<Received> {
        let (mine, rest) = std::mem::take(&mut self.rtp).into_iter().partition(|p| p.ssrc == ssrc);
        self.rtp = rest;
        mine
    }
}

/// ICE credentials of a client's n-th generation, as the server sees them: local = the server's.
pub fn credentials(id: u64, n: u32) -> IceCredentials {
    IceCredentials {
        local_ufrag: format!("srv{id}x{n}"),
        local_pwd: format!("server-password-{id}-{n}"),
        remote_ufrag: format!("cli{id}x{n}"),
        remote_pwd: format!("client-password-{id}-{n}"),
    }
}
