//! Nanoseconds per packet of the wire half: `cargo run --release --example cost`.
//!
//! Each figure is the best of several rounds on one thread: the floor, not the traffic. Everything is in cache, except that
//! opening reads every packet from memory.

use jiangtai_core::srtp::{from_dtls, Opener, Profile, Role, Sealer, MAX_OVERHEAD};
use jiangtai_core::{rtcp, rtp, stun, twcc, vp8};
use std::hint::black_box;
use std::time::Instant;

/// Packets per round; below 2^15 so that a round is one rollover at most.
const PACKETS: u32 = 20_000;
const ROUNDS: u32 = 15;

/// Best nanoseconds per call of `work` over the rounds; `prepare` is not counted.
fn best<S>(mut prepare: impl FnMut() -> S, mut work: impl FnMut(&mut S, u32)) -> f64 {
    let mut fastest = f64::INFINITY;
    for _ in 0..ROUNDS {
        let mut state = prepare();
        let start = Instant::now();
        (0..PACKETS).for_each(|n| work(&mut state, n));
        fastest = fastest.min(start.elapsed().as_nanos() as f64 / f64::from(PACKETS));
    }
    fastest
}

fn print(what: &str, small: f64, large: f64) {
    println!("{what:<34} {small:>9.0} {large:>9.0}");
}

fn header(sequence: u16) -> rtp::Header {
    rtp::Header { payload_type: 96, marker: false, sequence, timestamp: 90_000, ssrc: 0x1234_5678 }
}

const EXTENSIONS: [(u8, &[u8]); 3] = [(4, b"0"), (3, &[0, 1]), (2, &[1, 2, 3])];

/// A packet of `size` bytes in a buffer with room for the tag.
fn packet(size: usize, sequence: u16) -> (Vec<u8>, usize) {
    let mut buf = vec![0; size + MAX_OVERHEAD];
    let empty = rtp::write(&mut buf, &header(sequence), &EXTENSIONS, &[], 0).expect("fits");
    let payload = vec![0x5a; size - empty];
    let n = rtp::write(&mut buf, &header(sequence), &EXTENSIONS, &[&payload], 0).expect("fits");
    (buf, n)
}

fn contexts(profile: Profile) -> (Sealer, Opener) {
    let material = vec![7; profile.material_len()];
    let (sealer, _) = from_dtls(profile, &material, Role::Server).expect("length");
    let (_, opener) = from_dtls(profile, &material, Role::Client).expect("length");
    (sealer, opener)
}

fn seal(profile: Profile, size: usize) -> f64 {
    best(
        || (contexts(profile).0, packet(size, 0)),
        |(sealer, (buf, len)), n| {
            buf[2..4].copy_from_slice(&(n as u16).to_be_bytes());
            black_box(sealer.seal_rtp(buf, *len)).expect("new number");
        },
    )
}

fn open(profile: Profile, size: usize) -> f64 {
    best(
        || {
            let (mut sealer, opener) = contexts(profile);
            let sealed: Vec<Vec<u8>> = (0..PACKETS)
                .map(|n| {
                    let (mut buf, len) = packet(size, n as u16);
                    let n = sealer.seal_rtp(&mut buf, len).expect("new number");
                    buf.truncate(n);
                    buf
                })
                .collect();
            (opener, sealed)
        },
        |(opener, sealed), n| {
            black_box(opener.open_rtp(&mut sealed[n as usize])).expect("genuine");
        },
    )
}

fn main() {
    println!("{:<34} {:>9} {:>9}", "ns per packet", "160 B", "1200 B");
    for profile in [Profile::AeadAes128Gcm, Profile::AeadAes256Gcm, Profile::Aes128CmSha1_80] {
        print(&format!("seal RTP {profile:?}"), seal(profile, 160), seal(profile, 1200));
        print(&format!("open RTP {profile:?}"), open(profile, 160), open(profile, 1200));
    }
    let both = |work: &dyn Fn(usize) -> f64| (work(160), work(1200));
    let (small, large) = both(&|size| {
        best(
            || packet(size, 1),
            |(buf, len), _| {
                let packet = rtp::Packet::parse(black_box(&buf[..*len])).expect("valid");
                black_box((packet.ssrc(), packet.extension(3), packet.payload()));
            },
        )
    });
    print("parse RTP, find an extension", small, large);
    let (small, large) = both(&|size| {
        let payload = vec![0x5a; size - 32];
        best(
            || vec![0; 1500],
            |out, n| {
                black_box(rtp::write(out, black_box(&header(n as u16)), &EXTENSIONS, &[&payload], 0)).expect("fits");
            },
        )
    });
    print("write RTP with 3 extensions", small, large);
    let key_frame = [0x90, 0xe0, 0x92, 0x34, 0x07, 0x20, 0x50, 0x0c, 0x00, 0x9d];
    let descriptor = best(
        || [0; vp8::MAX_DESCRIPTOR],
        |out, n| {
            let descriptor = vp8::Descriptor::parse(black_box(&key_frame)).expect("whole");
            black_box(descriptor.write(out, n as u16, 1)).expect("fits");
        },
    );
    println!("{:<34} {descriptor:>9.0}", "VP8 descriptor parse and rewrite");
    println!("{:<34} {:>9.0}", "RTCP compound of 3 parsed", rtcp_cost());
    println!("{:<34} {:>9.0}", "TWCC arrival recorded", best(twcc::Recorder::new, |r, n| r.record(n as u16, u64::from(n) * 300)));
    println!("{:<34} {:>9.0}", "TWCC feedback on 100 packets", feedback_cost());
    println!("{:<34} {:>9.0}", "STUN check verified and answered", stun_cost());
}

fn rtcp_cost() -> f64 {
    let mut out = [0; 256];
    let mut builder = rtcp::Builder::new(&mut out);
    builder.receiver_report(1, &[rtcp::ReportBlock::default()]).expect("fits");
    builder.nack(1, 2, &[1, 2, 3, 40]).expect("fits");
    builder.pli(1, 2).expect("fits");
    let n = builder.finish();
    best(
        || (),
        |(), _| {
            let lost: usize =
                rtcp::parse(black_box(&out[..n])).expect("valid").map(|p| usize::from(matches!(p, Ok(rtcp::Packet::Nack(_))))).sum();
            black_box(lost);
        },
    )
}

fn feedback_cost() -> f64 {
    let recorder = || {
        let mut recorder = twcc::Recorder::new();
        (0..=u16::MAX).for_each(|n| recorder.record(n, u64::from(n) * 300));
        (recorder, 0u32)
    };
    best(recorder, |(recorder, next), _| {
        for _ in 0..100 {
            recorder.record(*next as u16, 20_000_000 + u64::from(*next) * 300);
            *next += 1;
        }
        let mut out = [0; 1200];
        let mut builder = rtcp::Builder::new(&mut out);
        black_box(builder.twcc(recorder, 1, 2)).expect("fits");
    })
}

fn stun_cost() -> f64 {
    let key = stun::Key::new(b"a password of some length");
    let ice = stun::Ice { username: "local:remote", priority: 1, controlling: true, tie_breaker: 9, nominate: true };
    let mut request = [0; 256];
    let n = stun::binding_request(&mut request, [1; 12], &ice, &key).expect("fits");
    let from = "192.0.2.1:4000".parse().expect("an address");
    best(
        || [0; 256],
        |out, _| {
            let message = stun::Message::parse(black_box(&request[..n])).expect("valid");
            message.verify_integrity(&key).expect("genuine");
            black_box(stun::binding_success(out, &message, from, &key)).expect("fits");
        },
    )
}
