//! The Python face of the media engine: module `media._engine`. It converts arguments and events, nothing else.
//!
//! Shard threads never take the GIL; what waits here (starting, closing, sending) releases it.

mod arguments;
mod journals;
mod packaging;

use std::os::fd::RawFd;
use std::path::PathBuf;

use jiangtai_core::command::{AddSlot, AddTrack, Command, IceCredentials, OpenPeer, RecordTrack};
use jiangtai_core::event::Event;
use jiangtai_core::tape::Rank;
use jiangtai_net::engine::{Engine as Native, Refused, Settings, StartError};
use jiangtai_net::recorder::Request;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBlockingIOError, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use arguments::{id, ids, text};

fn refused(why: Refused) -> PyErr {
    match why {
        Refused::Full => PyBlockingIOError::new_err("the command ring is full"),
        Refused::NoSuchShard => PyValueError::new_err("shard: no such shard"),
        Refused::Closed => PyRuntimeError::new_err("the engine is closed"),
    }
}

/// An OSError with its number, as Python's own are.
fn not_started(StartError { what, error }: StartError) -> PyErr {
    match error.raw_os_error() {
        Some(number) => PyOSError::new_err((number, format!("{what}: {error}"))),
        None => PyOSError::new_err(format!("{what}: {error}")),
    }
}

#[pyclass(frozen, module = "media._engine")]
struct Engine {
    native: Native,
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (*, bind = "0.0.0.0", udp_ports = vec![0], tcp_port = Some(0), queue = 8192))]
    fn new(py: Python<'_>, bind: &str, udp_ports: Vec<u16>, tcp_port: Option<u16>, queue: usize) -> PyResult<Engine> {
        let bind = bind.parse().map_err(|_| PyValueError::new_err("bind: not an IP address"))?;
        if udp_ports.is_empty() || udp_ports.len() > 256 {
            return Err(PyValueError::new_err("udp_ports: 1 to 256 ports"));
        }
        if queue == 0 || queue > 1 << 20 {
            return Err(PyValueError::new_err("queue: 1 to 2**20"));
        }
        let settings = Settings { bind, udp_ports, tcp_port, queue };
        let native = py.detach(|| Native::start(&settings)).map_err(not_started)?;
        Ok(Engine { native })
    }

    #[getter]
    fn udp_ports(&self) -> Vec<u16> {
        self.native.udp_ports.clone()
    }

    #[getter]
    fn tcp_port(&self) -> Option<u16> {
        self.native.tcp_port
    }

    #[getter]
    fn fingerprint(&self) -> &str {
        &self.native.fingerprint
    }

    #[getter]
    fn event_fd(&self) -> RawFd {
        self.native.event_fd()
    }

    #[pyo3(signature = (room, audio_slots = 3, *, home = 0))]
    fn open_room(&self, room: u64, audio_slots: usize, home: usize) -> PyResult<()> {
        if audio_slots > 16 {
            return Err(PyValueError::new_err("audio_slots: at most 16"));
        }
        if home >= self.native.udp_ports.len() {
            return Err(PyValueError::new_err("home: no such shard"));
        }
        self.post(Command::OpenRoom { room: id("room", room)?, audio_slots, home })
    }

    fn close_room(&self, room: u64) -> PyResult<()> {
        self.post(Command::CloseRoom { room: id("room", room)? })
    }

    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (peer, room, *, shard, local_ufrag, local_pwd, remote_ufrag, remote_pwd, fingerprint, extensions, expires_ms = 60_000))]
    fn open_peer(
        &self,
        peer: u64,
        room: u64,
        shard: usize,
        local_ufrag: &str,
        local_pwd: &str,
        remote_ufrag: &str,
        remote_pwd: &str,
        fingerprint: &str,
        extensions: &Bound<'_, PyDict>,
        expires_ms: u64,
    ) -> PyResult<()> {
        let open = OpenPeer {
            peer: id("peer", peer)?,
            room: id("room", room)?,
            ice: credentials(local_ufrag, local_pwd, remote_ufrag, remote_pwd)?,
            fingerprint: arguments::fingerprint(fingerprint)?,
            extensions: arguments::extensions(extensions)?,
            expires_ms: expires_ms.min(3_600_000),
        };
        self.native.post(Command::OpenPeer(Box::new(open)), Some(shard)).map_err(refused)
    }

    #[pyo3(signature = (peer, *, local_ufrag, local_pwd, remote_ufrag, remote_pwd))]
    fn restart_ice(&self, peer: u64, local_ufrag: &str, local_pwd: &str, remote_ufrag: &str, remote_pwd: &str) -> PyResult<()> {
        let ice = credentials(local_ufrag, local_pwd, remote_ufrag, remote_pwd)?;
        self.post(Command::RestartIce { peer: id("peer", peer)?, ice })
    }

    fn close_peer(&self, peer: u64) -> PyResult<()> {
        self.post(Command::ClosePeer { peer: id("peer", peer)? })
    }

    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (track, peer, *, kind, mid, ssrcs = vec![], codecs, allowed, priority = false, rids = vec![], voice = true))]
    fn add_track(
        &self,
        track: u64,
        peer: u64,
        kind: &str,
        mid: &str,
        ssrcs: Vec<(u32, Option<u32>)>,
        codecs: Vec<(u8, String, Option<u8>)>,
        allowed: bool,
        priority: bool,
        rids: Vec<String>,
        voice: bool,
    ) -> PyResult<()> {
        let add = AddTrack {
            track: id("track", track)?,
            peer: id("peer", peer)?,
            kind: arguments::kind(kind)?,
            mid: text("mid", mid, 16)?,
            ssrcs,
            codecs: arguments::codecs(&codecs)?,
            rids: arguments::rids(&rids)?,
            voice,
            allowed,
            priority,
        };
        self.post(Command::AddTrack(Box::new(add)))
    }

    #[pyo3(signature = (track, *, allowed, priority))]
    fn set_track(&self, track: u64, allowed: bool, priority: bool) -> PyResult<()> {
        self.post(Command::SetTrack { track: id("track", track)?, allowed, priority })
    }

    fn remove_track(&self, track: u64) -> PyResult<()> {
        self.post(Command::RemoveTrack { track: id("track", track)? })
    }

    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (slot, peer, *, kind, mid, ssrc, rtx_ssrc, codecs, auto = None, rank = 2))]
    fn add_slot(
        &self,
        slot: u64,
        peer: u64,
        kind: &str,
        mid: &str,
        ssrc: u32,
        rtx_ssrc: Option<u32>,
        codecs: Vec<(u8, String, Option<u8>)>,
        auto: Option<usize>,
        rank: u8,
    ) -> PyResult<()> {
        if rtx_ssrc == Some(ssrc) {
            return Err(PyValueError::new_err("rtx_ssrc: must differ from ssrc"));
        }
        let add = AddSlot {
            slot: id("slot", slot)?,
            peer: id("peer", peer)?,
            kind: arguments::kind(kind)?,
            mid: text("mid", mid, 16)?,
            ssrc,
            rtx_ssrc,
            codecs: arguments::codecs(&codecs)?,
            auto,
            rank,
        };
        self.post(Command::AddSlot(Box::new(add)))
    }

    fn own_tracks(&self, peer: u64, tracks: Vec<u64>) -> PyResult<()> {
        self.post(Command::OwnTracks { peer: id("peer", peer)?, tracks: ids("tracks", tracks)? })
    }

    fn assign(&self, slot: u64, track: Option<u64>) -> PyResult<()> {
        let track = track.map(|track| id("track", track)).transpose()?;
        self.post(Command::Assign { slot: id("slot", slot)?, track })
    }

    fn limit_slot(&self, slot: u64, max_layer: i8) -> PyResult<()> {
        self.post(Command::LimitSlot { slot: id("slot", slot)?, most: u8::try_from(max_layer).ok() })
    }

    #[pyo3(signature = (track, layer = 0))]
    fn request_key_frame(&self, track: u64, layer: u8) -> PyResult<()> {
        self.post(Command::RequestKeyFrame { track: id("track", track)?, layer })
    }

    /// Begins the next journal file of a class below `root`.
    fn open_journal(&self, room: u64, root: PathBuf, name: &str, recording: &str) -> PyResult<()> {
        let label = journals::label(name, recording)?;
        self.record(Request::Open { room: id("room", room)?, root, label: Box::new(label) })
    }

    fn close_journal(&self, room: u64) -> PyResult<()> {
        self.record(Request::Close { room: id("room", room)? })
    }

    fn note_in_journal(&self, room: u64, content: &[u8]) -> PyResult<()> {
        let content = journals::content("content", content)?;
        self.record(Request::Note { room: id("room", room)?, content })
    }

    fn record_track(&self, track: u64, number: u16, rank: u8, description: &[u8]) -> PyResult<()> {
        let rank = Rank::parse(rank).ok_or_else(|| PyValueError::new_err("rank: 0 to 3"))?;
        let description = journals::content("description", description)?;
        let record = Some(Box::new(RecordTrack { number, rank, description }));
        self.post(Command::Record { track: id("track", track)?, record })
    }

    fn stop_recording_track(&self, track: u64) -> PyResult<()> {
        self.post(Command::Record { track: id("track", track)?, record: None })
    }

    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let events = self.native.drain();
        let tuples = events.into_iter().map(|event| event_tuple(py, event)).collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, tuples)
    }

    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, value) in self.native.metrics() {
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.native.close());
    }
}

impl Engine {
    fn record(&self, request: Request) -> PyResult<()> {
        self.native.record(request).map_err(refused)
    }

    fn post(&self, command: Command) -> PyResult<()> {
        self.native.post(command, None).map_err(refused)
    }
}

fn credentials(local_ufrag: &str, local_pwd: &str, remote_ufrag: &str, remote_pwd: &str) -> PyResult<IceCredentials> {
    Ok(IceCredentials {
        local_ufrag: text("local_ufrag", local_ufrag, 256)?,
        local_pwd: text("local_pwd", local_pwd, 256)?,
        remote_ufrag: text("remote_ufrag", remote_ufrag, 256)?,
        remote_pwd: text("remote_pwd", remote_pwd, 256)?,
    })
}

fn event_tuple<'py>(py: Python<'py>, event: Event) -> PyResult<Bound<'py, PyTuple>> {
    match event {
        Event::Connected { peer, tcp } => ("connected", peer, if tcp { "tcp" } else { "udp" }).into_pyobject(py),
        Event::Closed { peer, reason } => ("closed", peer, reason.as_str()).into_pyobject(py),
        Event::Track { track, sending, codec } => ("track", track, sending, codec).into_pyobject(py),
        Event::Speakers { room, levels } => ("speakers", room, levels).into_pyobject(py),
        Event::AudioSlots { room, tracks } => ("audio_slots", room, tracks).into_pyobject(py),
        Event::Layer { slot, layer } => ("layer", slot, layer.map_or(-1, i64::from)).into_pyobject(py),
        Event::Quality { peer, rtt_ms, loss_in, loss_out, kbps_in, kbps_out, kbps_available } => {
            ("quality", peer, rtt_ms, loss_in, loss_out, kbps_in, kbps_out, kbps_available).into_pyobject(py)
        }
        Event::Violation { peer, kind, count } => ("violation", peer, kind, count).into_pyobject(py),
        Event::Journal { room, state, file, bytes, records, lost } => {
            ("journal", room, state.as_str(), file, bytes, records, lost).into_pyobject(py)
        }
        Event::Stopped { shard } => ("stopped", shard.map_or(-1, |shard| shard as i64)).into_pyobject(py),
    }
}

#[pyfunction]
fn send_many(py: Python<'_>, fds: &Bound<'_, PyAny>, frame: &[u8]) -> PyResult<Vec<(u32, i64)>> {
    let fds: Vec<i32> = match PyBuffer::<i32>::get(fds) {
        Ok(buffer) => buffer.to_vec(py)?,
        Err(_) => fds.extract()?,
    };
    // The frame is an immutable bytes object that the caller's reference keeps alive.
    Ok(py.detach(|| jiangtai_net::fanout::send_many(&fds, frame)))
}

#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Engine>()?;
    journals::add(module)?;
    module.add_class::<packaging::Package>()?;
    module.add_function(wrap_pyfunction!(send_many, module)?)
}
