import { describe, expect, it } from "vitest";
import { encodingsOf, refitted } from "../../src/media/encodings";

const lines = (height: number, large: boolean) =>
  encodingsOf("camera", height, large).map((each) => height / (each.scaleResolutionDownBy ?? 1));
const kbits = (height: number, large: boolean) => encodingsOf("camera", height, large).map((each) => (each.maxBitrate ?? 0) / 1000);
const rids = (encodings: RTCRtpEncodingParameters[]) => encodings.map((each) => each.rid);

describe("a camera", () => {
  it("for the whole class is sent in three sizes, lowest first", () => {
    expect(rids(encodingsOf("camera", 720, true))).toEqual(["q", "h", "f"]);
    expect(lines(720, true)).toEqual([180, 360, 720]);
    expect(kbits(720, true)).toEqual([150, 500, 1600]);
  });

  it("for a tile is sent in two", () => {
    expect(rids(encodingsOf("camera", 360, false))).toEqual(["q", "f"]);
    expect(lines(360, false)).toEqual([180, 360]);
    expect(kbits(360, false)).toEqual([150, 500]);
  });

  it("that gives another size than it was asked for is twice as tall in each layer all the same", () => {
    expect(lines(720, false)).toEqual([360, 720]);
    expect(lines(480, true)).toEqual([120, 240, 480]);
  });

  it("never spends more on a smaller picture than on a larger one", () => {
    for (const large of [false, true])
      for (let height = 90; height <= 2160; height += 30) {
        const spent = kbits(height, large);
        expect(spent).toEqual([...spent].sort((a, b) => a - b));
      }
  });
});

describe("a shared screen", () => {
  it("is sent whole, and in half for bad links", () => {
    const both = encodingsOf("screen", 1080, true);
    expect(rids(both)).toEqual(["q", "f"]);
    expect(both.map((each) => each.scaleResolutionDownBy)).toEqual([2, 1]);
  });

  it("has a rate of its own in both, or one browser takes the lower for both", () => {
    for (const each of encodingsOf("screen", 1080, false)) expect(each.maxFramerate).toBeGreaterThan(0);
  });
});

describe("sound", () => {
  it("is sent once, without a name", () => {
    for (const source of ["microphone", "screen_audio"] as const) expect(rids(encodingsOf(source, 0, true))).toEqual([undefined]);
  });
});

describe("encodings", () => {
  it("stay as they are for the picture they were made for", () => {
    for (const large of [false, true]) {
      expect(refitted("camera", encodingsOf("camera", 720, large), 720)).toBeNull();
      expect(refitted("screen", encodingsOf("screen", 720, large), 1080)).toBeNull();
    }
  });

  it("take the rates of another camera, and keep everything else", () => {
    const now = encodingsOf("camera", 720, true).map((each) => ({ ...each, active: true }));
    const next = refitted("camera", now, 480);
    expect(next?.map((each) => each.maxBitrate)).toEqual([100_000, 300_000, 900_000]);
    expect(next?.map(({ rid, active, scaleResolutionDownBy }) => [rid, active, scaleResolutionDownBy])).toEqual([
      ["q", true, 4],
      ["h", true, 2],
      ["f", true, 1],
    ]);
  });

  it("that an answer cut down to the lowest become the whole picture", () => {
    const camera = refitted("camera", encodingsOf("camera", 720, true).slice(0, 1), 720);
    expect(camera).toMatchObject([{ rid: "q", scaleResolutionDownBy: 1, maxBitrate: 1_600_000 }]);
    const screen = refitted("screen", encodingsOf("screen", 1080, true).slice(0, 1), 1080);
    expect(screen).toMatchObject([{ rid: "q", scaleResolutionDownBy: 1, maxFramerate: 30 }]);
  });
});
