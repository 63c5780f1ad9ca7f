import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MediaSession, type Wiring } from "../../src/media/session";
import { type MediaView, NO_MEDIA } from "../../src/media/view";
import { Refused } from "../../src/protocol/refused";
import type { Reply } from "../../src/protocol/types";
import { deferred } from "./deferred";

/** What is sent now, by source, and all that happened in order. */
const { sent, log } = vi.hoisted(() => ({ sent: new Map<string, unknown>(), log: [] as string[] }));

vi.mock("../../src/media/publisher", () => ({
  Publisher: class {
    connection = null;
    async send(source: string, track: unknown) {
      if (track) log.push(`send ${source}`);
      if (track) sent.set(source, track);
      else sent.delete(source);
    }
    close() {
      sent.clear();
    }
    lost() {}
  },
}));
vi.mock("../../src/media/subscriber", () => ({
  Subscriber: class {
    connection = null;
    start() {}
    show() {}
    close() {}
  },
}));
vi.mock("../../src/media/viewport", () => ({
  Viewport: class {
    heightOf = () => 0;
    close() {}
  },
}));

class FakeTrack extends EventTarget {
  readyState: MediaStreamTrackState = "live";
  contentHint = "";
  constructor(
    readonly kind: "audio" | "video",
    readonly device: string,
  ) {
    super();
  }
  getSettings = () => ({ deviceId: this.device });
  stop() {
    this.readyState = "ended";
  }
}

class FakeStream {
  constructor(readonly tracks: FakeTrack[]) {}
  getTracks = () => this.tracks;
  getVideoTracks = () => this.tracks.filter((track) => track.kind === "video");
  getAudioTracks = () => this.tracks.filter((track) => track.kind === "audio");
}

type Asked = Record<"audio" | "video", { deviceId?: { exact: string } } | undefined>;

/** Everything the browser has opened, in order, and what it waits for before it opens the next. */
let opened: FakeTrack[];
let browser: Promise<unknown>;
/** What the class answers. */
let answer: () => Promise<unknown>;
let view: MediaView;
let refused: string[];
let session: MediaSession;

beforeEach(() => {
  vi.useFakeTimers();
  localStorage.clear();
  sent.clear();
  log.length = 0;
  opened = [];
  browser = Promise.resolve();
  answer = async () => ({});
  view = NO_MEDIA;
  refused = [];
  const open = async (tracks: FakeTrack[]) => {
    await browser;
    opened.push(...tracks);
    for (const { kind, device } of tracks) log.push(`open ${kind} ${device}`);
    return new FakeStream(tracks);
  };
  vi.stubGlobal("MediaStream", FakeStream);
  vi.stubGlobal("isSecureContext", true);
  vi.stubGlobal("navigator", {
    mediaDevices: {
      getUserMedia: ({ audio, video }: Asked) =>
        open([new FakeTrack(audio ? "audio" : "video", (audio ?? video)?.deviceId?.exact ?? "usual")]),
      getDisplayMedia: () => open([new FakeTrack("video", "screen"), new FakeTrack("audio", "screen")]),
    },
  });
  const wiring: Wiring = {
    command: async (command) => {
      log.push("on" in command ? `${command.type} ${command.on}` : command.type);
      return (await answer()) as Reply;
    },
    request: () => new Promise(() => undefined),
    change: (part) => {
      view = { ...view, ...part };
    },
    refused: (code) => refused.push(code),
    device: (why) => log.push(`problem ${why}`),
    unplugged: (what) => log.push(`unplugged ${what}`),
    large: () => false,
    tiles: 4,
  };
  session = new MediaSession(wiring);
  session.connect();
});
afterEach(() => {
  session.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(0);
const sending = () => [...sent.keys()].sort();
const live = () => opened.filter((track) => track.readyState === "live").map(({ kind, device }) => `${kind} ${device}`);
/** The browser asks, or the device takes its time, until the returned function is called. */
function wait(): () => Promise<unknown> {
  const waited = deferred();
  browser = waited.promise;
  return () => {
    waited.resolve();
    return settle();
  };
}

describe("a device", () => {
  it("switched on is opened, then announced, then sent", async () => {
    await session.setCamera(true);
    expect(log).toEqual(["open video usual", "set_camera true", "send camera"]);
    expect(view).toMatchObject({ camera: "on", localCamera: { tracks: opened } });
  });

  it("is not sent before the class has agreed", async () => {
    const asked = deferred<unknown>();
    answer = () => asked.promise;
    void session.setMicrophone(true);
    await settle();
    expect([view.microphone, sending()]).toEqual(["starting", []]);
    asked.resolve({});
    await settle();
    expect([view.microphone, sending()]).toEqual(["on", ["microphone"]]);
  });

  it("is silent before the others are told it is off", async () => {
    await session.setMicrophone(true);
    let still: string[] | null = null;
    answer = async () => {
      still = sending();
    };
    await session.setMicrophone(false);
    expect(log.at(-1)).toBe("set_microphone false");
    expect(still).toEqual([]);
  });

  it("refused by the class is switched off and stopped", async () => {
    answer = () => Promise.reject(new Refused({ code: "forbidden", retry: "never" }));
    await session.setCamera(true);
    expect(refused).toEqual(["forbidden"]);
    expect([sending(), live()]).toEqual([[], []]);
    expect(view).toMatchObject({ camera: "off", localCamera: null });
    // Nobody was told that it is on.
    expect(log).not.toContain("set_camera false");
  });

  it("that cannot be opened is off, and is not announced", async () => {
    browser = Promise.reject(new DOMException("no", "NotAllowedError"));
    await session.setCamera(true);
    expect(log).toEqual(["problem denied"]);
    expect(view).toMatchObject({ camera: "off", problem: { what: "camera", why: "denied" } });
  });

  it("that the class says is off is switched off, and the class is not told", async () => {
    await session.setCamera(true);
    await session.setMicrophone(true);
    session.follow({ microphone: true, camera: false, screen: false });
    await settle();
    expect([view.microphone, view.camera]).toEqual(["on", "off"]);
    expect([sending(), live()]).toEqual([["microphone"], ["audio usual"]]);
    expect(log).not.toContain("set_camera false");
  });

  it("that is being opened or asked for is not switched off by what the class says meanwhile", async () => {
    const nothing = { microphone: false, camera: false, screen: false };
    const open = wait();
    const asked = deferred<unknown>();
    answer = () => asked.promise;
    void session.setCamera(true);
    void session.setScreen(true);
    session.follow(nothing);
    await open();
    session.follow(nothing);
    await settle();
    asked.resolve({});
    await settle();
    expect([view.camera, view.screen]).toEqual(["on", "on"]);
    expect(sending()).toEqual(["camera", "screen", "screen_audio"]);
  });

  it("switched off while it was being opened is stopped and not announced", async () => {
    const open = wait();
    void session.setCamera(true);
    void session.setCamera(false);
    await open();
    expect([sending(), live(), view.camera]).toEqual([[], [], "off"]);
    expect(log).not.toContain("set_camera true");
  });

  it("pulled out is switched off, and the class is told", async () => {
    await session.setCamera(true);
    opened[0]?.stop();
    opened[0]?.dispatchEvent(new Event("ended"));
    await settle();
    expect(view.camera).toBe("off");
    expect(log.at(-1)).toBe("set_camera false");
  });

  it.each([
    ["microphone", () => session.setMicrophone(true)],
    ["camera", () => session.setCamera(true)],
  ])("pulled out while it is on is told to its owner: the %s", async (device, on) => {
    await on();
    opened[0]?.stop();
    opened[0]?.dispatchEvent(new Event("ended"));
    await settle();
    expect(log.slice(-2)).toEqual([`unplugged ${device}`, `set_${device} false`]);
    await on();
    expect(live()).toHaveLength(1);
    expect(sending()).toEqual([device]);
  });

  it("pulled out while it is muted is no news", async () => {
    await session.setMicrophone(true);
    await session.setMicrophone(false);
    log.length = 0;
    opened[0]?.stop();
    opened[0]?.dispatchEvent(new Event("ended"));
    await settle();
    expect(log).toEqual([]);
    await session.setMicrophone(true);
    expect([opened.length, sending()]).toEqual([2, ["microphone"]]);
  });
});

describe("a new connection to the class", () => {
  it("sends the microphone that is on, and not one that is muted", async () => {
    await session.setMicrophone(true);
    session.connect();
    expect(sending()).toEqual(["microphone"]);
    await session.setMicrophone(false);
    session.connect();
    await settle();
    expect(sending()).toEqual([]);
    expect(live()).toEqual(["audio usual"]);
    await session.setMicrophone(true);
    expect([sending(), opened.length]).toEqual([["microphone"], 1]);
  });

  it("sends the camera, and the screen with its sound", async () => {
    await session.setCamera(true);
    await session.setScreen(true);
    session.connect();
    expect(sending()).toEqual(["camera", "screen", "screen_audio"]);
    expect([...sent.values()]).toEqual(expect.arrayContaining(opened));
    await session.setScreen(false);
    session.connect();
    expect(sending()).toEqual(["camera"]);
  });

  it("announces again what is on, and switches off what the class refuses now", async () => {
    await session.setMicrophone(true);
    await session.setCamera(true);
    log.length = 0;
    answer = () =>
      log.at(-1) === "set_camera true" ? Promise.reject(new Refused({ code: "forbidden", retry: "never" })) : Promise.resolve({});
    await session.announceAgain({ microphone: false, camera: false, screen: false });
    expect(log).toEqual(["set_microphone true", "set_camera true"]);
    expect([sending(), live()]).toEqual([["microphone"], ["audio usual"]]);
  });
});

describe("a microphone", () => {
  it("chosen while muted is the next one opened, and the former is given back", async () => {
    await session.setMicrophone(true);
    await session.setMicrophone(false);
    expect(live()).toEqual(["audio usual"]);
    await session.chooseDevices({ microphone: "headset" });
    expect([live(), opened.length]).toEqual([[], 1]);
    await session.setMicrophone(true);
    expect(live()).toEqual(["audio headset"]);
    expect(sent.get("microphone")).toBe(opened[1]);
  });

  it("chosen and then muted before it is open is the next one opened, and the former is given back", async () => {
    await session.setMicrophone(true);
    const open = wait();
    void session.chooseDevices({ microphone: "headset" });
    await session.setMicrophone(false);
    await open();
    expect([sending(), live()]).toEqual([[], []]);
    await session.setMicrophone(true);
    expect(live()).toEqual(["audio headset"]);
  });

  it("chosen again while muted stays open", async () => {
    await session.chooseDevices({ microphone: "headset" });
    await session.setMicrophone(true);
    await session.setMicrophone(false);
    await session.chooseDevices({ microphone: "headset" });
    expect(live()).toEqual(["audio headset"]);
  });

  it("is the usual one again when that is chosen, and stays when nothing else is", async () => {
    await session.setMicrophone(true);
    await session.chooseDevices({ microphone: null });
    expect(opened).toHaveLength(1);
    await session.chooseDevices({ microphone: "headset" });
    await session.chooseDevices({ microphone: null });
    expect(live()).toEqual(["audio usual"]);
  });

  it("chosen while on takes the place of the former at once", async () => {
    await session.setMicrophone(true);
    await session.chooseDevices({ microphone: "headset" });
    expect(live()).toEqual(["audio headset"]);
    expect(sent.get("microphone")).toBe(opened[1]);
  });
});

describe("a camera chosen", () => {
  it.each([
    ["it was switched off", () => session.setCamera(false)],
    ["the class ended", () => session.close()],
  ])("that is open only after %s is stopped and not sent", async (_when, end) => {
    await session.setCamera(true);
    const open = wait();
    void session.chooseDevices({ camera: "desk" });
    await end();
    await open();
    expect(opened).toHaveLength(2);
    expect([sending(), live()]).toEqual([[], []]);
    expect(view).toMatchObject({ camera: "off", localCamera: null });
  });

  it("while it is off is not opened before it is switched on", async () => {
    await session.chooseDevices({ camera: "desk" });
    expect(opened).toEqual([]);
    await session.setCamera(true);
    expect(live()).toEqual(["video desk"]);
  });
});

describe("a screen", () => {
  it("is shown here at once, and to the class with its sound", async () => {
    await session.setScreen(true);
    expect(log.slice(2)).toEqual(["start_screen", "send screen", "send screen_audio"]);
    expect(view).toMatchObject({ screen: "on", localScreen: { tracks: [opened[0]] } });
  });

  it.each([
    ["it was switched off", () => session.setScreen(false)],
    ["the class ended", () => session.close()],
  ])("picked after %s is stopped and shown nowhere", async (_when, end) => {
    const open = wait();
    void session.setScreen(true);
    await end();
    await open();
    expect(opened).toHaveLength(2);
    expect([sending(), live()]).toEqual([[], []]);
    expect(view).toMatchObject({ screen: "off", localScreen: null });
    expect(log).not.toContain("start_screen");
  });

  it("that the browser's own bar ends is switched off with its sound, and the class is told", async () => {
    await session.setScreen(true);
    opened[0]?.stop();
    opened[0]?.dispatchEvent(new Event("ended"));
    await settle();
    expect([sending(), live(), view.localScreen]).toEqual([[], [], null]);
    expect(log.at(-1)).toBe("stop_screen");
  });

  it("that nobody picked is no fault", async () => {
    browser = Promise.reject(new DOMException("no", "NotAllowedError"));
    await session.setScreen(true);
    expect([log, view.screen]).toEqual([[], "off"]);
  });
});

describe("a media session that ends", () => {
  it("gives everything back", async () => {
    await session.setMicrophone(true);
    await session.setMicrophone(false);
    await session.setCamera(true);
    await session.setScreen(true);
    session.close();
    expect([sending(), live()]).toEqual([[], []]);
    expect(view).toMatchObject({ microphone: "off", camera: "off", screen: "off", localCamera: null, localScreen: null });
  });
});
