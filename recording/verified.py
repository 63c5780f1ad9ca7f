"""Whether a published version is whole: its manifest can be read, and so can every file it names, in the size it says.

Reads all of them; call it outside the event loop.
"""

from pathlib import Path
from typing import Final, NamedTuple

from recording import manifest
from recording.publication import MANIFEST, Version

_PORTION: Final = 1 << 20


class Broken(Exception):
    """A published version is not what it should be; the message says where."""


class Whole(NamedTuple):
    """What was read."""

    files: int
    bytes: int


def check(root: Path, version: Version) -> Whole:
    """Read a published version below `root`. Raises Broken."""
    folder = version.path(root)
    try:
        made = manifest.read((folder / MANIFEST).read_bytes())
        if (made.session, made.recording) != (version.session, version.recording):
            raise Broken("the manifest is another recording's")
        names = [*manifest.files(made), MANIFEST]
        sizes = {name: _size(folder / name) for name in names}
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        raise Broken(str(error) or type(error).__name__) from error
    for span in [*(span for track in made.tracks for span in track.spans), *(span for span in (made.mix, made.download) if span)]:
        if sizes[span.file] != span.bytes:
            raise Broken(f"{span.file} has {sizes[span.file]} bytes, the manifest says {span.bytes}")
    total = sum(sizes[name] for name in names)
    if version.bytes not in (0, total):
        raise Broken(f"{total} bytes, published were {version.bytes}")
    return Whole(len(sizes), total)


def _size(path: Path) -> int:
    """Bytes that can be read of a file."""
    if path.is_symlink():
        raise Broken(f"{path.name} is a link")
    size = 0
    with path.open("rb") as file:
        while portion := file.read(_PORTION):
            size += len(portion)
    return size
