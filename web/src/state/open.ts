/** Opens a class: wires the connection, the reducer, the signals and the media to one store. */
import { MediaSession } from "../media/session";
import { Connection, type Status } from "../protocol/connection";
import { codeOf } from "../protocol/refused";
import { openSocket } from "../protocol/socket";
import type { Command, Entry, Problem, Reply, Request, RoomView, Signal, Welcome } from "../protocol/types";
import { apply } from "./apply";
import { tallied } from "./apply/polls";
import { type Classroom, type ClassState, NOTHING_YET, type Notice } from "./classroom";
import { fade, hear } from "./live";
import { noticeOf } from "./notices";
import { isStaff, mayPublish, me } from "./select";
import { Store } from "./store";

export interface Intent {
  camera: boolean;
  microphone: boolean;
  listener: boolean;
}

export interface IntentKeeper {
  keep(intent: Intent): void;
  forget(): void;
}

/** What a handset shows at once, and what a desk does. */
const tilesHere = () => (matchMedia("(max-width: 760px)").matches ? 6 : 16);
const BURST_MS = 3_400;
/** An answer's events are waited for so long. */
const SEEN_MS = 1_000;

class OpenClassroom implements Classroom {
  readonly store = new Store<ClassState>(NOTHING_YET);
  readonly media: MediaSession;
  readonly connection: Connection;
  #listeners = new Set<(notice: Notice) => void>();
  #mediaOf: string | null = null;
  #waiters: { seq: number; go: () => void }[] = [];
  #intent: Intent;
  #keeper: IntentKeeper;
  #begun = false;
  #nextKey = 1;
  #stop: (() => void)[] = [];

  constructor(seat: string, intent: Intent, keeper: IntentKeeper) {
    this.#intent = intent;
    this.#keeper = keeper;
    this.connection = new Connection(seat, openSocket, {
      status: (status, problem) => this.#status(status, problem),
      welcome: (message) => this.#welcome(message),
      entries: (entries, upto) => this.#entries(entries, upto),
      signals: (list) => this.#signals(list),
    });
    this.media = new MediaSession({
      command: (command) => this.#commandSeen(command),
      request: (request) => this.connection.request(request),
      change: (part) => {
        this.store.set((state) => ({ media: { ...state.media, ...part } }));
        this.#remember();
      },
      refused: (code) => this.#tell({ kind: "refused", code }),
      device: (why) => this.#tell({ kind: "device", why }),
      unplugged: (what) => this.#tell({ kind: "unplugged", what }),
      large: () => {
        const { view } = this.store.get();
        return view !== null && isStaff(view);
      },
      tiles: tilesHere(),
    });
    const nudge = () => document.visibilityState === "visible" && this.connection.nudge();
    addEventListener("online", nudge);
    document.addEventListener("visibilitychange", nudge);
    this.#stop.push(
      () => removeEventListener("online", nudge),
      () => document.removeEventListener("visibilitychange", nudge),
    );
    this.connection.start();
  }

  send = async (command: Command): Promise<string | null> => {
    try {
      await this.connection.command(command);
      return null;
    } catch (error) {
      const code = codeOf(error);
      if (code !== "left") this.#tell({ kind: "refused", code });
      return code;
    }
  };

  ask = <T>(request: Request): Promise<T> => this.connection.request<T>(request);

  post = async (text: string, channel: "everyone" | "staff" | "private", to?: string): Promise<string | null> => {
    const key = `o${this.#nextKey++}`;
    this.store.set((state) => ({ outgoing: [...state.outgoing, { key, text, channel }] }));
    try {
      const reply = await this.connection.command({ type: "post_chat", text, channel, ...(to ? { to } : {}) });
      await this.#seen(reply);
      return null;
    } catch (error) {
      this.#tell({ kind: "refused", code: codeOf(error) });
      return codeOf(error);
    } finally {
      this.store.set((state) => ({ outgoing: state.outgoing.filter((each) => each.key !== key) }));
    }
  };

  notices = (listener: (notice: Notice) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  reconnect = (): void => this.connection.nudge();

  leave = async (): Promise<void> => {
    this.media.close();
    this.#keeper.forget();
    if (this.connection.status === "online") {
      await Promise.race([
        this.connection.command({ type: "leave" }).catch(() => undefined),
        new Promise((done) => setTimeout(done, 1_000)),
      ]);
    }
    this.connection.close("left");
  };

  close = (): void => {
    for (const stop of this.#stop) stop();
    this.media.close();
    this.connection.close("left");
  };

  #tell(notice: Notice): void {
    for (const listener of [...this.#listeners]) listener(notice);
  }

  #status(status: Status, problem: Problem | null): void {
    const before = this.store.get().status;
    this.store.set({ status, problem });
    if (status === "online" && before === "reconnecting") this.#tell({ kind: "reconnected" });
    if (status === "closed") {
      this.media.close();
      if (problem?.code === "unauthenticated" || problem?.code === "class_ended" || problem?.code === "no_longer_kept")
        this.#keeper.forget();
      this.#release(Number.POSITIVE_INFINITY);
    }
  }

  #welcome(message: Welcome): void {
    const skew = message.now - Date.now();
    if (message.snapshot) this.store.set({ view: message.snapshot, skew });
    else this.store.set({ skew });
    const { view } = this.store.get();
    if (!view) return;
    this.#release(view.seq);
    const inside = me(view)?.seat === "admitted" && view.session.phase !== "ended";
    const known = this.#mediaOf === message.connection;
    if (inside && !known) {
      this.#mediaOf = message.connection;
      // Status is told after this; requests need it to be online first.
      queueMicrotask(() => {
        this.media.connect();
        void this.media.announceAgain(announced(view)).then(() => this.#begin());
      });
    } else {
      this.#after();
    }
  }

  #entries(entries: Entry[], upto: number): void {
    let { view } = this.store.get();
    if (!view) return;
    for (const entry of entries) {
      const notice = noticeOf(view, entry);
      view = apply(view, entry);
      if (notice) this.#tell(notice);
    }
    this.store.set({ view: { ...view, seq: upto } });
    this.#release(upto);
    // The node switched our tracks off because it had lost us, not because anybody wished it.
    if (wasLost(view.me, entries)) void this.media.announceAgain(announced(view)).then(() => this.#begin());
    else this.#after();
  }

  /** After every change of the view: tracks follow what is announced, and what was chosen before the class begins when it may. */
  #after(): void {
    const { view } = this.store.get();
    if (!view) return;
    this.media.follow(announced(view));
    if (view.session.phase === "ended") {
      this.media.close();
      this.#keeper.forget();
    } else if (this.#mediaOf !== null) this.#begin();
  }

  /** Camera and microphone chosen on the join page go on once, as soon as the class allows. */
  #begin(): void {
    const { view } = this.store.get();
    if (this.#begun || !view || this.#intent.listener) return;
    const own = me(view);
    // Who enters as audience goes on stage by somebody else's decision, perhaps much later: devices then stay off until asked for.
    if (own?.role === "trainee" && !own.on_stage && view.session.phase === "live") {
      this.#begun = true;
      return;
    }
    const open = (["microphone", "camera"] as const).filter((device) => mayPublish(view, device).ok);
    if (open.length === 0) return;
    this.#begun = true;
    const { microphone, camera } = this.#intent;
    const mute = view.session.settings.mute_on_join && me(view)?.role === "trainee";
    if (microphone && open.includes("microphone") && !mute) void this.media.setMicrophone(true);
    if (camera && open.includes("camera")) void this.media.setCamera(true);
  }

  #signals(list: Signal[]): void {
    for (const signal of list) {
      this.media.hear(signal);
      if (signal.type === "tally") {
        this.store.set((state) => (state.view ? { view: tallied(state.view, signal.poll, signal.tally, signal.voters) } : {}));
        continue;
      }
      const before = this.store.get().live;
      const live = hear(before, signal);
      if (live === before) continue;
      this.store.set({ live });
      if (live.nextBurst !== before.nextBurst) {
        setTimeout(() => this.store.set((state) => ({ live: fade(state.live, live.nextBurst - 1) })), BURST_MS);
      }
    }
  }

  /** Done when the answer has come and its events are part of the view. */
  async #commandSeen(command: Command): Promise<Reply> {
    const reply = await this.connection.command(command);
    await this.#seen(reply);
    return reply;
  }

  #seen(reply: Reply): Promise<void> {
    const seq = reply.seq ?? 0;
    if (this.connection.seq >= seq || this.connection.status === "closed") return Promise.resolve();
    // The number may be of an event that is not told to this person.
    setTimeout(() => this.#release(seq), SEEN_MS);
    return new Promise((go) => this.#waiters.push({ seq, go }));
  }

  #release(seq: number): void {
    const ready = this.#waiters.filter((each) => each.seq <= seq);
    this.#waiters = this.#waiters.filter((each) => each.seq > seq);
    for (const each of ready) each.go();
  }

  #remember(): void {
    if (!this.#begun || this.#intent.listener) return;
    const { camera, microphone } = this.store.get().media;
    const next = { camera: camera !== "off", microphone: microphone !== "off", listener: false };
    if (next.camera === this.#intent.camera && next.microphone === this.#intent.microphone) return;
    this.#intent = next;
    if (this.connection.status !== "closed") this.#keeper.keep(next);
  }
}

/** Whether these events tell of our own last connection's end, and of nobody else touching our tracks. */
function wasLost(mine: string, entries: Entry[]): boolean {
  const about = entries.filter(({ event }) => "participant" in event && event.participant === mine);
  const gone = about.some(({ event }) => event.type === "connection_closed" && event.last === true);
  return gone && !about.some(({ event, by }) => TRACKS.has(event.type) && by !== undefined && by !== mine);
}

const TRACKS: ReadonlySet<string> = new Set([
  "microphone_changed",
  "camera_changed",
  "screen_stopped",
  "permissions_changed",
  "stage_left",
]);

function announced(view: RoomView): Record<"microphone" | "camera" | "screen", boolean> {
  const own = me(view);
  return { microphone: own?.microphone ?? false, camera: own?.camera ?? false, screen: view.screen === view.me };
}

/** Connects a seat to its class. */
export function openClassroom(seat: string, intent: Intent, keeper: IntentKeeper): Classroom {
  const classroom = new OpenClassroom(seat, intent, keeper);
  if (new URLSearchParams(location.search).has("debug")) expose(seat, classroom);
  return classroom;
}

/** For end-to-end tests, only behind `?debug`: figures, no controls. */
function expose(seat: string, classroom: OpenClassroom): void {
  Object.defineProperty(window, "__jiangtai", {
    configurable: true,
    value: {
      seat,
      get seq() {
        return classroom.connection.seq;
      },
      get status() {
        return classroom.connection.status;
      },
      get unanswered() {
        return classroom.connection.unanswered;
      },
      get state() {
        return classroom.store.get();
      },
      stats: () => classroom.media.stats(),
      publishStats: async () => [...((await classroom.media.connections.publish?.getStats())?.values() ?? [])],
      subscribeStats: async () => [...((await classroom.media.connections.subscribe?.getStats())?.values() ?? [])],
    },
  });
}
