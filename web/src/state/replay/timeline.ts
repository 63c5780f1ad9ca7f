/** The timeline of a recording: its files fetched nearest first, and what was to be seen at any moment of them. */
import { Refused } from "../../protocol/refused";
import type { Change, Message, TimelineState } from "../../protocol/replay";

export const CHUNK_MS = 30_000;
const PER_SNAPSHOT = 4;
const MAX_MESSAGES = 200;
const AT_ONCE = 3;
const TRIES = 3;
/** Pauses after one failure, two in a row, and so on; the last one from then on. */
const RESTS_MS: readonly number[] = [1_000, 2_000, 4_000, 8_000, 15_000];

/** The state after one more change. */
export function apply(state: TimelineState, { at, what }: Change): TimelineState {
  switch (what.type) {
    case "scene":
      return { ...state, scene: what };
    case "person":
      return { ...state, people: { ...state.people, [what.id]: what } };
    case "gone": {
      const { [what.id]: _, ...people } = state.people;
      return { ...state, people };
    }
    case "poll":
      return { ...state, polls: { ...state.polls, [what.id]: what } };
    case "message":
      return { ...state, chat: [...state.chat, { at, what }].slice(-MAX_MESSAGES) };
  }
}

type Fetch = (name: string) => Promise<unknown>;

export class Timeline {
  #chunks: (Change[] | undefined)[];
  #snapshots: (TimelineState | undefined)[];
  #tries = new Map<string, number>();
  #loading = new Set<string>();
  #stopped = false;
  #failures = 0;
  #position = 0;
  /** the last answer: the state after `count` changes of `chunk` */
  #last: { chunk: number; count: number; state: TimelineState } | null = null;

  constructor(
    private readonly names: { chunks: string[]; snapshots: string[] },
    private readonly get: Fetch,
    private readonly changed: () => void,
    private readonly rest: (ms: number) => Promise<void> = (ms) => new Promise((done) => setTimeout(done, ms)),
  ) {
    this.#chunks = names.chunks.map(() => undefined);
    this.#snapshots = names.snapshots.map(() => undefined);
  }

  /** Fetch what is missing, what is near `position` first; goes on until everything is here. */
  want(position: number): void {
    this.#position = position;
    for (const job of this.#missing(position).slice(0, Math.max(0, AT_ONCE - this.#loading.size))) void this.#load(job);
  }

  stop(): void {
    this.#stopped = true;
  }

  #missing(position: number): { name: string; keep: (data: unknown) => void }[] {
    const here = this.#chunkOf(position);
    const snapshot = Math.floor(here / PER_SNAPSHOT);
    const jobs: { name: string; keep: (data: unknown) => void; far: number }[] = [];
    this.names.snapshots.forEach((name, index) => {
      const keep = (data: unknown) => {
        this.#snapshots[index] = data as TimelineState;
      };
      // Only where a state is built from: a whole play-through needs the first one alone.
      if (index === snapshot && !this.#snapshots[index]) jobs.push({ name, keep, far: -2 });
    });
    this.names.chunks.forEach((name, index) => {
      const needed = index >= snapshot * PER_SNAPSHOT && index <= here;
      const keep = (data: unknown) => {
        this.#chunks[index] = data as Change[];
      };
      if (!this.#chunks[index]) jobs.push({ name, keep, far: needed ? -1 : Math.abs(index - here) });
    });
    const open = jobs.filter(({ name }) => !this.#loading.has(name) && (this.#tries.get(name) ?? 0) < TRIES);
    return open.sort((a, b) => a.far - b.far);
  }

  async #load({ name, keep }: { name: string; keep: (data: unknown) => void }): Promise<void> {
    this.#loading.add(name);
    try {
      const data = await this.get(name);
      if (this.#stopped) return;
      keep(data);
      this.#failures = 0;
      this.changed();
    } catch (error) {
      // What cannot be reached now is asked for until it can; what is not there or no good, a few times.
      if (!(error instanceof Refused && error.retry === "later")) this.#tries.set(name, (this.#tries.get(name) ?? 0) + 1);
      await this.rest(RESTS_MS[Math.min(this.#failures++, RESTS_MS.length - 1)] ?? 0);
    } finally {
      this.#loading.delete(name);
      if (!this.#stopped) this.want(this.#position);
    }
  }

  #chunkOf(position: number): number {
    return Math.max(0, Math.min(this.names.chunks.length - 1, Math.floor(position / CHUNK_MS)));
  }

  /** What was to be seen at a moment; null while the files for it are not here. The same value while nothing changed. */
  at(position: number): TimelineState | null {
    const here = this.#chunkOf(position);
    const target = this.#chunks[here];
    if (!target) return null;
    const count = upTo(target, position);
    if (this.#last?.chunk === here && this.#last.count === count) return this.#last.state;
    const last = this.#last;
    const goesOn = last !== null && (last.chunk < here || (last.chunk === here && last.count < count));
    const state = (goesOn ? this.#from(last, here, count) : null) ?? this.#anew(here, count);
    if (state) this.#last = { chunk: here, count, state };
    return state;
  }

  #anew(here: number, count: number): TimelineState | null {
    for (let index = Math.floor(here / PER_SNAPSHOT); index >= 0; index--) {
      const state = this.#snapshots[index];
      const found = state && this.#from({ chunk: index * PER_SNAPSHOT, count: 0, state }, here, count);
      if (found) return found;
    }
    return null;
  }

  #from(start: { chunk: number; count: number; state: TimelineState }, here: number, count: number): TimelineState | null {
    let state = start.state;
    for (let index = start.chunk; index <= here; index++) {
      const chunk = this.#chunks[index];
      if (!chunk) return null;
      for (const change of chunk.slice(index === start.chunk ? start.count : 0, index === here ? count : undefined))
        state = apply(state, change);
    }
    return state;
  }

  /** Every message that is here, in order. */
  messages(): Message[] {
    return this.#chunks.flatMap((chunk) => (chunk ?? []).filter((change): change is Message => change.what.type === "message"));
  }

  /** When each poll opened, of what is here. */
  pollsAt(): Map<string, number> {
    const found = new Map<string, number>();
    for (const { at, what } of this.#chunks.flatMap((chunk) => chunk ?? [])) {
      if (what.type === "poll" && !found.has(what.id)) found.set(what.id, at);
    }
    return found;
  }

  /** Whether every chunk is here. */
  complete(): boolean {
    return this.#chunks.every((chunk) => chunk !== undefined);
  }
}

/** How many changes lie at or before a moment. */
function upTo(chunk: Change[], position: number): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((chunk[middle]?.at ?? 0) <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
