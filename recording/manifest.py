"""What a published recording consists of: one `manifest.json` beside its files, made by the packager, read by the replay.

A version lies in a folder of its own, `<published>/<name>/v<version>/`, where the name is 128 random bits; a rebuild writes the next
version and then moves the pointer, so that whoever is watching goes on. All times are milliseconds on the clock of the recording: 0 is
`started_at`, the time of the server in the class's log. File names are relative to the folder and contain no slash.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from signaling.classroom.ids import Millis, ParticipantId, SessionId

FORMAT: Final = 1
#: what one timeline chunk covers, and how often a whole state is kept
CHUNK_MS: Final = 30_000
SNAPSHOT_MS: Final = 120_000

Source: TypeAlias = Literal["camera", "screen", "microphone", "screen_audio"]
#: (number of an entry of the class's log, when it came): by the media's clock, milliseconds since the recording began
Moment: TypeAlias = tuple[int, int]


class Span(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file and where it lies on the recording's clock. A track has several when it stopped, came back or changed its codec."""

    from_ms: int
    to_ms: int
    file: str
    #: MIME type with codecs, as a browser wants it
    type: str
    bytes: int
    width: int | None = None
    height: int | None = None


class Track(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one person sent from one source. Without spans it could not be made, and `failed` says why."""

    id: str
    participant: ParticipantId
    source: Source
    spans: list[Span]
    failed: str | None = None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What the packager made of the media; the node adds what it knows of the class."""

    duration_ms: int
    tracks: list[Track]
    mix: Span | None
    #: the last entry of each turn of the class, ascending
    moments: list[Moment] = []


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """What happened beside the media. chunks[i] covers CHUNK_MS from i * CHUNK_MS; snapshots[k] is the state at k * SNAPSHOT_MS."""

    chunks: list[str]
    snapshots: list[str]


class Caption(msgspec.Struct, frozen=True, kw_only=True):
    """What was said, as WebVTT; `language` is a BCP 47 tag, `label` what a menu shows."""

    language: str
    label: str
    file: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A published recording."""

    session: SessionId
    recording: str
    title: str
    started_at: Millis
    duration_ms: int
    tracks: list[Track]
    timeline: Timeline
    #: everybody's sound mixed, over the whole duration: the clock of the replay; None if nobody was heard
    mix: Span | None = None
    #: the main picture with the mixed sound as one MP4
    download: Span | None = None
    #: WebVTT files
    chapters: str | None = None
    thumbnails: str | None = None
    #: the pictures that `thumbnails` cuts pieces from
    sheets: list[str] = []
    captions: list[Caption] = []
    #: where the log's clock was set: the last entry before, and one after
    moments: list[Moment] = []
    format: int = FORMAT


def read(data: bytes) -> Manifest:
    """A manifest from its JSON. Raises msgspec.ValidationError, ValueError for a later format or a file name with a path."""
    manifest = msgspec.json.decode(data, type=Manifest)
    if manifest.format != FORMAT:
        raise ValueError(f"manifest format {manifest.format} is not known")
    if any("/" in name or name.startswith(".") for name in files(manifest)):
        raise ValueError("a file name must not lead elsewhere")
    return manifest


def files(manifest: Manifest) -> list[str]:
    """Every file a manifest names."""
    spans = [span for track in manifest.tracks for span in track.spans] + [span for span in (manifest.mix, manifest.download) if span]
    texts = [name for name in (manifest.chapters, manifest.thumbnails) if name]
    texts += [caption.file for caption in manifest.captions]
    return [span.file for span in spans] + texts + manifest.sheets + manifest.timeline.chunks + manifest.timeline.snapshots
