//! Load generator for WebRTC servers; README.md tells the command line and the output.
//!
//! One thread drives everything (`swarm`): peers are str0m's, made to talk by `publisher` and `viewer`, joined by the dialogues of `door`.
//! Protocol files (`srtp`, `rtcp`, `sdp`, `packetise`, `pace`, `check`, `flow`, `sent`, `janus`) are pure; the kernel is behind `net`, `http` and `server`.

mod args;
mod check;
mod clip;
mod door;
mod floor;
mod flow;
mod http;
mod janus;
mod keys;
mod light;
mod measure;
mod member;
mod net;
mod pace;
mod packetise;
mod peer;
mod plan;
mod publisher;
mod record;
mod report;
mod rtcp;
mod rtp;
mod sdp;
mod sent;
mod server;
mod srtp;
mod swarm;
mod viewer;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let args = args::Args::new(words);
    net::raise_file_limit();
    let done = match command.as_str() {
        "floor" => floor::run(args).map(|report| Some((report, false))),
        "floor-sink" => floor::sink(args).map(|()| None),
        "run" => plan::Plan::read(args).and_then(|plan| {
            let (report, failures) = swarm::run(&plan)?;
            Ok(Some((report, failures > plan.tolerate)))
        }),
        _ => {
            print!("{}", include_str!("../README.md"));
            return if matches!(command.as_str(), "--help" | "help") { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    match done {
        Ok(Some((report, failed))) => {
            println!("{report}");
            ExitCode::from(u8::from(failed))
        }
        Ok(None) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("jiangtai-swarm: {why}");
            ExitCode::from(2)
        }
    }
}
