import { describe, expect, it } from "vitest";
import { loudness } from "../../src/media/level";
import { grade, lossOf, supportCode, tcpOnly } from "../../src/media/netcheck";

describe("the verdict", () => {
  it("is good over UDP with short trips and no loss", () => expect(grade("udp", 24, 0)).toBe("good"));
  it("is fair over TCP, however fast", () => expect(grade("tcp", 10, 0)).toBe("fair"));
  it("is fair with a long way or some loss", () => {
    expect(grade("udp", 200, 0)).toBe("fair");
    expect(grade("udp", 20, 0.05)).toBe("fair");
  });
  it("is poor with a very long way or much loss", () => {
    expect(grade("udp", 600, 0)).toBe("poor");
    expect(grade("tcp", 20, 0.2)).toBe("poor");
  });
  it("is failed without a transport", () => expect(grade(null, null, null)).toBe("failed"));
  it("does not hold missing figures against a path that works", () => expect(grade("udp", null, null)).toBe("good"));
});

describe("loss", () => {
  it("is not told from a handful of checks", () => expect(lossOf(5, 1)).toBeNull());
  it("does not count the check that is still on its way", () => expect(lossOf(11, 10)).toBe(0));
  it("is the share that went unanswered", () => expect(lossOf(21, 15)).toBeCloseTo(0.25));
});

describe("the support code", () => {
  it("has six letters nobody mishears", () => expect(supportCode("udp", 24, 0.004)).toMatch(/^[2-9A-HJ-NP-Z]{3}-[2-9A-HJ-NP-Z]{3}$/));
  it("tells different paths apart", () => {
    const codes = [
      supportCode("udp", 24, 0),
      supportCode("tcp", 24, 0),
      supportCode("udp", 90, 0),
      supportCode("udp", 24, 0.1),
      supportCode(null, null, null),
    ];
    expect(new Set(codes).size).toBe(codes.length);
  });
  it("is bounded for absurd figures", () => expect(supportCode("udp", 1e9, 50)).toMatch(/^.{3}-.{3}$/));
});

it("a TCP-only answer keeps everything but the UDP candidates", () => {
  const answer = [
    "v=0",
    "a=ice-lite",
    "a=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host",
    "a=candidate:2 1 tcp 1 192.0.2.1 4001 typ host tcptype passive",
    "a=end-of-candidates",
  ].join("\r\n");
  expect(tcpOnly(answer).split("\r\n")).toEqual([
    "v=0",
    "a=ice-lite",
    "a=candidate:2 1 tcp 1 192.0.2.1 4001 typ host tcptype passive",
    "a=end-of-candidates",
  ]);
});

describe("loudness", () => {
  it("is nothing for silence and full for a full-scale tone", () => {
    expect(loudness(new Float32Array(512))).toBe(0);
    expect(loudness(Float32Array.from({ length: 512 }, (_, i) => Math.sin(i / 3)))).toBe(1);
  });
  it("grows with the level", () => {
    const tone = (gain: number) => loudness(Float32Array.from({ length: 512 }, (_, i) => gain * Math.sin(i / 3)));
    expect(tone(0.02)).toBeLessThan(tone(0.1));
  });
});
