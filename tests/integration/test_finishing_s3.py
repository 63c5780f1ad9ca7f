"""A replay that lies in a bucket gets its film, thumbnails and captions there, too, and leaves nothing when it is deleted."""

from pathlib import Path

from server import keys
from tests.integration.test_finishing import finished, published
from tests.integration.test_recording import jiangtai, until
from tests.integration.test_replay_api import about, app, fetch
from tests.integration.test_s3 import files_of, options
from tests.support.house import house
from tests.support.s3_server import S3Server


async def test_a_film_is_made_of_what_lies_in_the_store(tmp_path: Path, s3_server: S3Server) -> None:
    place = s3_server.place()
    async with house(tmp_path, **{**s3_server.settings(place), "recordings.serve": "presigned"}) as home:
        held = await published(home)
        assert files_of(tmp_path) == []
        ann = await home.come_in(held.session, "ann")
        told = await finished(home, held, ann)
        content = told["content"]
        name = content["download"]["file"]
        address = f"{home.url}{told['base']}{name}"
        async with home.http.get(address, headers=home.proof(ann), allow_redirects=False) as answer:
            assert answer.status == 200, "a store knows no name to save by"
            assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
            assert len(await answer.read()) == content["download"]["bytes"]
        async with home.http.get(f"{home.url}{told['base']}t2-0.mp4", headers=home.proof(ann), allow_redirects=False) as answer:
            assert answer.status == 302
        assert (await fetch(home, told["base"], content["thumbnails"], ann)).status == 200
        await until(lambda: not app(home)[keys.FINISHING].working)
        await until(lambda: files_of(tmp_path) == [])
        words = tmp_path / "words.vtt"
        words.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\n大家好\n")
        more = options(s3_server, place, tmp_path)
        assert await jiangtai(tmp_path, "captions", held.session, held.recording, str(words), "--lang", "zh", *more) == 0
        told = (await about(home, held, ann)).body
        [caption] = told["content"]["captions"]
        assert (await fetch(home, told["base"], caption["file"], ann)).status == 200
        assert told["content"]["download"]["file"] == name
    assert await jiangtai(tmp_path, "delete", held.session, held.recording, "--yes", *options(s3_server, place, tmp_path)) == 0
    assert s3_server.keys(place) == {}
    assert files_of(tmp_path) == []
