import { describe, expect, it } from "vitest";
import { awaits, bestCaptions, extrasOf } from "../../src/state/replay/extras";
import { parseThumbnails, thumbnailAt } from "../../src/state/replay/thumbnails";
import { cuesAt, parseCues, plain } from "../../src/state/replay/vtt";

const FILE =
  "WEBVTT\n\n00:00:01.000 --> 00:00:04.500\n大家好\n\n00:00:04.000 --> 00:01:00.000\n<v Ann>Good <i>morning</i> &amp; welcome</v>\n\nnonsense\n";

describe("captions", () => {
  it("are read with their times", () => {
    expect(parseCues(FILE).map((cue) => [cue.from_ms, cue.to_ms])).toEqual([
      [1_000, 4_500],
      [4_000, 60_000],
    ]);
  });

  it("appear at their moment, two at once where they overlap", () => {
    const cues = parseCues(FILE);
    const shown = (ms: number) => cuesAt(cues, ms).map((cue) => plain(cue.text));
    expect(shown(999)).toEqual([]);
    expect(shown(1_000)).toEqual(["大家好"]);
    expect(shown(4_200)).toEqual(["大家好", "Good morning & welcome"]);
    expect(shown(60_000)).toEqual([]);
  });

  it("are words only, whatever they claim to be", () => {
    expect(plain("<img src=x onerror=alert(1)>a &lt;b&gt; <c.red")).toBe("a <b> ");
    expect(parseCues("\0".repeat(10_000))).toEqual([]);
  });

  it("are offered in the viewer's language first", () => {
    const all = [
      { language: "en-GB", label: "English", file: "a" },
      { language: "zh", label: "中文", file: "b" },
    ];
    expect(bestCaptions(all, "zh-CN")?.file).toBe("b");
    expect(bestCaptions(all, "en")?.file).toBe("a");
    expect(bestCaptions(all, "fr")?.file).toBe("a");
    expect(bestCaptions([], "fr")).toBeNull();
  });
});

describe("thumbnails", () => {
  const found = parseThumbnails(
    "WEBVTT\n\n00:00:00.000 --> 00:00:10.000\nthumbnails-000.jpg#xywh=0,0,160,90\n\n00:00:20.000 --> 00:00:30.000\nthumbnails-000.jpg#xywh=160,0,160,90\n",
  );

  it("are found by their moment, and not where nothing was seen", () => {
    expect(thumbnailAt(found, 9_999)?.x).toBe(0);
    expect(thumbnailAt(found, 15_000)).toBeNull();
    expect(thumbnailAt(found, 20_000)).toMatchObject({ file: "thumbnails-000.jpg", x: 160, y: 0, width: 160, height: 90 });
  });

  it("lead nowhere else", () => {
    for (const bad of ["../../x.jpg#xywh=0,0,1,1", "https://elsewhere/x.jpg#xywh=0,0,1,1", 'a");x("#xywh=0,0,1,1', "x.jpg#xywh=0,0,1"]) {
      expect(parseThumbnails(`WEBVTT\n\n00:00:00.000 --> 00:00:10.000\n${bad}\n`)).toEqual([]);
    }
  });
});

describe("what comes later", () => {
  it("is looked for only where there were pictures and something is missing", () => {
    const info = {
      recording: "r",
      state: "ready" as const,
      started_at: 0,
      duration_ms: 1,
      title: "",
      base: "/b/",
      expires_at: 1,
      content: null,
    };
    const extras = extrasOf(info);
    expect(extras).toEqual({ base: "/b/", download: null, thumbnails: null, captions: [] });
    expect(awaits(extras, true)).toBe(true);
    expect(awaits(extras, false)).toBe(false);
    const download = { from_ms: 0, to_ms: 1, file: "d", type: "video/mp4", bytes: 1 };
    expect(awaits({ ...extras, download, thumbnails: "t" }, true)).toBe(false);
  });
});
