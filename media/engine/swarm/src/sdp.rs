//! The little a viewer must read in a description to open its streams itself, and what is changed in one. Pure.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::rtp::Codec;

/// One m-line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub mid: String,
    pub video: bool,
    /// Payload types with their codec, as listed.
    pub codecs: Vec<(u8, Codec)>,
    /// Payload type of retransmissions to that of what they repair.
    pub repairs: HashMap<u8, u8>,
    /// Announced sources with their retransmission's, if any.
    pub sources: Vec<(u32, Option<u32>)>,
    pub extensions: HashMap<String, u8>,
}

pub const TWCC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

// Never panics: what is not understood is left out, and then packets are refused and counted.
/// The accepted m-lines of a description, as far as they are understood.
pub fn read(sdp: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut apt: Vec<(u8, u8)> = Vec::new();
    for text in sdp.lines().map(str::trim) {
        if let Some(media) = text.strip_prefix("m=") {
            finish(lines.last_mut(), &mut apt);
            // A declined m-line is kept so that its attributes do not land elsewhere; it has no codecs.
            lines.push(Line { video: media.starts_with("video"), ..Line::default() });
        }
        let (Some(line), Some(attribute)) = (lines.last_mut(), text.strip_prefix("a=")) else { continue };
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        let (head, rest) = value.split_once(' ').unwrap_or((value, ""));
        match name {
            "mid" => line.mid = value.into(),
            "rtpmap" => {
                let codec = match rest.to_ascii_lowercase().as_str() {
                    "vp8/90000" => Codec::Vp8,
                    "h264/90000" => Codec::H264,
                    "opus/48000/2" => Codec::Opus,
                    _ => continue,
                };
                if let Ok(pt) = head.parse() {
                    line.codecs.push((pt, codec));
                }
            }
            "fmtp" => {
                let repaired = rest.split(';').find_map(|p| p.trim().strip_prefix("apt=")).and_then(|pt| pt.trim().parse().ok());
                if let (Ok(pt), Some(repaired)) = (head.parse(), repaired) {
                    apt.push((pt, repaired));
                }
            }
            "extmap" => {
                if let Ok(id) = head.split('/').next().unwrap_or_default().parse() {
                    line.extensions.insert(rest.split(' ').next().unwrap_or_default().into(), id);
                }
            }
            "ssrc" => {
                if let Ok(ssrc) = head.parse() {
                    if !line.sources.iter().any(|(known, repair)| *known == ssrc || *repair == Some(ssrc)) {
                        line.sources.push((ssrc, None));
                    }
                }
            }
            "ssrc-group" if head == "FID" => {
                let mut members = rest.split(' ').map_while(|n| n.parse().ok());
                if let (Some(media), Some(repair)) = (members.next(), members.next()) {
                    line.sources.retain(|(known, _)| *known != media && *known != repair);
                    line.sources.push((media, Some(repair)));
                }
            }
            _ => {}
        }
    }
    finish(lines.last_mut(), &mut apt);
    lines
}

fn finish(line: Option<&mut Line>, apt: &mut Vec<(u8, u8)>) {
    if let Some(line) = line {
        line.repairs = apt.iter().filter(|(_, repaired)| line.codecs.iter().any(|(pt, _)| pt == repaired)).copied().collect();
    }
    apt.clear();
}

/// The description with one host candidate in place of all its own.
pub fn with_candidate(sdp: &str, address: SocketAddr) -> String {
    let candidate = format!("a=candidate:1 1 udp 2130706431 {} {} typ host", address.ip(), address.port());
    let mut out: Vec<&str> = Vec::new();
    for line in sdp.lines().filter(|line| !line.starts_with("a=candidate:") && !line.starts_with("a=end-of-candidates")) {
        // Under each m-line: which one counts depends on who bundles.
        let ends_media = line.starts_with("m=") && out.iter().any(|l| l.starts_with("m="));
        if ends_media {
            out.push(&candidate);
        }
        out.push(line);
    }
    out.push(&candidate);
    out.join("\r\n") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\na=ssrc:7 cname:x\r\n\
        a=candidate:1 1 udp 1 10.0.0.1 7 typ host\r\na=end-of-candidates\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 102\r\na=mid:1\r\na=extmap:3/sendonly http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
        a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=fmtp:102 apt=99\r\n\
        a=ssrc-group:FID 8 9\r\na=ssrc:8 cname:x\r\na=ssrc:9 cname:x\r\n";

    #[test]
    fn streams_of_an_answer() {
        let lines = read(ANSWER);
        assert_eq!((lines[0].mid.as_str(), lines[0].video, &lines[0].sources[..]), ("0", false, &[(7, None)][..]));
        assert_eq!(lines[0].codecs, [(111, Codec::Opus)]);
        assert_eq!((lines[1].video, &lines[1].sources[..]), (true, &[(8, Some(9))][..]));
        assert_eq!((lines[1].codecs.clone(), lines[1].repairs.clone()), (vec![(96, Codec::Vp8)], HashMap::from([(97, 96)])));
        assert_eq!(lines[1].extensions[TWCC], 3);
    }

    #[test]
    fn a_group_after_its_sources_is_the_same() {
        let sdp = ANSWER.replace("a=ssrc-group:FID 8 9\r\n", "") + "a=ssrc-group:FID 8 9\r\n";
        assert_eq!(read(&sdp)[1].sources, [(8, Some(9))]);
    }

    #[test]
    fn a_relay_takes_the_place_of_every_candidate() {
        let sdp = with_candidate(ANSWER, ([127, 0, 0, 1], 9000).into());
        let found: Vec<&str> = sdp.lines().filter(|l| l.contains("candidate")).collect();
        assert_eq!(found, ["a=candidate:1 1 udp 2130706431 127.0.0.1 9000 typ host"; 2]);
        assert_eq!(read(&sdp), read(ANSWER));
    }

    #[test]
    fn nonsense_is_left_out() {
        let lines =
            read("a=mid:9\r\nm=video 9 X 96\r\na=rtpmap:999 VP8/90000\r\na=ssrc-group:FID x\r\na=extmap:\r\na=fmtp:97\r\na=ssrc:\r\n");
        assert_eq!(lines.len(), 1);
        assert!(lines[0].codecs.is_empty() && lines[0].sources.is_empty());
    }
}
