/** Reports what was played every 15 s and at the end; a report that did not arrive goes again under the same operation id. */
import { Refused } from "../../protocol/refused";
import type { Stretch } from "../../protocol/replay";
import { WatchedLog } from "./watched";

const EVERY_MS = 15_000;
const MAX_WAITING = 20;

type Send = (op: string, stretches: Stretch[]) => Promise<void>;

export class Reporter {
  #log = new WatchedLog();
  #waiting: { op: string; stretches: Stretch[] }[] = [];
  #sending = false;
  #timer = setInterval(() => void this.flush(), EVERY_MS);

  constructor(
    private readonly send: Send,
    private readonly id: () => string,
  ) {
    addEventListener("pagehide", this.#leave);
  }

  see(position: number, rate: number, playing: boolean): void {
    this.#log.see(position, rate, playing);
  }

  /** Send what there is, oldest first. */
  async flush(): Promise<void> {
    for (let stretches = this.#log.take(); stretches.length > 0; stretches = this.#log.take()) {
      if (this.#waiting.length < MAX_WAITING) this.#waiting.push({ op: this.id(), stretches });
    }
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
        await this.send(next.op, next.stretches);
        this.#waiting.shift();
      }
    } catch (error) {
      // Refused for good (an operator has no seat): it would be refused again.
      if (error instanceof Refused && error.retry === "never") this.#waiting = [];
    } finally {
      this.#sending = false;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    removeEventListener("pagehide", this.#leave);
    void this.flush();
  }

  #leave = (): void => void this.flush();
}
