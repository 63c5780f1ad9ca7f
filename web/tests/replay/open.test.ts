import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Content, ReplayInfo } from "../../src/protocol/replay";
import { openReplay, type Replay } from "../../src/state/replay/open";

const [NETWORK, NOT_SUPPORTED] = [2, 4];
const CONTENT: Content = {
  title: "Knots",
  started_at: 0,
  duration_ms: 60_000,
  tracks: [
    {
      id: "t1",
      participant: "p1",
      source: "camera",
      spans: [{ from_ms: 0, to_ms: 60_000, file: "camera.mp4", type: "video/mp4", bytes: 1 }],
    },
  ],
  timeline: { chunks: [], snapshots: [] },
};
const INFO: ReplayInfo = {
  recording: "r1",
  state: "ready",
  started_at: 0,
  duration_ms: 60_000,
  title: "Knots",
  content: CONTENT,
  base: "/files/",
  expires_at: null,
};

let replay: Replay;
const files = () => replay.store.get().tiles.map((tile) => tile.span.file);

/** The picture is shown, and its file fails. */
function fail(code: number) {
  const [tile] = replay.store.get().tiles;
  if (!tile) throw new Error("no picture");
  const video = document.createElement("video");
  Object.defineProperty(video, "error", { value: { code } });
  video.load = () => undefined;
  const stop = replay.attach(video, tile, () => undefined);
  video.dispatchEvent(new Event("error"));
  stop();
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("network")));
  replay = openReplay("c1", INFO, CONTENT);
});
afterEach(() => {
  replay.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it("a picture that the network broke off makes room, and is tried again ever less often", () => {
  fail(NETWORK);
  for (const pause of [1_000, 3_000, 10_000]) {
    vi.advanceTimersByTime(pause - 1);
    expect(files()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(files()).toEqual(["camera.mp4"]);
    fail(NOT_SUPPORTED);
  }
});

it("a picture that cannot be played here is left out for good", () => {
  fail(NOT_SUPPORTED);
  vi.advanceTimersByTime(3_600_000);
  expect(files()).toEqual([]);
});
