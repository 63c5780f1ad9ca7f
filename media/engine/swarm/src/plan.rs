//! What a run is to do: the options of `run`, checked.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::args::Args;
use crate::clip::LAYERS;
use crate::door::{Dialogue, Offered, Whip};
use crate::janus::{Janus, Role};
use crate::rtp::Codec;

enum Door {
    Whip { whip: String, whep: String, whip_tokens: Tokens, whep_tokens: Tokens, offered: bool },
    Janus { url: String, room: u64 },
}

/// Nobody needs one, everybody has the same, or each their own.
enum Tokens {
    None,
    Same(String),
    Each(Vec<String>),
}

impl Tokens {
    fn read(text: Option<String>) -> Result<Tokens, String> {
        Ok(match text {
            None => Tokens::None,
            Some(text) => match text.strip_prefix('@') {
                Some(file) => {
                    Tokens::Each(std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?.lines().map(String::from).collect())
                }
                None => Tokens::Same(text),
            },
        })
    }

    fn of(&self, i: usize) -> Option<String> {
        match self {
            Tokens::None => None,
            Tokens::Same(token) => Some(token.clone()),
            Tokens::Each(tokens) => tokens.get(i).cloned(),
        }
    }
}

pub struct Plan {
    door: Door,
    pub rooms: usize,
    pub publishers: usize,
    pub viewers: usize,
    pub full: usize,
    pub video_slots: usize,
    pub audio_slots: usize,
    pub codec: Codec,
    /// What a publisher sends: layers of the clips, lowest first.
    pub layers: Vec<usize>,
    pub simulcast: bool,
    pub audio: bool,
    pub video: bool,
    pub twcc: bool,
    pub idle: bool,
    pub warm_up: Duration,
    pub window: Duration,
    pub concurrency: usize,
    /// Joins started per second.
    pub join_rate: f64,
    pub join_timeout: Duration,
    pub churn: f64,
    pub bind: IpAddr,
    pub relay: Option<SocketAddr>,
    pub server: Option<u32>,
    pub figures: Option<String>,
    /// Of 1000 datagrams.
    pub loss: u32,
    pub record: Option<PathBuf>,
    pub tick: Duration,
    pub tolerate: u64,
    pub clips: PathBuf,
    /// The server may begin in the middle of a group of pictures.
    pub late_start: bool,
}

fn seconds(args: &mut Args, name: &str, default: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(args.or(name, default)?).map_err(|e| format!("{name}: {e}"))
}

impl Plan {
    pub fn read(mut args: Args) -> Result<Plan, String> {
        let plan = Plan::take(&mut args)?;
        args.done()?;
        Ok(plan)
    }

    fn take(args: &mut Args) -> Result<Plan, String> {
        let (publishers, viewers) = (args.or("--publishers", 1)?, args.or("--viewers", 1)?);
        let janus: Option<String> = args.value("--janus")?;
        let late_start = args.flag("--late-start") || janus.is_some();
        let door = match janus {
            Some(url) => Door::Janus { url: url.trim_end_matches('/').into(), room: args.or("--janus-room", 1234)? },
            None => {
                let (whip, whep): (Option<String>, Option<String>) = (args.value("--whip")?, args.value("--whep")?);
                if (publishers > 0 && whip.is_none()) || (viewers > 0 && whep.is_none()) {
                    return Err("where to? --whip and --whep, or --janus".into());
                }
                Door::Whip {
                    whip: whip.unwrap_or_default(),
                    whep: whep.unwrap_or_default(),
                    whip_tokens: Tokens::read(args.value("--whip-token")?)?,
                    whep_tokens: Tokens::read(args.value("--whep-token")?)?,
                    offered: args.flag("--server-offers"),
                }
            }
        };
        let codec = match args.or("--codec", String::from("vp8"))?.as_str() {
            "vp8" => Codec::Vp8,
            "h264" => Codec::H264,
            other => return Err(format!("--codec: vp8 or h264, not {other}")),
        };
        let layer: String = args.or("--layer", "high".into())?;
        let layer = LAYERS.iter().position(|(_, name)| *name == layer).ok_or("--layer: low, mid or high")?;
        let simulcast = args.flag("--simulcast");
        let plan = Plan {
            door,
            rooms: args.or("--rooms", 1)?,
            publishers,
            viewers,
            full: args.or("--full", viewers.div_ceil(10))?,
            video_slots: args.or("--video-slots", 1)?,
            audio_slots: args.or("--audio-slots", 1)?,
            codec,
            layers: if simulcast { vec![0, 1, 2] } else { vec![layer] },
            simulcast,
            audio: !args.flag("--no-audio"),
            video: !args.flag("--no-video"),
            twcc: !args.flag("--no-twcc"),
            idle: args.flag("--idle"),
            warm_up: seconds(args, "--warmup", 2.0)?,
            window: seconds(args, "--seconds", 10.0)?,
            concurrency: args.or("--concurrency", 16)?,
            join_rate: args.or("--join-rate", 0.0)?,
            join_timeout: seconds(args, "--join-timeout", 20.0)?,
            churn: args.or("--churn", 0.0)?,
            bind: args.or("--bind", IpAddr::from([127, 0, 0, 1]))?,
            relay: args.value("--rewrite-remote")?,
            server: args.value("--pid")?,
            figures: args.value("--figures")?,
            loss: args.or("--loss", 0)?,
            record: args.value("--record")?,
            tick: Duration::from_millis(args.or("--tick-ms", 5)?),
            tolerate: args.or("--tolerate", 0)?,
            clips: args.or("--clips", "var/swarm".into())?,
            late_start,
        };
        if plan.rooms == 0 || plan.concurrency == 0 || plan.window.is_zero() || !(plan.audio || plan.video) {
            return Err("nothing to do".into());
        }
        if !plan.join_rate.is_finite() || !plan.churn.is_finite() {
            return Err("--join-rate, --churn: per second".into());
        }
        Ok(plan)
    }

    pub fn room(&self, i: usize) -> u32 {
        (i % self.rooms) as u32
    }

    fn fill(&self, url: &str, i: usize) -> String {
        url.replace("{i}", &i.to_string()).replace("{room}", &self.room(i).to_string())
    }

    fn janus_codec(&self) -> &'static str {
        if self.codec == Codec::H264 {
            "h264"
        } else {
            "vp8"
        }
    }

    pub fn publisher_door(&self, i: usize) -> Box<dyn Dialogue> {
        match &self.door {
            Door::Whip { whip, whip_tokens, .. } => Box::new(Whip::new(self.fill(whip, i), whip_tokens.of(i).map(|t| self.fill(&t, i)))),
            Door::Janus { url, room } => {
                Box::new(Janus::new(url.clone(), Role::Publisher, room + u64::from(self.room(i)), self.janus_codec()))
            }
        }
    }

    pub fn viewer_door(&self, i: usize) -> Box<dyn Dialogue> {
        match &self.door {
            Door::Whip { whep, whep_tokens, offered, .. } => {
                let (url, token) = (self.fill(whep, i), whep_tokens.of(i).map(|t| self.fill(&t, i)));
                if *offered {
                    Box::new(Offered::new(url, token))
                } else {
                    Box::new(Whip::new(url, token))
                }
            }
            Door::Janus { url, room } => {
                let role = Role::Viewer { feeds: self.video_slots.max(self.audio_slots) };
                Box::new(Janus::new(url.clone(), role, room + u64::from(self.room(i)), self.janus_codec()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(line: &str) -> Result<Plan, String> {
        Plan::read(Args::new(line.split_whitespace().map(String::from)))
    }

    #[test]
    fn a_tenth_of_the_viewers_is_full_and_rooms_take_turns() {
        let plan = plan("--whip http://s/whip/{room} --whep http://s/whep/{room}?{i} --viewers 25 --rooms 3 --simulcast").unwrap();
        assert_eq!((plan.full, plan.room(4), plan.layers.as_slice()), (3, 1, &[0, 1, 2][..]));
        assert_eq!(plan.fill("/{room}/{i}", 4), "/1/4");
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for line in [
            "--viewers 3",
            "--janus http://j --codec av1",
            "--janus http://j --layer x",
            "--janus http://j --rooms 0",
            "--janus http://j -x",
        ] {
            assert!(plan(line).is_err(), "{line}");
        }
        assert!(plan("--janus http://j").unwrap().late_start);
        assert!(!plan("--whep http://s --publishers 0").unwrap().late_start);
    }
}
