"""The media plane's native half: datagrams are forwarded here, Python only commands and listens.

Every method enqueues one command on a bounded ring and returns at once; it raises `BlockingIOError` when the ring is full and
`ValueError` when an argument is malformed. Commands naming an unknown peer, track, slot or room are ignored and counted.
Ids are chosen by the caller, unique for the life of the engine, never 0. Nothing here takes the GIL on a shard thread.
"""

from collections.abc import Sequence
from os import PathLike
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["audio", "video"]
CodecName: TypeAlias = Literal["opus", "red", "vp8", "h264", "vp9", "av1"]
#: (payload type, codec, RTX payload type or None)
Codec: TypeAlias = tuple[int, CodecName, int | None]
#: Header extension ids as negotiated on that peer; absent = not negotiated. Keys: mid, rid, rrid, audio_level, twcc, abs_send_time.
Extensions: TypeAlias = dict[str, int]

Event: TypeAlias = (
    tuple[Literal["connected"], int, Literal["udp", "tcp"]]  # peer: DTLS done, media may flow
    | tuple[Literal["closed"], int, str]  # peer, reason: "replaced" "requested" "expired" "consent" "dtls" "fingerprint" "panic"
    | tuple[Literal["track"], int, bool, str]  # track, packets are arriving (False after 2 s of silence on the wire), codec
    | tuple[Literal["speakers"], int, list[tuple[int, int]]]  # room, [(track, level 0..127 dBov below full scale)], loudest first
    | tuple[Literal["audio_slots"], int, list[int]]  # room, track per audio slot (0 = empty)
    | tuple[Literal["layer"], int, int]  # slot, index of the layer it plays (0 = lowest); -1 = paused, not even the lowest fits
    # peer, rtt ms, loss in permille, loss out permille (None = the receiver reported nothing), kbit/s in, kbit/s out, kbit/s the way to it
    # can carry (0 = unknown)
    | tuple[Literal["quality"], int, int, int, int | None, int, int, int]
    # room, state, file, bytes, records, packets lost; state: "opened" "sealed" "closed" "disk_low" "failed" "stalled" "resumed"
    | tuple[Literal["journal"], int, str, int, int, int, int]
    | tuple[Literal["stopped"], int]  # shard whose thread gave up (-1 = the TCP door's): its peers get nothing more
    | tuple[Literal["violation"], int, str, int]  # peer, kind: "unknown_ssrc" "not_allowed" "too_many_ssrc" ..., count since last told
)

class Engine:
    def __init__(
        self,
        *,
        bind: str = "0.0.0.0",  # noqa: S104  media is offered on every address
        udp_ports: Sequence[int] = (0,),
        tcp_port: int | None = 0,
        queue: int = 8192,
    ) -> None:
        """Start one shard thread per UDP port (0 = any free port) and, unless None, one passive ICE-TCP listener.

        Raises OSError if an address cannot be bound.
        """

    @property
    def udp_ports(self) -> list[int]: ...
    @property
    def tcp_port(self) -> int | None: ...
    @property
    def fingerprint(self) -> str:
        """SHA-256 fingerprint of this engine's DTLS certificate, upper-case hex with colons (RFC 8122)."""

    @property
    def event_fd(self) -> int:
        """Readable (eventfd) whenever `drain` has something to return."""

    def open_room(self, room: int, audio_slots: int = 3, *, home: int = 0) -> None:
        """`home` is the shard its publishers live on."""

    def close_room(self, room: int) -> None:
        """Closes every peer in it."""

    def open_peer(
        self,
        peer: int,
        room: int,
        *,
        shard: int,
        local_ufrag: str,
        local_pwd: str,
        remote_ufrag: str,
        remote_pwd: str,
        fingerprint: str,
        extensions: Extensions,
        expires_ms: int = 60_000,
    ) -> None:
        """Expect one ICE-lite / DTLS-server transport; closed with "expired" unless DTLS completes within expires_ms.

        The same transport carries tracks (client publishes: on the room's home shard) or slots (client receives: on any shard); a
        connection normally has one of the two.
        """

    def restart_ice(self, peer: int, *, local_ufrag: str, local_pwd: str, remote_ufrag: str, remote_pwd: str) -> None:
        """New credentials on the same DTLS association (RFC 8445 section 9); the old pair serves until the new one is nominated."""

    def close_peer(self, peer: int) -> None: ...
    def add_track(
        self,
        track: int,
        peer: int,
        *,
        kind: Kind,
        mid: str,
        ssrcs: Sequence[tuple[int, int | None]] = (),
        codecs: Sequence[Codec],
        allowed: bool,
        priority: bool = False,
        rids: Sequence[str] = (),
        voice: bool = True,
    ) -> None:
        """A track this peer may send: recognised by MID extension or by (ssrc, rtx ssrc).

        allowed=False: packets are counted and dropped. priority=True (audio): always in an audio slot while sending. `rids` are its
        simulcast layers by RID extension (RFC 8852), lowest first, at most 3; empty = one layer.
        voice=False (audio): plays only where it is assigned, never in the room's audio slots.
        """

    def set_track(self, track: int, *, allowed: bool, priority: bool) -> None: ...
    def remove_track(self, track: int) -> None: ...
    def add_slot(
        self,
        slot: int,
        peer: int,
        *,
        kind: Kind,
        mid: str,
        ssrc: int,
        rtx_ssrc: int | None,
        codecs: Sequence[Codec],
        auto: int | None = None,
        rank: int = 2,
    ) -> None:
        """A place this peer receives one rewritten stream in. auto=i (audio): follows the room's audio slot i, never the peer's own voice.

        "Own" is decided by `own_tracks`. `rank` tells who is served first when bandwidth is short: 0 screen, 1 main, 2 tile; audio always.
        """

    def own_tracks(self, peer: int, tracks: Sequence[int]) -> None:
        """Tracks never sent to this (receiving) peer by an auto slot: its participant's own."""

    def assign(self, slot: int, track: int | None) -> None:
        """Play this track in this slot from its next key frame (asked for at once); None = pause the slot."""

    def limit_slot(self, slot: int, max_layer: int) -> None:
        """The highest layer worth sending (0 = lowest; 2 to begin with), -1 = the viewer does not see it now: nothing is sent."""

    def request_key_frame(self, track: int, layer: int = 0) -> None: ...
    def open_journal(self, room: int, root: PathLike[str], name: str, recording: str) -> None:
        """Begin the next journal file of the class `name` below `root`; a "journal" event tells what came of it."""

    def close_journal(self, room: int) -> None:
        """Seal the room's journal once what is on its way has been written."""

    def note_in_journal(self, room: int, content: bytes) -> None:
        """Put a moment of the class log, as JSON of at most 16 KiB, into the room's journal."""

    def record_track(self, track: int, number: int, rank: int, description: bytes) -> None:
        """Put a track's packets into its room's journal under this number (1 to 65535).

        rank tells what is left out last: 0 sound, 1 screen, 2 the trainer's camera, 3 other cameras. Ends with the track, or by
        stop_recording_track. `description` is JSON of at most 16 KiB.
        """

    def stop_recording_track(self, track: int) -> None: ...
    def drain(self) -> list[Event]:
        """All events since the last call, oldest first; a full queue drops quality/speakers first and counts them."""

    def metrics(self) -> dict[str, int]:
        """Monotonic counters and gauges.

        packets_in, packets_out, bytes_in, bytes_out, nack_in, nack_out, rtx_out, pli_in, pli_out, dropped_<why>, peers, tracks, slots,
        joins, dtls_failures and more.
        """

    def close(self) -> None:
        """Stop the threads and close the sockets (idempotent)."""

def send_many(fds: Sequence[int], frame: bytes) -> list[tuple[int, int]]:
    """send(2) the frame to every socket without blocking, GIL released; returns (index, bytes sent or -errno) of those not sent whole.

    `fds` may be an `array('i')` / buffer of int32, which is read without copying.
    """

def recover_journals(root: PathLike[str]) -> list[tuple[str, int, str, int, int, int]]:
    """Make every journal below `root` whole.

    Returns (class, file, "sealed" or "aside", records, bytes cut, bytes damaged) of those that were not.
    """

def journal_files(root: PathLike[str], name: str) -> list[int]:
    """The numbers of a class's files, ascending."""

def journal_ends(path: PathLike[str]) -> dict[str, Any] | None:
    """Head and seal of a file: class, recording, number, wall_us, monotonic_us, previous, bytes, sealed; of a sealed one also records,
    first_us, last_us, lost, digest; of a redacted one also known_as, taken (records, bytes). None if its head is not whole."""

def verify_journal(path: PathLike[str]) -> dict[str, Any] | None:
    """Read a whole file: whole, records, damaged, recording, previous, digest, tracks {number: (packets, bytes, key frames, lost)}."""

def export_journals(paths: Sequence[PathLike[str]], out: PathLike[str], kind: str, track: int = 0) -> int:
    """Write files, in order, as "pcapng" or, one track, as "rtpdump"; returns the packets written. Raises OSError."""

def redact_journals(
    root: PathLike[str], name: str, participants: Sequence[str], recording: str | None = None
) -> tuple[int, int, int, list[str]] | None:
    """Take the tracks of these participants out of the sealed files of a class, or of one of its recordings.

    Returns (files something was taken out of, records, bytes, recordings); None, and nothing is changed, while one is being written.
    Raises OSError.
    """

def disk_free_permille(path: PathLike[str]) -> int:
    """How much of a thousand parts of the disk a path is on is free; -1 if it cannot be told."""

#: (track, milliseconds since the recording began, packet)
Sound: TypeAlias = tuple[int, float, bytes]
#: (name, MIME type, from, to in milliseconds, width, height)
PackagedFile: TypeAlias = tuple[str, str, float, float, int | None, int | None]

class Package:
    """A recording's journal on its way to files in the folder `out`; ValueError for a bad name, OSError."""

    def __init__(self, journal: PathLike[str], name: str, recording: str, started_ms: int, out: PathLike[str]) -> None: ...
    def advance(self) -> tuple[bool, float, list[Sound]]:
        """(whether all that is written was read, how far the recording has come in milliseconds, sounds)."""

    def finish(self) -> tuple[float, list[Sound], list[tuple[int, str, str, list[PackagedFile], str | None]]]:
        """(duration in milliseconds, sounds, (track, participant, source, files, why there are none) of each track)."""
