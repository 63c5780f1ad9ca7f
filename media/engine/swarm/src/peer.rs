//! One peer connection: str0m, its socket and its descriptions.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::media::{Direction, MediaKind, Mid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive};
use str0m::rtp::Extension;
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};

use crate::clip::LAYERS;
use crate::door::Describe;
use crate::net;
use crate::plan::Plan;
use crate::rtp::Codec;
use crate::sdp;

/// Receive and send buffer: a viewer's media of half a second.
const BUFFER: usize = 1 << 20;

/// What all peers share.
pub struct Kit {
    pub crypto: Arc<CryptoProvider>,
    pub cert: DtlsCert,
}

impl Kit {
    pub fn new() -> Result<Kit, String> {
        let crypto = crate::keys::provider();
        let cert = crypto.dtls_provider.generate_certificate().ok_or("no certificate")?;
        Ok(Kit { crypto, cert })
    }
}

pub struct Peer {
    pub rtc: Rtc,
    pub socket: UdpSocket,
    pub local: SocketAddr,
    /// The other side's description.
    pub remote: String,
    /// m-lines we offered: (mid, video).
    pub offered: Vec<(Mid, bool)>,
    pub events: Vec<Event>,
    /// str0m was driven: there may be events, keys or a failure.
    pub news: bool,
    /// When str0m wants to be called at the latest.
    pub deadline: Instant,
    pub failed: Option<String>,
    /// Where str0m sent to last: the pair it chose.
    pub server: Option<SocketAddr>,
    /// Only ICE and DTLS are str0m's: nothing it has to say about media leaves.
    pub transport_only: bool,
    pending: Option<SdpPendingOffer>,
    wish: Wish,
    relay: Option<SocketAddr>,
}

/// What an offer of ours contains.
struct Wish {
    audio: usize,
    video: usize,
    direction: Direction,
    simulcast: bool,
}

impl Peer {
    /// A peer that will send one of each kind, or receive into the planned slots.
    pub fn new(plan: &Plan, kit: &Kit, now: Instant, sends: bool) -> Result<Peer, String> {
        let mut config = RtcConfig::new()
            .set_crypto_provider(kit.crypto.clone())
            .set_dtls_cert(kit.cert.clone())
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .clear_extension_map()
            .set_extension(1, Extension::AudioLevel)
            .set_extension(2, Extension::AbsoluteSendTime)
            .set_extension(4, Extension::RtpMid)
            .set_extension(10, Extension::RtpStreamId)
            .set_extension(11, Extension::RepairedRtpStreamId);
        config = if plan.codec == Codec::H264 { config.enable_h264(true) } else { config.enable_vp8(true) };
        if plan.twcc {
            config = config.set_extension(3, Extension::TransportSequenceNumber);
        }
        let rtc = config.build(now);
        let (socket, local) = open(plan.bind)?;
        let (audio, video) = if sends { (1, 1) } else { (plan.audio_slots, plan.video_slots) };
        let wish = Wish {
            audio: if plan.audio { audio } else { 0 },
            video: if plan.video { video } else { 0 },
            direction: if sends { Direction::SendOnly } else { Direction::RecvOnly },
            simulcast: sends && plan.simulcast,
        };
        let mut peer = Peer {
            rtc,
            socket,
            local,
            remote: String::new(),
            offered: Vec::new(),
            events: Vec::new(),
            news: false,
            deadline: now,
            failed: None,
            server: None,
            transport_only: false,
            pending: None,
            wish,
            relay: plan.relay,
        };
        let candidate = Candidate::host(local, "udp").map_err(|e| e.to_string())?;
        peer.rtc.add_local_candidate(candidate);
        Ok(peer)
    }

    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    fn failed(&mut self, kind: &str, why: impl std::fmt::Display) {
        self.failed.get_or_insert_with(|| format!("{kind} {why}"));
    }

    /// Takes a datagram; what comes of it is sent and put into `events`.
    pub fn feed(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        let Ok(contents) = datagram.try_into() else { return };
        let receive = Receive { proto: Protocol::Udp, source, destination: self.local, contents };
        if let Err(e) = self.rtc.handle_input(Input::Receive(now, receive)) {
            self.failed("webrtc", e);
        }
        self.drain(now);
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Instant) {
        if let Err(e) = self.rtc.handle_input(Input::Timeout(now)) {
            self.failed("webrtc", e);
        }
        self.drain(now);
    }

    /// Says goodbye.
    pub fn close(&mut self, now: Instant) {
        if self.rtc.is_alive() && self.rtc.close().is_ok() {
            self.drain(now);
        }
    }

    fn drain(&mut self, now: Instant) {
        self.news = true;
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    // Never at once again: a peer must not keep the loop busy.
                    self.deadline = at.max(now + Duration::from_millis(1));
                    break;
                }
                Ok(Output::Transmit(t)) => {
                    let media = t.contents.first().is_some_and(|b| (128..192).contains(b));
                    if !(media && self.transport_only) {
                        // A full send buffer is loss like any other.
                        let _ = self.socket.send_to(&t.contents, t.destination);
                        self.server = Some(t.destination);
                    }
                }
                Ok(Output::Event(Event::IceConnectionStateChange(IceConnectionState::Disconnected))) => self.failed("ice", "disconnected"),
                Ok(Output::Event(Event::Closed)) => self.failed("closed", "by the server"),
                Ok(Output::Event(event)) => self.events.push(event),
                Err(e) => {
                    self.failed("webrtc", e);
                    self.deadline = now + Duration::from_secs(3600);
                    break;
                }
            }
        }
        if !self.rtc.is_alive() {
            self.failed("closed", "not alive");
        }
    }

    fn relayed(&self, sdp: &str) -> String {
        match self.relay {
            Some(relay) => sdp::with_candidate(sdp, relay),
            None => sdp.into(),
        }
    }
}

fn open(bind: IpAddr) -> Result<(UdpSocket, SocketAddr), String> {
    let socket = net::open((bind, 0).into(), true, BUFFER).map_err(|e| format!("{bind}: {e}"))?;
    let local = socket.local_addr().map_err(|e| e.to_string())?;
    Ok((socket, local))
}

impl Describe for Peer {
    fn offer(&mut self) -> Result<String, String> {
        let mut api = self.rtc.sdp_api();
        for (kind, count) in [(MediaKind::Audio, self.wish.audio), (MediaKind::Video, self.wish.video)] {
            for _ in 0..count {
                let simulcast = (self.wish.simulcast && kind.is_video()).then(|| {
                    let mut layers = Simulcast::new();
                    LAYERS.iter().for_each(|(rid, _)| layers.add_send_layer(SimulcastLayer::new(rid)));
                    layers
                });
                let mid = api.add_media(kind, self.wish.direction, None, None, simulcast);
                self.offered.push((mid, kind.is_video()));
            }
        }
        let (offer, pending) = api.apply().ok_or("sdp nothing to offer")?;
        self.pending = Some(pending);
        Ok(offer.to_sdp_string())
    }

    fn take_answer(&mut self, sdp: &str) -> Result<(), String> {
        let pending = self.pending.take().ok_or("no offer is open")?;
        self.remote = self.relayed(sdp);
        let answer = SdpAnswer::from_sdp_string(&self.remote).map_err(|e| e.to_string())?;
        self.rtc.sdp_api().accept_answer(pending, answer).map_err(|e| e.to_string())
    }

    fn answer(&mut self, offer: &str) -> Result<String, String> {
        self.remote = self.relayed(offer);
        let offer = SdpOffer::from_sdp_string(&self.remote).map_err(|e| e.to_string())?;
        let answer = self.rtc.sdp_api().accept_offer(offer).map_err(|e| e.to_string())?;
        Ok(answer.to_sdp_string())
    }
}
