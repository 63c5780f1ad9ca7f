//! How a peer comes to its address and its keys: ICE (RFC 8445) and DTLS (RFC 5764). It is *connected*, and media may flow, once it has both.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::guard::Behalf;
use super::Shard;
use crate::arena::Key;
use crate::bwe::START_BPS;
use crate::dtls::DtlsOutput;
use crate::event::{CloseReason, Event};
use crate::fault::Place;
use crate::ice::{Changes, Check};
use crate::outbox::Path;
use crate::peer::{Peer, Srtp};
use crate::srtp::{self, Role};
use crate::stun;

/// A proven path whose peer checked it this recently is that peer's alone.
const OWNED: Duration = Duration::from_secs(10);

/// Paths in `unpaired`: more than there are connections. Each is listed once, when it stops being a pair.
const UNPAIRED: usize = 1 << 15;

impl Shard {
    pub(super) fn receive_stun(&mut self, now: Instant, from: Path, datagram: &[u8]) {
        self.metrics.stun_in.inc();
        let message = match stun::Message::parse(datagram) {
            Ok(message) => message,
            Err(stun::Error::Fingerprint) => return self.metrics.dropped_stun_fingerprint.inc(),
            Err(_) => return self.metrics.dropped_stun_malformed.inc(),
        };
        match message.class {
            stun::Class::Request if message.method == stun::BINDING => {}
            stun::Class::Success => return self.receive_answer(now, from, &message),
            // Indications keep NAT bindings open and need no answer.
            _ => return,
        }
        // Nearly all checks keep a pair alive: its peer is found without looking for its name.
        let keeps = |key: &Key<Peer>| self.peers.get(*key).zip(message.username()).is_some_and(|(peer, name)| peer.ice.key(name).is_some());
        let of_pair = self.paths.get(&from).copied().filter(keeps);
        let of_name = || message.local_ufrag().and_then(|ufrag| self.ufrags.get(ufrag)).copied();
        let Some(key) = of_pair.or_else(of_name) else {
            return self.metrics.dropped_stun_unknown_user.inc();
        };
        self.guarded(Place::Stun, Behalf::Peer(key), |shard| shard.check(now, from, key, &message));
    }

    /// A check for a known peer: nothing changes unless its integrity holds (RFC 8445 section 7.3).
    fn check(&mut self, now: Instant, from: Path, key: Key<Peer>, request: &stun::Message<'_>) {
        let Some(peer) = self.peers.get(key) else { return };
        let Some((generation, integrity)) = request.username().and_then(|name| peer.ice.key(name)) else {
            return self.metrics.dropped_stun_unknown_user.inc();
        };
        if request.verify_integrity(integrity).is_err() {
            return self.metrics.dropped_stun_integrity.inc();
        }
        // A path belongs to one peer. One that is in use cannot be taken over from a forged source address.
        if let Some(owner) = self.paths.get(&from).filter(|owner| **owner != key) {
            if self.peers.get(*owner).is_some_and(|owner| owner.ice.is_fresh(from, OWNED, now)) {
                return self.metrics.dropped_stun_path_taken.inc();
            }
        }
        let role_conflict = request.controlled().is_some();
        let written = self.outbox.space(stun::MAX_MESSAGE).map(|space| match role_conflict {
            true => stun::error_response(space, request, 487, Some(integrity)),
            false => stun::binding_success(space, request, unmapped(from.remote), integrity),
        });
        if let Some(Ok(len)) = written {
            self.outbox.commit(from, len);
            self.metrics.stun_out.inc();
        }
        if role_conflict {
            return;
        }
        let Some(peer) = self.peers.get_mut(key) else { return };
        let check = Check { path: from, generation, priority: request.priority().unwrap_or(0), nominate: request.use_candidate() };
        let changes = peer.ice.accepted(check, now);
        if changes.added {
            if let Some(other) = self.paths.insert(from, key).filter(|other| *other != key) {
                self.lose(other, from);
            }
        } else if self.paths.get(&from) != Some(&key) && peer.ice.knows(from) {
            self.paths.insert(from, key);
        }
        self.ice_changed(now, key, changes);
        self.ask(now, key);
    }

    /// A path is not a peer's any more.
    pub(super) fn lose(&mut self, key: Key<Peer>, path: Path) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.ice.lost(path);
            peer.path = peer.ice.selected();
        }
    }

    /// Asks the addresses that have yet to prove themselves, as far as that is due.
    pub(super) fn ask(&mut self, now: Instant, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        while peer.ice.ask_due().is_some_and(|at| at <= now) {
            let Some(space) = self.outbox.space(stun::MAX_MESSAGE) else { break };
            let Some((path, len)) = peer.ice.question(now, space) else { continue };
            self.outbox.commit(path, len);
            self.metrics.checks_out.inc();
        }
        if let Some(at) = peer.ice.ask_due() {
            self.schedule(key, at);
        }
    }

    /// An answer to a check of ours proves an address; any other changes nothing.
    fn receive_answer(&mut self, now: Instant, from: Path, answer: &stun::Message<'_>) {
        let known = self.paths.get(&from).and_then(|key| Some((*key, self.peers.get(*key)?.ice.answer_key(from, &answer.transaction)?)));
        let Some((key, integrity)) = known else { return self.metrics.dropped_stun_unasked.inc() };
        if answer.verify_integrity(&integrity).is_err() {
            return self.metrics.dropped_stun_integrity.inc();
        }
        self.metrics.checks_answered.inc();
        self.guarded(Place::Stun, Behalf::Peer(key), |shard| {
            let Some(peer) = shard.peers.get_mut(key) else { return };
            let changes = peer.ice.answered(from, now);
            shard.ice_changed(now, key, changes);
        });
    }

    /// Follows what a check or an answer changed.
    fn ice_changed(&mut self, now: Instant, key: Key<Peer>, changes: Changes) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let before = std::mem::replace(&mut peer.path, peer.ice.selected());
        if before.is_some() && before != peer.path {
            self.metrics.path_changes.inc();
            if let Some(bandwidth) = peer.bandwidth.as_mut() {
                bandwidth.path_changed(self.clock.micros(now), START_BPS);
            }
        }
        for ufrag in &changes.retired {
            self.ufrags.remove(ufrag);
        }
        if let Some(old) = changes.removed {
            if self.paths.remove(&old).is_some() && old.is_tcp() && self.unpaired.len() < UNPAIRED {
                self.unpaired.push(old);
            }
        }
        self.connect(now, key);
    }

    /// With keys and a proven address media may flow both ways.
    fn connect(&mut self, now: Instant, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let Some((path, keys)) = peer.path.and_then(|path| Some((path, peer.early.take()?))) else { return };
        peer.srtp = Some(*keys);
        self.events.push(Event::Connected { peer: peer.id, tcp: path.is_tcp() });
        self.metrics.joins.inc();
        self.peer_is_ready(now, key);
    }

    pub(super) fn receive_dtls(&mut self, now: Instant, from: Path, key: Key<Peer>, datagram: &[u8]) {
        self.metrics.dtls_in.inc();
        let Some(peer) = self.peers.get_mut(key) else { return };
        let (outbox, metrics) = (&mut self.outbox, &self.metrics);
        let to = peer.path.unwrap_or(from);
        let output = peer.dtls.receive(now, datagram, &mut |record| {
            metrics.dtls_out.inc();
            outbox.push(to, record);
        });
        let wake = peer.dtls.wake();
        self.schedule(key, wake);
        self.dtls_output(now, key, output);
    }

    pub(super) fn dtls_output(&mut self, now: Instant, key: Key<Peer>, output: Option<DtlsOutput>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        match output {
            None => {}
            Some(DtlsOutput::Keys(material, profile)) => match srtp::from_dtls(profile, &material, Role::Server) {
                Ok((sealer, opener)) => {
                    peer.early = Some(Box::new(Srtp { sealer, opener }));
                    self.connect(now, key);
                }
                Err(_) => self.doomed.push((key, CloseReason::Dtls)),
            },
            Some(DtlsOutput::WrongFingerprint) => {
                self.metrics.dtls_failures.inc();
                self.doomed.push((key, CloseReason::Fingerprint));
            }
            Some(DtlsOutput::Closed) => {
                if peer.srtp.is_none() && peer.early.is_none() {
                    self.metrics.dtls_failures.inc();
                }
                self.doomed.push((key, CloseReason::Dtls));
            }
        }
    }
}

/// An IPv4 address that arrived on an IPv6 socket is told as the IPv4 address it is.
fn unmapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
