import { randomId } from "./ids";
import { Refused } from "./refused";
import type { Command, Reply } from "./types";

/**
 * Commands that were asked for and not answered yet, in order. An entry keeps its `ref` for life: after a reconnect it is sent again
 * unchanged and the server answers as it did, or would have done, the first time.
 */
export interface Waiting {
  readonly ref: string;
  readonly message: Record<string, unknown>;
  readonly settle: (reply: Reply) => void;
}

const LIMIT = 200;

export class Outbox {
  #waiting = new Map<string, Waiting>();

  /** Takes a command; the promise settles with the server's answer, however many connections that takes. */
  put(command: Command): Promise<Reply> {
    if (this.#waiting.size >= LIMIT) throw new Refused({ code: "too_many", retry: "later" });
    const ref = randomId();
    return new Promise<Reply>((resolve, reject) => {
      const settle = (reply: Reply) => {
        if (!this.#waiting.delete(ref)) return;
        if (reply.error) reject(new Refused(reply.error));
        else resolve(reply);
      };
      this.#waiting.set(ref, { ref, message: { v: 1, ref, ...command }, settle });
    });
  }

  /** Everything still unanswered, oldest first. */
  pending(): Waiting[] {
    return [...this.#waiting.values()];
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Refuses everything: the connection will not come back. */
  abandon(code: string): void {
    for (const entry of this.pending()) entry.settle({ ref: entry.ref, error: { code, retry: "never" } });
  }
}
