/** Chapters of a recording, from the WebVTT file the node writes: a cue's id is `<kind>-<number>`, its text the words of the class. */
export type ChapterKind = "start" | "poll" | "screen" | "main" | "break" | "resume";
export interface Chapter {
  from_ms: number;
  to_ms: number;
  kind: ChapterKind;
  label: string;
}

const CUE = /^(start|poll|screen|main|break|resume)-\d+\n(\d{2,}):(\d{2}):(\d{2})\.(\d{3}) --> (\d{2,}):(\d{2}):(\d{2})\.(\d{3})\n(.*)$/;

/** What is not such a cue is passed over. */
export function parseChapters(text: string): Chapter[] {
  return text
    .replaceAll("\r\n", "\n")
    .split(/\n{2,}/)
    .flatMap((block) => {
      const found = CUE.exec(block.trim());
      if (!found) return [];
      const [h1, m1, s1, f1, h2, m2, s2, f2] = found.slice(2, 10).map(Number) as [
        number,
        number,
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      const label = (found[10] ?? "").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
      return [
        {
          from_ms: ((h1 * 60 + m1) * 60 + s1) * 1000 + f1,
          to_ms: ((h2 * 60 + m2) * 60 + s2) * 1000 + f2,
          kind: found[1] as ChapterKind,
          label: label === "-" ? "" : label,
        },
      ];
    });
}
