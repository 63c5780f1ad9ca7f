//! The shard as its peers see it: hand-made clients, simulated time, no sockets.

mod bandwidth;
mod client;
mod cost;
mod damage;
mod faults;
mod hostile;
mod layers;
mod media;
mod property;
mod recording;
mod relay;
mod scene;
mod transport;
mod voices;
