"""Recorded packets become files that play: pictures that tell their number, cut into packets, packaged, decoded again."""

import json
import os
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from aiohttp import web

from tests.support.browser import chromium
from tests.support.clock_face import END, H264, OPUS, RATE, VP8, Recording, payloads, pictures, read, words

ROOT = Path(__file__).parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "media/engine/target"))
FRAMES, KEYS = 180, {60, 120}
#: when the class begins, on the server's clock; first RTP timestamps, which wrap in the clip
ORIGIN_US, VIDEO_TIME, AUDIO_TIME = 50_000_000, 2**32 - 90_000, 2**32 - 48_000
#: pictures take that much longer to the wire than sound
LATER_US = 60_000
#: (track, number of the picture or word, number of the packet in it) -> arrivals of the packet; none: lost
Network = Callable[[int, int, int, int], list[int]]


def calm(_track: int, _number: int, _piece: int, arrival_us: int) -> list[int]:
    return [arrival_us]


@cache
def coded(codec: int) -> list[bytes]:
    return words(FRAMES * 50 // RATE) if codec == OPUS else pictures(codec, range(FRAMES), KEYS)


@dataclass
class Packaged:
    folder: Path
    tracks: dict[int, dict[str, Any]]

    def path(self, track: int, number: int = 0) -> Path:
        return self.folder / self.tracks[track]["files"][number]["name"]


def package(folder: Path, recording: Recording, *options: str) -> Packaged:
    program = TARGET / "debug" / "examples" / "package"
    if not program.exists():
        pytest.skip("`make rust-test` builds the packager's example")
    recording.write(folder / "inputs")
    done = subprocess.run([program, folder / "inputs", folder, *options], capture_output=True, check=True, timeout=30)
    return Packaged(folder, {told["track"]: told for told in json.loads(done.stdout)})


def record(video: int, shots: list[bytes], network: Network = calm, *, sound: bool = True) -> Recording:
    """Pictures as track 1, sound as track 2; the same instants are at the same times after `ORIGIN_US`, the wire is 20 ms long."""
    recording, dice, sequence = Recording(), random.Random(5), 65_000
    recording.start(1, ORIGIN_US, video)
    for number, shot in enumerate(shots):
        sent = ORIGIN_US + number * 1_000_000 // RATE + 20_000 + LATER_US
        pieces = list(payloads(video, shot, number))
        for piece, payload in enumerate(pieces):
            for arrival in network(1, number, piece, sent + dice.randrange(15_000) * (number % 5 > 0) + piece * 50):
                recording.packet(1, arrival, sequence, VIDEO_TIME + number * 3_000, payload, piece == len(pieces) - 1)
            sequence += 1
        if number % 30 == 15:
            recording.report(1, sent, 10**12 + number * 1_000_000 // RATE, VIDEO_TIME + number * 3_000)
    if sound:
        recording.start(2, ORIGIN_US, OPUS)
        for number, word in enumerate(coded(OPUS)):
            sent = ORIGIN_US + number * 20_000 + 20_000
            for arrival in network(2, number, 0, sent + dice.randrange(15_000) * (number % 5 > 0)):
                recording.packet(2, arrival, 100 + number, AUDIO_TIME + number * 960, word, False)
            if number % 50 == 10:
                recording.report(2, sent, 10**12 + number * 20_000, AUDIO_TIME + number * 960)
    for track in (1, 2) if sound else (1,):
        recording.add(track, max(arrival for arrival, _ in recording.inputs), END)
    return recording


def decoded(path: Path, **options: str) -> list[tuple[int | None, float, bool]]:
    """(number shown, ms, key frame) of every picture of a file."""
    with av.open(str(path), options=options) as container:
        frames = container.decode(video=0)
        return [(read(frame), float(frame.time or 0) * 1000, bool(frame.key_frame)) for frame in frames]


def sound_times(path: Path) -> list[tuple[float, float]]:
    """(ms, duration in ms) of every packet of sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        scale = float(stream.time_base or 0) * 1000
        return [((packet.pts or 0) * scale, (packet.duration or 0) * scale) for packet in packets]


def at_ms(number: int) -> float:
    """When a picture lies on the recording's time line: the instant, and the wire that nobody can see."""
    return number * 1000 / RATE + 20


def check_times(shown: list[tuple[int | None, float, bool]], numbers: list[int], *, tolerance: float = 1.0) -> None:
    assert [number for number, _, _ in shown] == numbers
    # The whole line may lie off a little, the pictures among themselves not.
    shift = shown[0][1] - at_ms(numbers[0])
    assert abs(shift) < 5, shift
    assert all(abs(ms - shift - at_ms(number)) <= tolerance for number, ms, _ in shown if number is not None)


CODECS = pytest.mark.parametrize("codec", [H264, VP8], ids=["h264", "vp8"])


@CODECS
def test_every_picture_and_every_sound_comes_out_when_it_happened(codec: int, tmp_path: Path) -> None:
    packaged = package(tmp_path, record(codec, coded(codec)))
    shown = decoded(packaged.path(1))
    check_times(shown, list(range(FRAMES)))
    assert [number for number, _, key in shown if key] == [0, *sorted(KEYS)]
    sound = sound_times(packaged.path(2))
    assert len(sound) == len(coded(OPUS))
    assert packaged.tracks[2]["filled"] == 0
    assert all(abs(ms - 20 - number * 20) < 5 for number, (ms, _) in enumerate(sound)), "sender reports put pictures and sound together"
    assert all(abs(long - 20) < 1 for _, long in sound)
    with av.open(str(packaged.path(2))) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples == len(sound) * 960


@CODECS
def test_late_and_doubled_packets_change_nothing(codec: int, tmp_path: Path) -> None:
    dice = random.Random(1)

    def network(_track: int, _number: int, _piece: int, arrival_us: int) -> list[int]:
        late = dice.randrange(900_000) if dice.random() < 0.1 else dice.randrange(3_000)
        return [arrival_us + late] + [arrival_us + dice.randrange(2_000_000)] * (dice.random() < 0.1)

    packaged = package(tmp_path, record(codec, coded(codec), network))
    shown = decoded(packaged.path(1))
    assert [number for number, _, _ in shown] == list(range(FRAMES))
    assert packaged.tracks[1]["lost"] == 0
    assert packaged.tracks[1]["duplicates"] > 0
    assert all(abs((after[1] - before[1]) - 1000 / RATE) <= 1.1 for before, after in pairwise(shown))


@CODECS
@pytest.mark.parametrize("piece", [0, 1, -1])
def test_after_a_loss_pictures_go_on_at_the_next_key_frame(codec: int, piece: int, tmp_path: Path) -> None:
    pieces = len(list(payloads(codec, coded(codec)[70], 70)))
    wanted = piece % pieces

    def network(track: int, number: int, piece: int, arrival_us: int) -> list[int]:
        return [] if (number, piece) == (70, wanted) and track == 1 else [arrival_us]

    packaged = package(tmp_path, record(codec, coded(codec), network))
    check_times(decoded(packaged.path(1)), [*range(70), *range(120, FRAMES)])
    assert packaged.tracks[1]["lost"] == 1


def test_lost_sound_becomes_silence_of_the_same_length(tmp_path: Path) -> None:
    def network(track: int, number: int, _piece: int, arrival_us: int) -> list[int]:
        return [] if track == 2 and 100 <= number < 140 else [arrival_us]

    packaged = package(tmp_path, record(H264, coded(H264), network))
    sound = sound_times(packaged.path(2))
    assert packaged.tracks[2]["filled"] > 0
    assert all(abs(before[0] + before[1] - after[0]) < 0.1 for before, after in pairwise(sound)), "no hole"
    assert sound[-1][0] + sound[-1][1] - sound[0][0] == pytest.approx(len(coded(OPUS)) * 20, abs=5)
    with av.open(str(packaged.path(2))) as container:
        heard = [(float(frame.time or 0), max(map(abs, memoryview(frame.planes[0]).cast("f")))) for frame in container.decode(audio=0)]
    hole = [loudest for at, loudest in heard if 2.1 < at < 2.75]
    tone = [loudest for at, loudest in heard if 1 < at < 1.9 or 3 < at < 5]
    assert max(hole) < 0.01 < 0.1 < min(tone)


def test_another_picture_size_is_another_file_and_a_discontinuity(tmp_path: Path) -> None:
    shots = [*pictures(H264, range(90), set()), *pictures(H264, range(90, 180), set(), 240, 128)]
    packaged = package(tmp_path, record(H264, shots), "download")
    assert len(packaged.tracks[1]["files"]) == 2
    for part, numbers in enumerate([range(90), range(90, 180)]):
        check_times(decoded(packaged.path(1, part)), list(numbers))
    playlist = (tmp_path / "track-1.m3u8").read_text()
    assert playlist.count("#EXT-X-DISCONTINUITY\n") == 1
    assert playlist.count("#EXT-X-MAP:") == 2
    assert playlist.endswith("#EXT-X-ENDLIST\n")
    assert "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.02" in playlist
    assert "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:03.02" in playlist
    check_times([(n, ms + 20, key) for n, ms, key in decoded(tmp_path / "download.mp4")], list(range(180)), tolerance=1.1)


def test_the_playlist_plays_all_of_it(tmp_path: Path) -> None:
    package(tmp_path, record(H264, coded(H264)))
    shown = decoded(tmp_path / "track-1.m3u8", allowed_extensions="ALL", extension_picky="0")
    assert [number for number, _, _ in shown] == list(range(FRAMES))


def test_a_download_holds_the_chosen_tracks_with_its_index_first(tmp_path: Path) -> None:
    package(tmp_path, record(H264, coded(H264)), "download")
    download = tmp_path / "download.mp4"
    content = download.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert b"moof" not in content
    check_times([(n, ms + 20, key) for n, ms, key in decoded(download)], list(range(FRAMES)), tolerance=1.1)
    sound = sound_times(download)
    assert len(sound) == len(coded(OPUS))
    assert all(abs(ms - number * 20) < 6 for number, (ms, _) in enumerate(sound))


def test_a_webm_download_holds_pictures_and_sound(tmp_path: Path) -> None:
    package(tmp_path, record(VP8, coded(VP8)), "download")
    download = tmp_path / "download.webm"
    check_times([(n, ms + 20, key) for n, ms, key in decoded(download)], list(range(FRAMES)), tolerance=1.1)
    sound = sound_times(download)
    assert len(sound) == len(coded(OPUS))
    assert all(abs(ms - number * 20) < 6 for number, (ms, _) in enumerate(sound))
    with av.open(str(download)) as container:
        assert container.duration == pytest.approx(FRAMES / RATE * 1_000_000, abs=30_000)
        container.seek(4_500_000)
        frame = next(container.decode(video=0))
        assert (read(frame), bool(frame.key_frame)) == (120, True)


@CODECS
def test_seeking_lands_on_the_key_frame_before(codec: int, tmp_path: Path) -> None:
    packaged = package(tmp_path, record(codec, coded(codec)))
    with av.open(str(packaged.path(1))) as container:
        container.seek(4_500_000)
        frame = next(container.decode(video=0))
        assert (read(frame), bool(frame.key_frame)) == (120, True)


#: JavaScript: plays a source, seeks, and tells what it saw
PLAY = """
async (url, at) => {
  const video = document.createElement("video");
  video.muted = true;
  document.body.append(video);
  const event = (name) => new Promise((ok, no) => {
    video.addEventListener(name, ok, {once: true});
    video.addEventListener("error", () => no(new Error(video.error.message)), {once: true});
  });
  const loaded = event("loadeddata");
  video.src = url;
  await loaded;
  const first = video.currentTime;
  await video.play();
  const limit = performance.now() + 15000;
  while (video.currentTime - first < 0.5 && performance.now() < limit) await new Promise((ok) => setTimeout(ok, 50));
  const played = video.currentTime - first;
  video.pause();
  const asked = performance.now(), sought = event("seeked");
  video.currentTime = at;
  await sought;
  const took = performance.now() - asked;
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight), context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  const bar = video.videoWidth / 12;
  let number = 0;
  for (let bit = 0; bit < 12; bit++) number |= (context.getImageData((bit + .5) * bar, 48, 1, 1).data[0] > 128) << bit;
  return {duration: video.duration, played, number, took, at: video.currentTime};
}
"""


async def empty_page(_: web.Request) -> web.Response:
    return web.Response(text="<!doctype html><title>replay</title>", content_type="text/html")


@CODECS
async def test_a_browser_plays_and_seeks(codec: int, tmp_path: Path) -> None:
    packaged = package(tmp_path, record(codec, coded(codec)), "download")
    names = [packaged.path(1).name] + (["track-1.m3u8", "download.mp4"] if codec == H264 else ["download.webm"])
    app = web.Application()
    app.router.add_get("/", empty_page)
    app.router.add_static("/files", tmp_path)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        async with chromium() as browser:
            page = await browser.page()
            await page.goto(f"http://127.0.0.1:{port}/")
            for name in names:
                told = await page.run(PLAY, f"/files/{name}", 5.0, limit=30)
                print(name, told)
                assert told["played"] >= 0.5
                assert abs(told["duration"] - FRAMES / RATE) < 0.2
                assert abs(told["number"] - (5.0 - 0.02) * RATE) <= 2, told
    finally:
        await runner.cleanup()
