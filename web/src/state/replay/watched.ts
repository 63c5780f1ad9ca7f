/** What was really played, as stretches: continuous pieces at one speed. Pure; positions and speed go in as the player tells them. */
import type { Stretch } from "../../protocol/replay";

/** Longer than this between two looks is a jump, at speed 1. */
const GAP_MS = 1_500;
const SHORTEST_MS = 250;
export const MAX_IN_REPORT = 50;

export class WatchedLog {
  #open: Stretch | null = null;
  #done: Stretch[] = [];

  /** The player is at `position`; a pause or a jump ends the stretch. */
  see(position: number, rate: number, playing: boolean): void {
    const at = Math.round(position);
    const open = this.#open;
    if (open && playing && open.rate === rate && at >= open.to_ms && at - open.to_ms <= GAP_MS * rate) {
      open.to_ms = at;
      return;
    }
    this.#close();
    if (playing) this.#open = { from_ms: at, to_ms: at, rate };
  }

  #close(): void {
    if (this.#open && this.#open.to_ms - this.#open.from_ms >= SHORTEST_MS) this.#done.push(this.#open);
    this.#open = null;
  }

  /** Everything since the last call, at most MAX_IN_REPORT of them; a stretch that goes on is cut here and goes on behind. */
  take(): Stretch[] {
    const open = this.#open;
    this.#close();
    if (open) this.#open = { from_ms: open.to_ms, to_ms: open.to_ms, rate: open.rate };
    return this.#done.splice(0, MAX_IN_REPORT);
  }
}
