/** What is told by signals: unnumbered, newest wins, forgotten with the page. Pure. */
import type { Reaction, Signal } from "../protocol/types";

export interface Quality {
  score: number;
  rtt: number;
  loss: number;
}

export interface Burst {
  id: number;
  kind: Reaction;
  count: number;
}

export interface Live {
  present: number | null;
  waiting: number | null;
  speakers: string[];
  audio: (string | null)[];
  quality: Record<string, Quality>;
  typing: string[];
  /** Reactions still on screen, oldest first. */
  bursts: Burst[];
  nextBurst: number;
}

export const NO_SIGNALS: Live = {
  present: null,
  waiting: null,
  speakers: [],
  audio: [],
  quality: {},
  typing: [],
  bursts: [],
  nextBurst: 1,
};

const SHOWN_BURSTS = 12;
/** Every reaction this page has a picture for; a later server may know more. */
const DRAWN: Record<Reaction, true> = {
  thumbs_up: true,
  clap: true,
  heart: true,
  laugh: true,
  surprise: true,
  yes: true,
  no: true,
  slower: true,
  faster: true,
};
const sameList = (a: readonly unknown[], b: readonly unknown[]) => a.length === b.length && a.every((each, i) => each === b[i]);

export function hear(live: Live, signal: Signal): Live {
  switch (signal.type) {
    case "present":
      return { ...live, present: signal.present, waiting: signal.waiting ?? null };
    case "speakers": {
      const speakers = signal.speakers.map((each) => each.participant);
      return sameList(speakers, live.speakers) ? live : { ...live, speakers };
    }
    case "audio":
      return { ...live, audio: signal.slots };
    case "quality":
      return { ...live, quality: { ...live.quality, [signal.participant]: { score: signal.score, rtt: signal.rtt, loss: signal.loss } } };
    case "typing":
      return { ...live, typing: signal.participants };
    case "reactions": {
      const known = Object.entries(signal.counts).filter(([kind, count]) => Object.hasOwn(DRAWN, kind) && Number(count) > 0);
      if (known.length === 0) return live;
      const fresh = known.map(([kind, count], i) => ({ id: live.nextBurst + i, kind: kind as Reaction, count: Number(count) }));
      return { ...live, bursts: [...live.bursts, ...fresh].slice(-SHOWN_BURSTS), nextBurst: live.nextBurst + fresh.length };
    }
    default:
      return live;
  }
}

/** Takes finished reactions off the screen. */
export function fade(live: Live, upto: number): Live {
  const bursts = live.bursts.filter((burst) => burst.id > upto);
  return bursts.length === live.bursts.length ? live : { ...live, bursts };
}
