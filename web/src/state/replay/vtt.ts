/** WebVTT as this server writes it: cues of times and lines of text, nothing else. What is not such a cue is passed over. */
export interface Cue {
  from_ms: number;
  to_ms: number;
  text: string;
}

const TIMES = /^(?:(\d{2,}):)?(\d{2}):(\d{2})\.(\d{3})[ \t]+-->[ \t]+(?:(\d{2,}):)?(\d{2}):(\d{2})\.(\d{3})/;

export function parseCues(text: string): Cue[] {
  return text
    .replaceAll("\r\n", "\n")
    .split(/\n{2,}/)
    .flatMap((block) => {
      const [first = "", ...lines] = block.trim().split("\n");
      const found = TIMES.exec(first);
      if (!found) return [];
      const ms = (at: number) =>
        ((Number(found[at] ?? 0) * 60 + Number(found[at + 1])) * 60 + Number(found[at + 2])) * 1000 + Number(found[at + 3]);
      return [{ from_ms: ms(1), to_ms: ms(5), text: lines.join("\n") }];
    });
}

/** The cues of a moment, of a list ordered by their beginning. */
export function cuesAt<C extends Cue>(cues: readonly C[], ms: number): C[] {
  let low = 0;
  let high = cues.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cues[middle]?.from_ms ?? 0) <= ms) low = middle + 1;
    else high = middle;
  }
  // A cue rarely overlaps more than the few before it.
  return cues.slice(Math.max(0, low - 8), low).filter((cue) => ms < cue.to_ms);
}

const ENTITIES: Record<string, string> = {
  "&lt;": "<",
  "&gt;": ">",
  "&nbsp;": "\u00a0",
  "&lrm;": "\u200e",
  "&rlm;": "\u200f",
  "&amp;": "&",
};

/** A caption's words without its tags (W3C WebVTT section 4.2.2). */
export const plain = (text: string): string =>
  text.replaceAll(/<[^>]*>?/g, "").replaceAll(/&(?:lt|gt|nbsp|lrm|rlm|amp);/g, (each) => ENTITIES[each] ?? each);
