/** The receiving connection: the node offers a fixed set of slots, we answer once; who is in a slot changes by signal, never by negotiation. */
import { Refused } from "../protocol/refused";
import type { SlotChange, SlotLayer, SlotOffer } from "../protocol/types";
import { LinkKeeper } from "./link";
import { assigned, layered, offered, type Slots } from "./slots";
import type { Link } from "./view";

export interface SubscribeCalls {
  offer(tiles: number): Promise<{ sdp: string; slots: SlotOffer[] }>;
  answer(sdp: string): Promise<unknown>;
  restart(): Promise<{ sdp: string }>;
  show(participants: string[]): Promise<unknown>;
  /** The node has taken the answer to a new offer: it knows nothing yet of what this page told about the one before. */
  opened(): void;
}

export interface Received {
  slots: Slots;
  streams: Readonly<Record<string, MediaStream>>;
}

const LATE_CHANGES = 64;
/** A busy node is asked again after this. */
const REST_MS = 1_000;

export class Subscriber {
  #calls: SubscribeCalls;
  #tiles: number;
  #tell: (link: Link) => void;
  #changed: (received: Received) => void;
  #pc: RTCPeerConnection | null = null;
  #keeper: LinkKeeper;
  #slots: Slots = [];
  #streams: Record<string, MediaStream> = {};
  /** Changes told before the offer they belong to has arrived. */
  #early: { changes: readonly SlotChange[]; partial: boolean }[] = [];
  #shown: string[] | null = null;
  #ready = false;

  constructor(calls: SubscribeCalls, tiles: number, tell: (link: Link) => void, changed: (received: Received) => void) {
    this.#calls = calls;
    this.#tiles = tiles;
    this.#tell = tell;
    this.#changed = changed;
    this.#keeper = new LinkKeeper({ restart: () => this.#restart(), rebuild: () => this.#open(), tell });
  }

  get connection(): RTCPeerConnection | null {
    return this.#pc;
  }

  start(): void {
    this.#open().catch(() => this.#keeper.broken());
  }

  lost(): void {
    this.#keeper.broken();
  }

  assign(changes: readonly SlotChange[], partial: boolean): void {
    if (!this.#ready) this.#early = [...this.#early, { changes, partial }].slice(-LATE_CHANGES);
    this.#slots = assigned(this.#slots, changes, partial);
    this.#tellChanged();
  }

  layer(changes: readonly SlotLayer[]): void {
    this.#slots = layered(this.#slots, changes);
    this.#tellChanged();
  }

  show(participants: string[]): void {
    this.#shown = participants;
    if (this.#ready) this.#show(participants);
  }

  #show(participants: string[]): void {
    const pc = this.#pc;
    this.#calls.show(participants).catch((error: unknown) => {
      // A lost node is told everything when it is back; a busy one is told again, if that is still what is shown.
      if (!(error instanceof Refused) || error.retry !== "later" || error.code === "offline") return;
      setTimeout(() => this.#ready && this.#pc === pc && pc && this.#shown === participants && this.#show(participants), REST_MS);
    });
  }

  close(): void {
    this.#keeper.stop();
    this.#pc?.close();
    this.#pc = null;
    this.#slots = [];
    this.#streams = {};
    this.#tellChanged();
    this.#tell("none");
  }

  async #open(): Promise<void> {
    this.#ready = false;
    this.#pc?.close();
    this.#streams = {};
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.#pc = pc;
    this.#keeper.follow(pc);
    pc.addEventListener("track", (event) => {
      const mid = event.transceiver.mid;
      if (mid === null || this.#pc !== pc) return;
      this.#streams = { ...this.#streams, [mid]: new MediaStream([event.track]) };
      this.#tellChanged();
    });
    const offer = await this.#calls.offer(this.#tiles);
    if (this.#pc !== pc) return;
    this.#slots = offered(this.#slots, offer.slots);
    for (const early of this.#early) this.#slots = assigned(this.#slots, early.changes, early.partial);
    this.#early = [];
    this.#ready = true;
    this.#tellChanged();
    await this.#answer(pc, offer.sdp);
    if (this.#shown) this.show(this.#shown);
    this.#calls.opened();
  }

  async #restart(): Promise<void> {
    const pc = this.#pc;
    if (!pc) return;
    const { sdp } = await this.#calls.restart();
    if (this.#pc === pc) await this.#answer(pc, sdp);
  }

  async #answer(pc: RTCPeerConnection, sdp: string): Promise<void> {
    await pc.setRemoteDescription({ type: "offer", sdp });
    // The node must know our credentials before the first connectivity check leaves, or the browser may settle for TCP.
    const answer = await pc.createAnswer();
    await this.#calls.answer(answer.sdp ?? "");
    await pc.setLocalDescription(answer);
  }

  #tellChanged(): void {
    this.#changed({ slots: this.#slots, streams: this.#streams });
  }
}
