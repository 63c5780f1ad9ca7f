import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Playing, ReplayPlayer } from "../../src/media/replay/player";

const [NETWORK, NOT_SUPPORTED] = [2, 4];

class FakeAudio extends EventTarget {
  static made: FakeAudio[] = [];
  src = "";
  currentTime = 0;
  playbackRate = 1;
  paused = true;
  seeking = false;
  error: { code: number } | null = null;
  constructor() {
    super();
    FakeAudio.made.push(this);
  }
  hasAttribute = () => this.src !== "";
  removeAttribute() {
    this.src = "";
  }
  load() {}
  pause() {
    this.paused = true;
  }
  async play() {
    this.paused = false;
  }
  fail(code: number) {
    this.error = { code };
    this.dispatchEvent(new Event("error"));
  }
}

let state: Playing | null;
let player: ReplayPlayer;
const sound = () => FakeAudio.made.at(-1) as FakeAudio;

beforeEach(async () => {
  vi.useFakeTimers();
  vi.stubGlobal("Audio", FakeAudio);
  FakeAudio.made = [];
  state = null;
  player = new ReplayPlayer(
    600_000,
    "/mix.mp4",
    (next) => {
      state = next;
    },
    () => Date.now(),
  );
  await player.play();
  sound().currentTime = 12;
});
afterEach(() => {
  player.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("sound that the network broke off", () => {
  it("is asked for again and goes on where the pictures are by then", () => {
    player.setRate(1.5);
    player.setVolume(0.4, false);
    sound().fail(NETWORK);
    expect(state).toMatchObject({ silent: true, playing: true });
    vi.advanceTimersByTime(1_000);
    expect(FakeAudio.made).toHaveLength(2);
    expect(sound()).toMatchObject({ src: "/mix.mp4", currentTime: 13.5, playbackRate: 1.5, volume: 0.4, paused: false });
    expect(state?.silent).toBe(true);
    sound().dispatchEvent(new Event("canplay"));
    expect(state?.silent).toBe(false);
  });

  it("is asked for ever less often, and no longer for ever", () => {
    sound().fail(NETWORK);
    for (const pause of [1_000, 3_000, 10_000, 30_000, 60_000, 120_000]) {
      const before = FakeAudio.made.length;
      vi.advanceTimersByTime(pause - 1);
      expect(FakeAudio.made).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(FakeAudio.made).toHaveLength(before + 1);
      sound().fail(NOT_SUPPORTED);
    }
    vi.advanceTimersByTime(3_600_000);
    expect(FakeAudio.made).toHaveLength(7);
  });

  it("stays paused where it was paused", async () => {
    player.pause();
    sound().fail(NETWORK);
    vi.advanceTimersByTime(1_000);
    expect(FakeAudio.made).toHaveLength(2);
    expect(sound()).toMatchObject({ currentTime: 12, paused: true });
  });

  it("is not asked for once the replay is closed", () => {
    sound().fail(NETWORK);
    player.close();
    vi.advanceTimersByTime(3_600_000);
    expect(FakeAudio.made).toHaveLength(1);
  });

  it("at an address that is renewed meanwhile is asked for there alone", () => {
    sound().fail(NETWORK);
    player.renew("/other.mp4");
    vi.advanceTimersByTime(3_600_000);
    expect(FakeAudio.made.map(({ src }) => src)).toEqual(["/mix.mp4", "/other.mp4"]);
  });
});

it("sound that cannot be played here is left out for good", () => {
  sound().fail(NOT_SUPPORTED);
  vi.advanceTimersByTime(3_600_000);
  expect(FakeAudio.made).toHaveLength(1);
  expect(state?.silent).toBe(true);
});
