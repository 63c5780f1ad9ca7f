/** Keeping one peer connection alive: a lost path is restarted, a dead connection is built anew, with growing pauses, for as long as wanted. */
import type { Link } from "./view";

const PATIENCE_MS = 3_000;
const PAUSES_MS = [0, 1_000, 2_000, 4_000, 8_000, 15_000];
const RESTARTS_BEFORE_REBUILD = 2;

export interface LinkPlan {
  /** New ICE credentials on the same connection. */
  restart(): Promise<void>;
  /** A new connection in place of this one. */
  rebuild(): Promise<void>;
  tell(link: Link): void;
}

export class LinkKeeper {
  #plan: LinkPlan;
  #followed: RTCPeerConnection | null = null;
  #tries = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #busy = false;
  #live = true;

  constructor(plan: LinkPlan) {
    this.#plan = plan;
  }

  /** Follows a connection until it is closed or another one is followed. */
  follow(pc: RTCPeerConnection): void {
    this.#followed = pc;
    this.#plan.tell("connecting");
    pc.addEventListener("connectionstatechange", () => {
      if (!this.#live) return;
      if (pc.connectionState === "connected") {
        this.#tries = 0;
        this.#clear();
        this.#plan.tell("connected");
      } else if (pc.connectionState === "disconnected") {
        this.#later(PATIENCE_MS);
      } else if (pc.connectionState === "failed") {
        this.#clear();
        this.#again();
      }
    });
  }

  /** The other side says this connection is gone, or asking for it was refused: only a new one helps. */
  broken(): void {
    this.#tries = Math.max(this.#tries, RESTARTS_BEFORE_REBUILD);
    this.#clear();
    this.#again();
  }

  stop(): void {
    this.#live = false;
    this.#clear();
  }

  get #connected(): boolean {
    return this.#followed?.connectionState === "connected";
  }

  #again(): void {
    // What was asked for before it was stopped may fail after; another keeper tells by now.
    if (!this.#live) return;
    const pause = PAUSES_MS[Math.min(this.#tries, PAUSES_MS.length - 1)] ?? 0;
    if (this.#tries > 0) this.#plan.tell("failed");
    this.#later(pause);
  }

  #later(ms: number): void {
    if (this.#timer !== null || !this.#live) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#repair();
    }, ms);
  }

  async #repair(): Promise<void> {
    if (this.#busy || !this.#live) return;
    this.#busy = true;
    const rebuild = this.#tries >= RESTARTS_BEFORE_REBUILD;
    this.#tries += 1;
    try {
      await (rebuild ? this.#plan.rebuild() : this.#plan.restart());
      // A restart that leads nowhere shows up as no state change at all: look again later. So does one of a path that came back meanwhile.
      this.#busy = false;
      if (!rebuild && !this.#connected) this.#later(PAUSES_MS[4] ?? 8_000);
    } catch {
      this.#busy = false;
      // A refused restart of a path that came back meanwhile is not missed.
      if (rebuild || !this.#connected) this.#again();
    }
  }

  #clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
