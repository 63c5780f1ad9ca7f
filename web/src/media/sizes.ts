/**
 * How tall each received picture is shown, told to the node so that it sends no more than can be seen. Only changes are told: growing soon,
 * shrinking late, so that a page turned back or a dragged window costs nothing. The rules are pure (time is an argument); `SizeTeller` waits.
 */
import { Refused } from "../protocol/refused";
import type { SlotSize } from "../protocol/types";

/** What was out of sight is waited for; this long only to tell a page of tiles at once. */
export const APPEAR_MS = 50;
export const GROW_MS = 250;
export const SHRINK_MS = 2_000;
const REST_MS = 5_000;
const STEP = 90;
/** Pixels over a step that are not worth the next one. */
const SLACK = 4;
const TALLEST = 2_160;

/** A height to ask for from pixels on the screen: the next step of 90; 0 = not seen. */
export const stepped = (pixels: number): number =>
  Math.min(TALLEST, Math.ceil(Math.max(0, pixels <= SLACK ? pixels : pixels - SLACK) / STEP) * STEP);

interface Change {
  height: number;
  grows: boolean;
  /** When it is to be told; from its first sight on, so that steady resizing does not put it off for ever. */
  at: number;
}

export class SlotSizes {
  #told = new Map<string, number>();
  #changes = new Map<string, Change>();

  /** What is shown now, all of it. Mids that are not named stay as told; what was never told grows from nothing. Milliseconds. */
  show(sizes: readonly SlotSize[], now: number): void {
    const changes = new Map<string, Change>();
    for (const { mid, height } of sizes) {
      const told = this.#told.get(mid);
      if (height === told) continue;
      const grows = height > (told ?? 0);
      const known = this.#changes.get(mid);
      const at = known?.grows === grows ? known.at : now + (!grows ? SHRINK_MS : told === 0 ? APPEAR_MS : GROW_MS);
      changes.set(mid, { height, grows, at });
    }
    this.#changes = changes;
  }

  /** When `take` next has something; null while nothing waits. */
  get due(): number | null {
    return this.#changes.size === 0 ? null : Math.min(...[...this.#changes.values()].map((change) => change.at));
  }

  /** Everything whose time has come; counts as told. */
  take(now: number): SlotSize[] {
    const ready = [...this.#changes].filter(([, change]) => change.at <= now).map(([mid, { height }]) => ({ mid, height }));
    for (const { mid, height } of ready) {
      this.#changes.delete(mid);
      this.#told.set(mid, height);
    }
    return ready;
  }

  /** Whom it is told to knows nothing (any more). */
  forget(): void {
    this.#told.clear();
    this.#changes.clear();
  }
}

export class SizeTeller {
  #sizes = new SlotSizes();
  #shown: readonly SlotSize[] = [];
  #tell: (sizes: SlotSize[]) => Promise<unknown>;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #live = false;
  /** Nothing is sent before; set when the node was too busy to listen. */
  #rest = 0;

  constructor(tell: (sizes: SlotSize[]) => Promise<unknown>) {
    this.#tell = tell;
  }

  /** A new receiving connection is up: everything is told again. */
  begin(): void {
    this.#live = true;
    this.#sizes.forget();
    this.show(this.#shown);
  }

  /** What is shown now, all of it. */
  show(sizes: readonly SlotSize[]): void {
    this.#shown = sizes;
    if (!this.#live) return;
    this.#sizes.show(sizes, performance.now());
    this.#wait();
  }

  stop(): void {
    this.#live = false;
    this.#clear();
  }

  #wait(): void {
    this.#clear();
    const { due } = this.#sizes;
    if (due !== null) this.#timer = setTimeout(() => this.#send(), Math.max(due, this.#rest) - performance.now());
  }

  #send(): void {
    this.#timer = null;
    const sizes = this.#sizes.take(performance.now());
    this.#wait();
    if (sizes.length === 0) return;
    this.#tell(sizes).catch((error: unknown) => {
      // A busy node is told again. A lost one is told everything when it is back; one that knows no sizes sends what it likes.
      if (!this.#live || !(error instanceof Refused) || error.retry !== "later" || error.code === "offline") return;
      this.#rest = performance.now() + REST_MS;
      this.begin();
    });
  }

  #clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
