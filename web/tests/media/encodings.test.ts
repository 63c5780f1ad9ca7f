import { describe, expect, it } from "vitest";
import { encodingsOf, refitted, tallestLayer } from "../../src/media/encodings";

const wide = (height: number) => ({ width: Math.round((height * 16) / 9), height });
const used = (height: number, large: boolean) => {
  const offered = encodingsOf("camera", wide(height), large);
  return (refitted("camera", offered, wide(height)) ?? offered).filter((each) => each.active);
};
const lines = (height: number, large: boolean) => used(height, large).map((each) => height / (each.scaleResolutionDownBy ?? 1));
const kbits = (height: number, large: boolean) => used(height, large).map((each) => (each.maxBitrate ?? 0) / 1000);
const rids = (encodings: RTCRtpEncodingParameters[]) => encodings.map((each) => each.rid);

describe("a camera", () => {
  it("for the whole class is sent in three sizes, lowest first", () => {
    expect(rids(encodingsOf("camera", wide(720), true))).toEqual(["q", "h", "f"]);
    expect(lines(720, true)).toEqual([180, 360, 720]);
    expect(kbits(720, true)).toEqual([150, 500, 1600]);
  });

  it("for a tile is sent in two", () => {
    expect(rids(encodingsOf("camera", wide(360), false))).toEqual(["q", "f"]);
    expect(lines(360, false)).toEqual([180, 360]);
    expect(kbits(360, false)).toEqual([150, 500]);
  });

  it("that gives another size than it was asked for is twice as tall in each layer all the same", () => {
    expect(lines(720, false)).toEqual([360, 720]);
    expect(lines(1080, true)).toEqual([270, 540, 1080]);
  });

  it("whose picture is too small for three layers is sent whole in the second, because a browser would leave out the third", () => {
    expect(lines(480, true)).toEqual([240, 480]);
    expect(lines(360, true)).toEqual([180, 360]);
    expect(lines(180, true)).toEqual([180]);
    expect(encodingsOf("camera", wide(360), true).map((each) => each.active)).toEqual([true, true, true]);
  });

  it("is told to be as tall as its highest layer would be", () => {
    const told = (height: number, large: boolean) => tallestLayer("camera", wide(height), large);
    expect([told(720, true), told(360, false), told(360, true), told(180, true)]).toEqual([720, 360, 720, 720]);
  });

  it("held upright costs no more than held across", () => {
    const bits = (width: number, height: number) => encodingsOf("camera", { width, height }, true).map((each) => each.maxBitrate);
    expect(bits(720, 1280)).toEqual(bits(1280, 720));
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
    const both = encodingsOf("screen", wide(1080), true);
    expect(rids(both)).toEqual(["q", "f"]);
    expect(both.map((each) => each.scaleResolutionDownBy)).toEqual([2, 1]);
  });

  it("has a rate of its own in both, or one browser takes the lower for both", () => {
    for (const each of encodingsOf("screen", wide(1080), false)) expect(each.maxFramerate).toBeGreaterThan(0);
  });
});

describe("sound", () => {
  it("is sent once, without a name", () => {
    for (const source of ["microphone", "screen_audio"] as const) expect(rids(encodingsOf(source, wide(720), true))).toEqual([undefined]);
  });
});

describe("encodings", () => {
  it("stay as they are for the picture they were made for", () => {
    for (const large of [false, true]) {
      expect(refitted("camera", encodingsOf("camera", wide(720), large), wide(720))).toBeNull();
      expect(refitted("screen", encodingsOf("screen", wide(720), large), wide(1080))).toBeNull();
    }
  });

  it("take the layers of another camera and give them back, and keep everything else", () => {
    const tall = encodingsOf("camera", wide(720), true);
    const low = refitted("camera", tall, wide(360));
    expect(low?.map(({ rid, active, scaleResolutionDownBy, maxBitrate }) => [rid, active, scaleResolutionDownBy, maxBitrate])).toEqual([
      ["q", true, 2, 150_000],
      ["h", true, 1, 500_000],
      ["f", false, 1, 500_000],
    ]);
    expect(refitted("camera", low ?? [], wide(720))).toEqual(tall);
  });

  it("that an answer cut down to the lowest become the whole picture", () => {
    const camera = refitted("camera", encodingsOf("camera", wide(720), true).slice(0, 1), wide(720));
    expect(camera).toMatchObject([{ rid: "q", scaleResolutionDownBy: 1, maxBitrate: 1_600_000 }]);
    const screen = refitted("screen", encodingsOf("screen", wide(1080), true).slice(0, 1), wide(1080));
    expect(screen).toMatchObject([{ rid: "q", scaleResolutionDownBy: 1, maxFramerate: 30 }]);
  });
});
