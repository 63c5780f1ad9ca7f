//! What an attacker on the path, or a wrong caller, can try.

use super::super::window::Window;
use super::*;
use crate::testing::{damaged, Noise};

#[test]
fn a_replayed_packet_is_refused_a_thousand_times() {
    for profile in ALL {
        let (mut sealer, mut opener) = pair(profile);
        let rtp = sealed_rtp(&mut sealer, &rtp_packet(1, 500)).unwrap();
        let rtcp = sealed_rtcp(&mut sealer, &rtcp_packet(1)).unwrap();
        assert!(opened_rtp(&mut opener, &rtp).is_ok() && opened_rtcp(&mut opener, &rtcp).is_ok());
        for _ in 0..1000 {
            assert_eq!(opened_rtp(&mut opener, &rtp), Err(Error::Replay));
            assert_eq!(opened_rtcp(&mut opener, &rtcp), Err(Error::Replay));
        }
        assert_eq!(opener.highest(1), Some((0, 500)));
    }
}

#[test]
fn the_replay_windows_are_128_packets_wide() {
    let (mut sealer, mut opener) = pair(Profile::AeadAes128Gcm);
    let rtp: Vec<_> = (0..200).map(|n| sealed_rtp(&mut sealer, &rtp_packet(1, n)).unwrap()).collect();
    let rtcp: Vec<_> = (0..200).map(|_| sealed_rtcp(&mut sealer, &rtcp_packet(1)).unwrap()).collect();
    assert!(opened_rtp(&mut opener, &rtp[199]).is_ok() && opened_rtcp(&mut opener, &rtcp[199]).is_ok());
    for n in (0..199).rev() {
        let fresh = n + 128 > 199;
        assert_eq!(opened_rtp(&mut opener, &rtp[n]).is_ok(), fresh, "{n}");
        assert_eq!(opened_rtcp(&mut opener, &rtcp[n]).is_ok(), fresh, "{n}");
    }
}

#[test]
fn forgeries_move_no_rollover_counter() {
    for profile in ALL {
        let (mut sealer, mut opener) = pair(profile);
        let genuine = sealed_rtp(&mut sealer, &rtp_packet(1, 40_000)).unwrap();
        assert!(opened_rtp(&mut opener, &genuine).is_ok());
        for sequence in (0..=u16::MAX).step_by(97) {
            let mut forged = genuine.clone();
            forged[2..4].copy_from_slice(&sequence.to_be_bytes());
            assert!(opened_rtp(&mut opener, &forged).is_err(), "{sequence}");
        }
        assert_eq!(opener.highest(1), Some((0, 40_000)));
        let next = sealed_rtp(&mut sealer, &rtp_packet(1, 5)).unwrap();
        assert!(opened_rtp(&mut opener, &next).is_ok());
        assert_eq!(opener.highest(1), Some((1, 5)));
        // 2^15 behind, genuine at its time, is refused without a look at the tag.
        assert_eq!(opened_rtp(&mut opener, &sealed_rtp(&mut pair(profile).0, &rtp_packet(1, 40_000)).unwrap()), Err(Error::Replay));
        assert_eq!(opener.highest(1), Some((1, 5)));
    }
}

#[test]
fn every_flipped_bit_and_every_length_is_refused() {
    for profile in ALL {
        let (mut sealer, mut opener) = pair(profile);
        let rtp = sealed_rtp(&mut sealer, &rtp_packet(1, 500)).unwrap();
        let rtcp = sealed_rtcp(&mut sealer, &rtcp_packet(1)).unwrap();
        for bit in 0..rtp.len() * 8 {
            let mut bad = rtp.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(opened_rtp(&mut opener, &bad).is_err(), "{profile:?} RTP bit {bit}");
        }
        for bit in 0..rtcp.len() * 8 {
            let mut bad = rtcp.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(opened_rtcp(&mut opener, &bad).is_err(), "{profile:?} RTCP bit {bit}");
        }
        (0..rtp.len()).for_each(|len| assert!(opened_rtp(&mut opener, &rtp[..len]).is_err(), "{len}"));
        (0..rtcp.len()).for_each(|len| assert!(opened_rtcp(&mut opener, &rtcp[..len]).is_err(), "{len}"));
        assert_eq!(opener.sources(), 0, "nothing was learnt from forgeries");
        assert!(opened_rtp(&mut opener, &rtp).is_ok() && opened_rtcp(&mut opener, &rtcp).is_ok());
    }
}

#[test]
fn unencrypted_rtcp_is_refused() {
    for profile in ALL {
        let (mut sealer, mut opener) = pair(profile);
        let mut rtcp = sealed_rtcp(&mut sealer, &rtcp_packet(1)).unwrap();
        let word = rtcp.len() - 4 - if profile == Profile::Aes128CmSha1_80 { 10 } else { 0 };
        rtcp[word] &= 0x7f;
        assert_eq!(opened_rtcp(&mut opener, &rtcp), Err(Error::Unencrypted));
    }
}

#[test]
fn sources_are_bounded_and_forgeries_add_none() {
    let (mut sealer, mut opener) = pair(Profile::AeadAes128Gcm);
    let mut noise = Noise::new(9);
    for ssrc in 0..10_000 {
        let forged = [&rtp_packet(ssrc, 1)[..], &noise.bytes(16)].concat();
        assert_eq!(opened_rtp(&mut opener, &forged), Err(Error::Tag));
    }
    assert_eq!(opener.sources(), 0);
    for ssrc in 0..MAX_SOURCES_IN as u32 {
        assert!(opened_rtp(&mut opener, &sealed_rtp(&mut sealer, &rtp_packet(ssrc, 1)).unwrap()).is_ok());
        assert!(opened_rtcp(&mut opener, &sealed_rtcp(&mut sealer, &rtcp_packet(ssrc)).unwrap()).is_ok());
    }
    let one_more = sealed_rtp(&mut sealer, &rtp_packet(1000, 1)).unwrap();
    assert_eq!(opened_rtp(&mut opener, &one_more), Err(Error::TooManySources));
    assert_eq!(opened_rtcp(&mut opener, &sealed_rtcp(&mut sealer, &rtcp_packet(1000)).unwrap()), Err(Error::TooManySources));
    let known = sealed_rtp(&mut sealer, &rtp_packet(63, 2)).unwrap();
    assert!(opened_rtp(&mut opener, &known).is_ok());
    opener.forget(0);
    assert_eq!((opener.sources(), opener.highest(0), opener.highest(63)), (63, None, Some((0, 2))));
    assert!(opened_rtp(&mut opener, &one_more).is_ok());
}

#[test]
fn nothing_is_sealed_twice() {
    for profile in ALL {
        let (mut sealer, mut opener) = pair(profile);
        let packet = rtp_packet(1, 100);
        let first = sealed_rtp(&mut sealer, &packet).unwrap();
        assert_eq!(sealed_rtp(&mut sealer, &packet), Err(Error::Reuse));
        let mut buf = [&packet[..], &[0; MAX_OVERHEAD]].concat();
        assert_eq!((sealer.seal_rtp(&mut buf, packet.len()), &buf[..packet.len()]), (Err(Error::Reuse), &packet[..]));
        assert!(opened_rtp(&mut opener, &first).is_ok());
        // Late packets are fine once, as far back as the window reaches; other sources have their own numbers.
        assert!(sealed_rtp(&mut sealer, &rtp_packet(1, 100 + SEAL_WINDOW as u16)).is_ok());
        assert_eq!(sealed_rtp(&mut sealer, &rtp_packet(1, 99)), Err(Error::Reuse));
        assert!(sealed_rtp(&mut sealer, &rtp_packet(1, 101)).is_ok());
        assert_eq!(sealed_rtp(&mut sealer, &rtp_packet(1, 101)), Err(Error::Reuse));
        assert!(sealed_rtp(&mut sealer, &rtp_packet(2, 101)).is_ok());
        assert_eq!(
            sealed_rtp(&mut sealer, &rtp_packet(2, 100 + 32_768)),
            Ok(sealed_rtp(&mut pair(profile).0, &rtp_packet(2, 32_868)).unwrap())
        );
    }
}

#[test]
fn a_failed_seal_claims_nothing() {
    for profile in ALL {
        let (mut sealer, _) = pair(profile);
        let packet = rtp_packet(1, 7);
        let mut tight = [&packet[..], &vec![0; profile.tag_len() - 1]].concat();
        assert_eq!(sealer.seal_rtp(&mut tight, packet.len()), Err(Error::Short));
        assert_eq!(sealer.seal_rtp(&mut tight, 11), Err(Error::Short));
        assert_eq!(sealer.seal_rtp(&mut tight, 1000), Err(Error::Short));
        let rtcp = rtcp_packet(1);
        let mut tight = [&rtcp[..], &vec![0; profile.tag_len() + 3]].concat();
        assert_eq!(sealer.seal_rtcp(&mut tight, rtcp.len()), Err(Error::Short));
        assert_eq!(sealer.seal_rtcp(&mut tight, 7), Err(Error::Short));
        assert!(sealed_rtp(&mut sealer, &packet).is_ok());
    }
}

#[test]
fn limits_of_the_key_are_kept() {
    let (mut sealer, mut opener) = pair(Profile::AeadAes128Gcm);
    for ssrc in 0..MAX_SOURCES_OUT as u32 {
        assert!(sealed_rtp(&mut sealer, &rtp_packet(ssrc, 1)).is_ok());
    }
    assert_eq!(sealed_rtp(&mut sealer, &rtp_packet(9999, 1)), Err(Error::TooManySources));
    let last = (1u64 << 48) - 1;
    sealer.sources[0].window = Window::starting_at(last - 1);
    assert!(sealed_rtp(&mut sealer, &rtp_packet(0, last as u16)).is_ok());
    assert_eq!(sealed_rtp(&mut sealer, &rtp_packet(0, 0)), Err(Error::Exhausted));
    sealer.rtcp_index = (1 << 31) - 2;
    let final_packet = sealed_rtcp(&mut sealer, &rtcp_packet(1)).unwrap();
    assert!(opened_rtcp(&mut opener, &final_packet).is_ok());
    assert_eq!(sealed_rtcp(&mut sealer, &rtcp_packet(1)), Err(Error::Exhausted));
}

#[test]
fn random_traffic_with_loss_and_reordering_survives_rollovers() {
    for profile in ALL {
        let (mut sealer, mut opener) = pair(profile);
        let mut noise = Noise::new(17);
        let mut waiting = Vec::new();
        let mut opened = 0;
        for number in 0..20_000u32 {
            // Every eleventh number, so that 20,000 packets pass the wrap three times.
            let packet = rtp_packet(3, (number * 11) as u16);
            waiting.push((packet.clone(), sealed_rtp(&mut sealer, &packet).unwrap()));
            if waiting.len() >= 8 {
                let (plain, sealed) = waiting.swap_remove(noise.below(8));
                if !noise.one_in(20) {
                    match opened_rtp(&mut opener, &sealed) {
                        Ok(bytes) => {
                            assert_eq!(bytes, plain);
                            opened += 1;
                        }
                        Err(error) => assert_eq!(error, Error::Replay, "only because it came too late"),
                    }
                }
            }
        }
        assert!(opened > 15_000, "{opened}");
        assert!(opener.highest(3).unwrap().0 >= 3);
    }
}

#[test]
fn damaged_packets_are_never_accepted() {
    for profile in ALL {
        let (mut sealer, mut opener) = pair(profile);
        let rtp = sealed_rtp(&mut sealer, &rtp_packet(1, 500)).unwrap();
        let rtcp = sealed_rtcp(&mut sealer, &rtcp_packet(1)).unwrap();
        damaged(&[rtp.clone(), rtcp.clone()], 20_000, |bytes| {
            if bytes != rtp {
                assert!(opened_rtp(&mut opener, bytes).is_err());
            }
            if bytes != rtcp {
                assert!(opened_rtcp(&mut opener, bytes).is_err());
            }
            let _ = (sealed_rtp(&mut sealer, bytes), sealed_rtcp(&mut sealer, bytes));
        });
        assert_eq!(opener.sources(), 0);
    }
}
