//! Load generator for WebRTC servers; README.md tells the command line and the output.
//!
//! One thread drives everything (`swarm`): peers are str0m's, made to talk by `publisher` and `viewer`, joined by the dialogues of `door`.
//! Protocol files (`srtp`, `rtcp`, `sdp`, `packetise`, `check`) are pure; the kernel is behind `net`, `http` and `server`.

mod args;
mod floor;
mod net;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let args = args::Args::new(words);
    net::raise_file_limit();
    let done = match command.as_str() {
        "floor" => floor::run(args).map(Some),
        "floor-sink" => floor::sink(args).map(|()| None),
        _ => {
            print!("{}", include_str!("../README.md"));
            return if matches!(command.as_str(), "--help" | "help") { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    match done {
        Ok(Some(report)) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Ok(None) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("jiangtai-swarm: {why}");
            ExitCode::from(2)
        }
    }
}
