/**
 * One class as seen from one tab: numbered events in order without a gap, commands that are answered exactly once.
 *
 * connecting -> online -> reconnecting -> online ...; closed is final. The socket underneath is told what to do, never asked to reconnect by
 * itself: what it would have to say at each attempt (resume point, credentials) changes.
 */
import { reconnectDelay } from "./backoff";
import { randomId, tabId } from "./ids";
import { Outbox } from "./outbox";
import { Refused } from "./refused";
import type { Batch, Command, Entry, Problem, Reply, Request, Signal, Welcome } from "./types";

export type Status = "connecting" | "online" | "reconnecting" | "closed";

/** What `connection` needs of a Socket.IO client socket. */
export interface Wire {
  connect(): void;
  disconnect(): void;
  send(message: Record<string, unknown>, answer: (reply: Reply) => void): void;
  on(handlers: WireHandlers): void;
}

export interface WireHandlers {
  welcome(message: Welcome): void;
  events(batch: Batch): void;
  signals(list: Signal[]): void;
  bye(problem: Problem): void;
  /** The connection ended or could not be made; a problem if the server said why. */
  lost(problem: Problem | null): void;
}

export interface Listener {
  status(status: Status, problem: Problem | null): void;
  /** A fresh snapshot, or null when the known state goes on. */
  welcome(message: Welcome): void;
  entries(entries: Entry[], upto: number): void;
  signals(list: Signal[]): void;
}

export interface Auth {
  seat: string;
  tab: string;
  view: "full";
  resume?: { epoch: string; seq: number };
}

export interface Timers {
  after(ms: number, run: () => void): () => void;
  random(): number;
}

export const clockTimers: Timers = {
  after(ms, run) {
    const id = setTimeout(run, ms);
    return () => clearTimeout(id);
  },
  random: Math.random,
};

const REQUEST_MS = 15_000;
const ANSWER_MS = 12_000;

export class Connection {
  #wire: Wire;
  #listener: Listener;
  #timers: Timers;
  #outbox = new Outbox();
  /** Commands already sent on the present connection. */
  #sentOn = new Set<string>();
  #requests = new Set<(error: Refused) => void>();
  #status: Status = "connecting";
  #epoch: string | null = null;
  #connection: string | null = null;
  #last = 0;
  #attempt = 0;
  #gaps = 0;
  #cancelRetry: (() => void) | null = null;
  #cancelWatch: (() => void) | null = null;

  constructor(seat: string, open: (auth: () => Auth) => Wire, listener: Listener, timers: Timers = clockTimers) {
    this.#listener = listener;
    this.#timers = timers;
    this.#wire = open(() => this.#auth(seat));
    this.#wire.on({
      welcome: (message) => this.#welcome(message),
      events: (batch) => this.#events(batch),
      signals: (list) => this.#listener.signals(list),
      bye: (problem) => this.#bye(problem),
      lost: (problem) => this.#lost(problem),
    });
  }

  get status(): Status {
    return this.#status;
  }

  /** Journal number of the last event known here. */
  get seq(): number {
    return this.#last;
  }

  get unanswered(): number {
    return this.#outbox.size;
  }

  start(): void {
    this.#wire.connect();
  }

  /** Sends a command now or as soon as there is a connection; settles with its answer, rejects with Refused. */
  command(command: Command): Promise<Reply> {
    if (this.#status === "closed") return Promise.reject(new Refused({ code: "offline", retry: "never" }));
    try {
      const answer = this.#outbox.put(command);
      if (this.#status === "online") this.#sendWaiting();
      return answer;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** A request of this connection only: refused with `offline` when there is none, or when it is lost before the answer. */
  request<T>(request: Request): Promise<T> {
    if (this.#status !== "online") return Promise.reject(new Refused({ code: "offline", retry: "later" }));
    return new Promise<T>((resolve, reject) => {
      const fail = (error: Refused) => {
        cancel();
        this.#requests.delete(fail);
        reject(error);
      };
      const cancel = this.#timers.after(REQUEST_MS, () => fail(new Refused({ code: "offline", retry: "later" })));
      this.#requests.add(fail);
      this.#wire.send({ v: 1, ref: randomId(), ...request }, (reply) => {
        if (!this.#requests.delete(fail)) return;
        cancel();
        if (reply.error) reject(new Refused(reply.error));
        else resolve(reply as T);
      });
    });
  }

  /** Tries at once instead of waiting for the next attempt; for `online` events of the browser and the page coming to the front. */
  nudge(): void {
    if (this.#status !== "reconnecting" || !this.#cancelRetry) return;
    this.#cancelRetry();
    this.#cancelRetry = null;
    this.#wire.connect();
  }

  close(code = "left"): void {
    this.#finish({ code, retry: "never" });
  }

  #auth(seat: string): Auth {
    const auth: Auth = { seat, tab: tabId(), view: "full" };
    if (this.#epoch !== null) auth.resume = { epoch: this.#epoch, seq: this.#last };
    return auth;
  }

  #welcome(message: Welcome): void {
    this.#epoch = message.epoch;
    if (message.snapshot) this.#last = message.snapshot.seq;
    this.#attempt = 0;
    // A second welcome on the same connection (another lane) leaves what was sent on its way.
    if (message.connection !== this.#connection) this.#sentOn.clear();
    this.#connection = message.connection;
    this.#listener.welcome(message);
    this.#become("online", null);
    this.#sendWaiting();
  }

  #sendWaiting(): void {
    for (const entry of this.#outbox.pending()) {
      if (this.#sentOn.has(entry.ref)) continue;
      this.#sentOn.add(entry.ref);
      this.#wire.send(entry.message, (reply) => {
        this.#sentOn.delete(entry.ref);
        entry.settle(reply);
        if (this.#outbox.size === 0) this.#unwatch();
        else this.#watch(true);
      });
    }
    if (this.#outbox.size > 0) this.#watch(false);
  }

  /** A connection that takes commands and never answers is as good as lost. */
  #watch(restart: boolean): void {
    if (this.#cancelWatch && !restart) return;
    this.#unwatch();
    this.#cancelWatch = this.#timers.after(ANSWER_MS, () => {
      this.#cancelWatch = null;
      if (this.#status === "online" && this.#outbox.size > 0) this.#again();
    });
  }

  #unwatch(): void {
    this.#cancelWatch?.();
    this.#cancelWatch = null;
  }

  #events(batch: Batch): void {
    if (batch.upto <= this.#last) return;
    if (batch.after > this.#last) {
      // Two gaps in a row: what the server would resend does not help, a snapshot does.
      this.#gaps += 1;
      if (this.#gaps > 1) this.#epoch = null;
      this.#again();
      return;
    }
    this.#gaps = 0;
    const fresh = batch.events.filter((entry) => entry.seq > this.#last);
    this.#last = batch.upto;
    this.#listener.entries(fresh, batch.upto);
  }

  #bye(problem: Problem): void {
    if (problem.retry === "never") this.#finish(problem);
  }

  #lost(problem: Problem | null): void {
    if (this.#status === "closed") return;
    if (problem && (problem.retry === "never" || problem.code === "unauthenticated")) {
      this.#finish(problem);
      return;
    }
    this.#failRequests();
    this.#unwatch();
    this.#become(this.#epoch === null && this.#last === 0 ? "connecting" : "reconnecting", problem);
    this.#cancelRetry?.();
    this.#cancelRetry = this.#timers.after(reconnectDelay(this.#attempt++, this.#timers.random()), () => {
      this.#cancelRetry = null;
      this.#wire.connect();
    });
  }

  #again(): void {
    this.#wire.disconnect();
    this.#lost(null);
  }

  #finish(problem: Problem): void {
    if (this.#status === "closed") return;
    this.#cancelRetry?.();
    this.#unwatch();
    this.#become("closed", problem);
    this.#wire.disconnect();
    this.#failRequests();
    this.#outbox.abandon(problem.code);
  }

  #failRequests(): void {
    for (const fail of [...this.#requests]) fail(new Refused({ code: "offline", retry: "later" }));
  }

  #become(status: Status, problem: Problem | null): void {
    this.#status = status;
    this.#listener.status(status, problem);
  }
}
