"""A published recording with something added: the next version, which has its files in common with the one before.

Files are linked, not copied (hard links; copied where a disk has none), so a version more costs what is new in it; those kept elsewhere are
brought here and sent again. Who wants to add works as long as it takes and says at the end what changes; if meanwhile another version was
published, the change is made to that one.
"""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from recording import captions, manifest
from recording.copying import copy, link, read
from recording.manifest import Caption, Manifest
from recording.objects import StoreAway
from recording.publication import CAPTIONS, Published, Superseded, Version, publish
from signaling.classroom.ids import Millis, SessionId

#: how often somebody else may be quicker
_TRIES: Final = 5


class NotPublished(Exception):
    """There is no version to add to."""


async def amend(
    published: Published,
    session: SessionId,
    recording: str,
    change: Callable[[Manifest], Manifest],
    files: Mapping[str, Path],
    clock: Callable[[], Millis],
) -> Version:
    """Publish what is served with a change, and `files` by their names in it; `change` may raise.

    Raises NotPublished, Deleted, Superseded (others are quicker all the time), OSError, Unavailable, ValueError.
    """
    for _ in range(_TRIES):
        served = await published.store.served(session, recording)
        if served is None:
            raise NotPublished(recording)
        made = change(await read(published, served))
        version = await published.store.begin(session, recording, clock(), served.version)
        try:
            await _gather(published, served, version.path(published.root), made, files)
            await publish(published, version, made, clock(), instead_of=served)
        except BaseException as error:
            # A write that was under way when the node stopped is done all the same: it may be published.
            if await published.store.fail(version, clock(), str(error) or type(error).__name__):
                await asyncio.to_thread(shutil.rmtree, version.path(published.root), ignore_errors=True)
            if isinstance(error, Superseded):
                continue
            raise
        return version
    raise Superseded(recording)


async def replace(published: Published, version: Version, made: Manifest, at: Millis, *, captions: bool = True) -> Version:
    """Publish newly made media in a folder of their own; what people added to the version before, its captions, stays if asked.

    Returns the version, which is another if one was published meanwhile. Raises Deleted, Superseded, OSError, Unavailable, ValueError.
    """
    served = await published.store.served(version.session, version.recording)
    if served is None:
        await publish(published, version, made, at)
        return version
    kept = (await _captions(published, served)) if captions else []
    folder = version.path(published.root)
    if kept:
        await copy(published, served, [each.file for each in kept], folder)
    if served.version > version.version:
        newer = await published.store.begin(version.session, version.recording, at)
        await asyncio.to_thread(folder.rename, newer.path(published.root))
        await published.store.fail(version, at, f"published as {newer.version}")
        version = newer
    await publish(published, version, msgspec.structs.replace(made, captions=kept), at, instead_of=served)
    return version


async def _captions(published: Published, version: Version) -> list[Caption]:
    """Those of a version; none if it cannot be read, so that a rebuild can make good what is broken. Raises StoreAway."""
    try:
        return (await read(published, version)).captions
    except StoreAway:
        raise
    except (OSError, ValueError):
        return []


class Words(NamedTuple):
    """Captions as somebody brings them: a WebVTT file, a language tag, what a menu shows (None: the language)."""

    data: bytes
    language: str
    label: str | None


async def captioned(published: Published, session: SessionId, recording: str, words: Words, clock: Callable[[], Millis]) -> Version:
    """Publish captions with a recording, in place of those of the same language. Raises BadCaptions and what `amend` raises."""
    tag = captions.language(words.language)
    caption = Caption(language=tag, label=captions.label(tag, words.label), file=f"captions-{tag}-{secrets.token_hex(4)}.vtt")
    with tempfile.TemporaryDirectory(dir=published.root, prefix=CAPTIONS) as folder:
        path = Path(folder) / caption.file

        def change(served: Manifest) -> Manifest:
            path.write_bytes(captions.write(captions.read(words.data, served.duration_ms)))
            others = [each for each in served.captions if each.language != tag]
            if len(others) >= captions.MAX_LANGUAGES:
                raise captions.BadCaptions(f"it has captions in {captions.MAX_LANGUAGES} languages already")
            return msgspec.structs.replace(served, captions=sorted([*others, caption], key=lambda each: each.language))

        return await amend(published, session, recording, change, {caption.file: path}, clock)


async def _gather(published: Published, served: Version, folder: Path, made: Manifest, files: Mapping[str, Path]) -> None:
    # A name that leads elsewhere is found before anything is written by it.
    names = manifest.files(manifest.read(msgspec.json.encode(made)))
    await asyncio.to_thread(folder.mkdir, parents=True)
    await copy(published, served, [name for name in names if name not in files], folder)
    for name in names:
        if name in files:
            await asyncio.to_thread(link, files[name], folder / name)
