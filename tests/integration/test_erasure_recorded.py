"""A recorded class with two voices: who is erased is in no media file, no timeline, no log; the other's voice and words are there."""

from pathlib import Path

from server import keys
from server.adapters.sqlite_ledger import SqliteLedger
from tests.integration.test_redaction import _record
from tests.support.erased import bytes_left, erased, operator
from tests.support.house import house


async def test_media_and_timeline_follow_the_log(tmp_path: Path) -> None:
    tape = await _record(tmp_path)
    assert tape.holds(tape.ann.encode()) == {"journal", "published"}
    assert "published" in tape.holds(b"said by ann")
    async with house(tmp_path, **{"limits.requests_per_minute": 100_000}) as home:
        assert home.node is not None
        done = (await erased(home, await operator(home), "ann", within=120))["receipt"]
        whole = await SqliteLedger(home.node.app[keys.DATABASE]).verify()
    assert whole.flaw is None
    assert [(one["session"], one["outcome"]) for one in done["classes"]] == [(tape.session, "erased")]
    assert done["media"]["recordings"] == 1
    assert done["media"]["bytes"] > 0
    assert (done["search"]["rows"], done["search"]["files"]) == (0, 0), done["search"]
    assert bytes_left(tmp_path, tape.ann, "said by ann") == []
    assert "published" in tape.holds(b"said by bob")
    shown = tape.manifest()
    assert [track.participant for track in shown.tracks] == [tape.tom]
