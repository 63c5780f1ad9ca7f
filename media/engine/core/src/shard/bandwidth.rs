//! What a receiver's connection carries, and what is made of it: the estimate fed, probes sent, layers chosen within it.

use std::time::{Duration, Instant};

use super::Shard;
use crate::arena::Key;
use crate::bwe::{allocate, essential_bps, playing_bps, Budget, Demand, Estimator, Play, Probe, START_BPS};
use crate::forward::{pad, repeat, Turn};
use crate::layer::LAYERS;
use crate::media::Kind;
use crate::peer::Peer;
use crate::slot::Slot;
use crate::twcc::Feedback;

/// Layers are reviewed this often while a picture is wanted.
const CHOOSE_EVERY: Duration = Duration::from_millis(200);
/// Set aside for each voice that is heard, bits/s, and for so long after its last word: people pause.
const VOICE_BPS: u64 = 45_000;
const VOICE_HELD: Duration = Duration::from_secs(10);
/// Probing packets per request, at most.
const PROBE_PACKETS: usize = 64;

impl Shard {
    /// Starts estimating a receiver that reports arrivals.
    pub(super) fn estimate(&mut self, now: Instant, key: Key<Peer>) {
        let now_us = self.clock.micros(now);
        let Some(peer) = self.peers.get_mut(key) else { return };
        if peer.extensions.twcc.is_some() && peer.bandwidth.is_none() {
            peer.bandwidth = Some(Box::new(Estimator::new(now_us, START_BPS)));
        }
    }

    /// Feedback of a receiver on what was sent to it (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    pub(super) fn arrivals(&mut self, now: Instant, key: Key<Peer>, feedback: &Feedback<'_>) {
        self.metrics.twcc_in.inc();
        let now_us = self.clock.micros(now);
        let Some(peer) = self.peers.get_mut(key) else { return };
        let Some(bandwidth) = peer.bandwidth.as_mut() else { return };
        bandwidth.feedback(feedback, now_us);
        // Told every second, also of what copies repaired; reports on sound come every 5 s and tell the rest.
        if let Some(loss) = bandwidth.take_loss() {
            for slot in peer.slots.iter().copied() {
                if let Some(slot) = self.slots.get_mut(slot).filter(|slot| slot.kind == Kind::Audio) {
                    slot.lost((loss * 256.0) as u8, now);
                }
            }
        }
        // Less than what is being sent: no time to lose.
        if bandwidth.target_bps() < peer.allocated.used_bps {
            self.choose_layers(now, key);
        }
        self.probe(now, key);
    }

    /// Backs off and probes when it is time for it.
    pub(super) fn bandwidth_upkeep(&mut self, now: Instant, key: Key<Peer>) {
        let now_us = self.clock.micros(now);
        let Some(peer) = self.peers.get_mut(key) else { return };
        let Some(bandwidth) = peer.bandwidth.as_mut() else { return };
        if bandwidth.due().is_some_and(|at| at <= now_us) {
            bandwidth.timeout(now_us);
            self.probe(now, key);
        }
    }

    /// When `bandwidth_upkeep` has something to do.
    pub(super) fn bandwidth_due(&self, peer: &Peer, now: Instant) -> Option<Instant> {
        let due = peer.bandwidth.as_ref()?.due()?;
        Some(now + Duration::from_micros(due.saturating_sub(self.clock.micros(now))))
    }

    /// Reviews the layers of all slots of a receiver, now and from time to time.
    pub(super) fn choose_layers(&mut self, now: Instant, key: Key<Peer>) {
        let now_us = self.clock.micros(now);
        let (mut slots, mut demands) = (std::mem::take(&mut self.choosing), std::mem::take(&mut self.demands));
        slots.clear();
        demands.clear();
        let Some(peer) = self.peers.get(key) else { return };
        let mut voices = 0;
        for slot in &peer.slots {
            match self.slots.get(*slot) {
                Some(found) if found.kind == Kind::Audio => voices += u64::from(found.has_sent(VOICE_HELD, now)),
                Some(found) if found.wanted.is_some() => slots.push(*slot),
                _ => {}
            }
        }
        demands.extend(slots.iter().filter_map(|slot| self.demand(now, *slot)));
        let Some(peer) = self.peers.get_mut(key) else { return };
        let voices = voices * VOICE_BPS;
        let was_full = peer.bandwidth.as_ref().is_some_and(|bandwidth| bandwidth.was_full());
        let bps = peer.bandwidth.as_ref().map_or(u64::MAX, |bandwidth| match was_full {
            true => bandwidth.target_bps(),
            // Nothing speaks against it yet: what is looked at most begins at once, and what plays goes on although its rate has risen
            // since, as with the key frames of a crowd that joins. A picture that stops and comes back is worse than one that comes late.
            false => {
                let target = bandwidth.target_bps();
                let playing = playing_bps(&demands).min(target.saturating_mul(2));
                target.max(voices + essential_bps(&demands).max(playing))
            }
        });
        peer.allocated = allocate(Budget { bps, audio_bps: voices, was_full }, &mut demands, now_us);
        peer.choice_due = None;
        if !slots.is_empty() && peer.srtp.is_some() {
            peer.choice_due = Some(now + CHOOSE_EVERY);
            self.schedule(key, now + CHOOSE_EVERY);
        }
        for (slot, demand) in slots.iter().zip(&demands) {
            self.decide(*slot, demand);
        }
        (self.choosing, self.demands) = (slots, demands);
        self.probe(now, key);
    }

    fn demand(&mut self, now: Instant, key: Key<Slot>) -> Option<Demand> {
        let slot = self.slots.get(key)?;
        let track = self.tracks.get_mut(slot.wanted?)?;
        let mut rates = [0; LAYERS];
        for (at, rate) in rates.iter_mut().enumerate() {
            // Browsers stop upper layers when they lack bandwidth or processor time: only what comes can be played.
            if track.is_active(at, now) {
                *rate = track.layers.get_mut(at).map_or(0, |layer| u64::from(layer.rate.bits_per_second(now)).max(1));
            }
        }
        let most = slot.most.map_or(-1, |most| most.min(LAYERS as u8 - 1) as i8);
        Some(Demand::new(slot.rank, rates, most, slot.choice))
    }

    fn decide(&mut self, key: Key<Slot>, demand: &Demand) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let idle = demand.rates.iter().all(|rate| *rate == 0);
        let target = if slot.most.is_some() && idle {
            // What did not fit is not woken by a sender's silence.
            if slot.choice.play == Play::Paused {
                return;
            }
            // Nothing comes yet: begin with what comes first. Or nothing comes any more: go on where it was.
            slot.target.or(Some(0))
        } else {
            slot.choice = demand.choice;
            match demand.choice.play {
                _ if slot.most.is_none() => None,
                Play::Layer(layer) => Some(layer),
                Play::Hidden | Play::Paused => None,
            }
        };
        self.aim(key, target);
    }

    /// Sends what the estimator wants to try out: packets the receiver has already, on the RTX stream of one of its slots.
    fn probe(&mut self, now: Instant, key: Key<Peer>) {
        let now_us = self.clock.micros(now);
        let Some(peer) = self.peers.get_mut(key) else { return };
        let wanted = peer.allocated.wanted_bps;
        let Some(Probe { bytes, .. }) = peer.bandwidth.as_mut().and_then(|bandwidth| bandwidth.next_probe(now_us, wanted)) else { return };
        // The one that plays, for its packets are large; with all paused, any: padding is how they come back.
        let able = |slot: &Slot| slot.padding_stream().map(|_| slot.playing.is_some());
        let slot = peer.slots.iter().filter_map(|key| Some((able(self.slots.get(*key)?)?, *key))).max_by_key(|(playing, _)| *playing);
        if let Some(slot) = slot.and_then(|(_, slot)| self.slots.get_mut(slot)) {
            let mut turn = Turn { now, now_us, outbox: &mut self.outbox, metrics: &self.metrics };
            let mut left = bytes;
            let source = slot.playing.and_then(|source| self.tracks.get(source.track)?.layers.get(usize::from(source.layer)));
            // Only what was sent: a number given away early would be given again after a switch.
            let newest = slot.mapping.newest().unwrap_or(0);
            for back in 0..PROBE_PACKETS as u64 {
                if left == 0 {
                    break;
                }
                let stored = source.and_then(|layer| layer.history.get(newest.checked_sub(back)?).map(|stored| (newest - back, stored)));
                let sent = match stored {
                    Some((sequence, stored)) if stored.payload.len() <= left => repeat(&stored, sequence, slot, peer, &mut turn),
                    _ => pad(left, slot, peer, &mut turn),
                };
                if sent == 0 {
                    break;
                }
                left = left.saturating_sub(sent);
            }
            self.metrics.probe_bytes.add((bytes - left) as u64);
        }
        if let Some(at) = self.peers.get(key).and_then(|peer| self.bandwidth_due(peer, now)) {
            self.schedule(key, at);
        }
    }
}
