//! Authenticated nonsense: an accepted peer sends random and damaged RTP and RTCP. Nothing panics, nobody else notices.

use jiangtai_core::rtcp;
use jiangtai_core::srtp::MAX_OVERHEAD;

use super::scene::{frame, Scene, VP8};

/// A small seeded generator (xorshift).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
    /// Flips, cuts or inserts here and there.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..1 + self.below(4) {
            let at = self.below(bytes.len().max(1));
            match self.below(4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at.min(bytes.len()), self.next() as u8),
                _ if at < bytes.len() => bytes[at] = self.next() as u8,
                _ => {}
            }
        }
    }
}

fn seal(scene: &mut Scene, plain: &[u8], as_rtcp: bool) -> Option<Vec<u8>> {
    let mut buffer = plain.to_vec();
    buffer.resize(plain.len() + MAX_OVERHEAD, 0);
    let sealer = &mut scene.client(1).srtp.as_mut().unwrap().0;
    let len = if as_rtcp { sealer.seal_rtcp(&mut buffer, plain.len()) } else { sealer.seal_rtp(&mut buffer, plain.len()) };
    buffer.truncate(len.ok()?);
    Some(buffer)
}

#[test]
fn authenticated_nonsense_harms_nobody() {
    let mut scene = Scene::lesson();
    let mut dice = Dice(0x5eed);
    scene.video(1, 1000, &frame(true, 1, 0));
    let mut sequence = 65_531u16;
    for round in 0..20_000u32 {
        let as_rtcp = dice.below(2) == 0;
        let mut plain = if as_rtcp {
            let mut out = [0u8; 600];
            let mut builder = rtcp::Builder::new(&mut out);
            builder.receiver_report(1, &[rtcp::ReportBlock { ssrc: 2000, ..Default::default() }]).unwrap();
            builder.nack(1, 2000, &[dice.next() as u16, dice.next() as u16]).unwrap();
            builder.pli(1, 2000).unwrap();
            let info = rtcp::SenderInfo { ssrc: 1000, ntp: dice.next(), rtp_timestamp: round, packets: 1, octets: 1 };
            builder.sender_report(&info, &[]).unwrap();
            let len = builder.finish();
            out[..len].to_vec()
        } else {
            sequence = sequence.wrapping_add(1);
            let mut plain = vec![0x90, 0x80 | [VP8, VP8 + 1, 111, 50][dice.below(4)]];
            plain.extend(sequence.to_be_bytes());
            plain.extend(dice.bytes(4));
            plain.extend([1000u32, 1001, 1002][dice.below(3)].to_be_bytes());
            let words = dice.below(6);
            plain.extend([0xbe, 0xde, 0, words as u8]);
            plain.extend(dice.bytes(words * 4));
            let len = dice.below(300);
            plain.extend(dice.bytes(len));
            plain
        };
        if dice.below(3) > 0 {
            let keep = plain[..2].to_vec();
            dice.damage(&mut plain);
            if plain.len() >= 2 {
                plain[..2].copy_from_slice(&keep);
            }
        }
        // The sealer refuses what is too broken to be sealed.
        if let Some(datagram) = seal(&mut scene, &plain, as_rtcp) {
            scene.send(1, &datagram);
        }
        if round % 20 == 0 {
            scene.advance(1);
        }
    }
    assert_eq!(scene.metric("panics"), 0);
    assert!(scene.metric("dropped_rtcp_malformed") > 100 && scene.metric("rtcp_in") > 1000);
    // Others on the same shard: a fresh class works.
    scene.join(5);
    scene.join(6);
    scene.add_track(50, 5, jiangtai_core::media::Kind::Video, 5000, super::scene::vp8());
    scene.add_slot(60, 6, jiangtai_core::media::Kind::Video, 6000, super::scene::vp8(), None);
    scene.command(jiangtai_core::command::Command::Assign { slot: 60, track: Some(50) });
    scene.video(5, 5000, &frame(true, 1, 0));
    assert_eq!(scene.client(6).take(6000).len(), 1);
}

#[test]
fn damaged_datagrams_of_every_kind_leave_the_class_as_it_was() {
    let mut scene = Scene::lesson();
    let mut dice = Dice(0xbad);
    scene.open(3);
    let now = scene.now;
    scene.client(3).tick(now);
    let hello = scene.client(3).outgoing.pop_front().unwrap();
    let check = scene.client(1).check(true);
    let (_, media) = scene.packet(1, 1000, VP8, 3000, None, &frame(true, 1, 0));
    let feedback = scene.client(1).seal_rtcp(|rtcp| rtcp.pli(1, 2000).unwrap());
    for _ in 0..20_000 {
        let mut datagram = [&hello, &check, &media, &feedback][dice.below(4)].clone();
        let first = datagram[0];
        dice.damage(&mut datagram);
        if let Some(byte) = datagram.first_mut().filter(|_| dice.below(4) > 0) {
            *byte = first;
        }
        scene.send(1, &datagram);
    }
    assert_eq!(scene.metric("panics"), 0);
    scene.client(2).take(2000);
    scene.video(1, 1000, &frame(true, 2, 0));
    assert_eq!(scene.client(2).take(2000).len(), 1);
}
