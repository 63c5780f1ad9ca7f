/**
 * Plays a recording: the mixed sound is the master clock, pictures follow it. Knows nothing of pages.
 *
 * A picture that fails or waits never stops the master; a master that waits holds all pictures. Without sound (nobody was heard, or its file
 * fails) a clock of its own leads.
 */
import { FAR_MS, type Following, FRESH, follow, jumped, SHOWN_MS } from "./sync";

export interface Playing {
  position: number;
  playing: boolean;
  waiting: boolean;
  ended: boolean;
  rate: number;
  volume: number;
  muted: boolean;
  /** the sound's file failed */
  silent: boolean;
}

export interface Picture {
  from_ms: number;
  to_ms: number;
}

interface Follower {
  video: HTMLVideoElement;
  picture: Picture;
  following: Following;
  staleSince: number | null;
  onStale: (stale: boolean) => void;
}

export const TICK_MS = 100;
/** A picture that waits longer than this is hidden. */
const STALE_MS = 300;
/** What a picture says when it is where it was sent, or moves again. */
const LANDED = ["seeked", "canplay"] as const;
/** Pauses before a file that the network broke off is asked for again. */
const AGAIN_MS: readonly number[] = [1_000, 3_000, 10_000, 30_000, 60_000, 120_000];

/** When to ask again for a file that failed, ms; null = it cannot be played here. The first failure decides: later ones of no network look the same. */
export const askAgainIn = (code: number | undefined, tries: number): number | null =>
  code === 2 /* MEDIA_ERR_NETWORK */ || tries > 0 ? (AGAIN_MS[tries] ?? null) : null;

export const RATES: readonly number[] = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

export class ReplayPlayer {
  #audio: HTMLAudioElement | null = null;
  #followers = new Set<Follower>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #closed = false;
  /** How often the sound was asked for again since it last came. */
  #tries = 0;
  #again: ReturnType<typeof setTimeout> | undefined;
  #anchor = { at: 0, position: 0 };
  #state: Playing;

  constructor(
    private readonly duration: number,
    mix: string | null,
    private readonly tell: (state: Playing) => void,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#state = { position: 0, playing: false, waiting: false, ended: false, rate: 1, volume: 1, muted: false, silent: mix === null };
    if (mix) this.#listen(mix);
    this.#timer = setInterval(() => this.tick(), TICK_MS);
    document.addEventListener("visibilitychange", this.#realign);
  }

  get audio(): HTMLAudioElement | null {
    return this.#audio;
  }

  #listen(source: string): void {
    const audio = new Audio();
    audio.preload = "auto";
    audio.src = source;
    audio.addEventListener("waiting", () => this.#set({ waiting: this.#state.playing }));
    for (const event of ["playing", "canplay", "seeked"]) {
      audio.addEventListener(event, () => {
        if (audio !== this.#audio) return;
        if (event === "canplay") this.#tries = 0;
        this.#set({ waiting: false, silent: false });
        this.tick();
      });
    }
    audio.addEventListener("ended", () => this.#end());
    audio.addEventListener("error", () => audio.hasAttribute("src") && this.#lead(audio));
    this.#audio = audio;
  }

  /** From now on the player's own clock leads, until there is sound again. */
  #lead(failed: HTMLAudioElement): void {
    if (failed !== this.#audio) return;
    const { playing } = this.#state;
    this.#anchor = { at: this.now(), position: this.position() };
    failed.pause();
    this.#audio = null;
    this.#set({ silent: true, waiting: false, playing });
    const wait = askAgainIn(failed.error?.code, this.#tries);
    if (wait === null) return;
    this.#tries += 1;
    const { src } = failed;
    this.#again = setTimeout(() => this.renew(src), wait);
  }

  /** Milliseconds on the recording's clock. */
  position(): number {
    const { playing, rate } = this.#state;
    const at = this.#audio ? this.#audio.currentTime * 1000 : this.#anchor.position + (playing ? (this.now() - this.#anchor.at) * rate : 0);
    return Math.max(0, Math.min(this.duration, at));
  }

  async play(): Promise<void> {
    if (this.#state.ended) this.seek(0);
    this.#anchor = { at: this.now(), position: this.position() };
    this.#set({ playing: true, ended: false });
    try {
      await this.#audio?.play();
    } catch (error) {
      if (this.#audio && (error as DOMException).name !== "AbortError") this.#set({ playing: false });
    }
    this.tick();
  }

  pause(): void {
    this.#anchor = { at: this.now(), position: this.position() };
    this.#audio?.pause();
    this.#set({ playing: false, waiting: false });
    this.tick();
  }

  seek(ms: number): void {
    const position = Math.max(0, Math.min(this.duration, ms));
    this.#anchor = { at: this.now(), position };
    if (this.#audio) this.#audio.currentTime = position / 1000;
    this.#set({ position, ended: position >= this.duration && this.#state.ended });
    for (const each of this.#followers) this.#jump(each, position);
  }

  setRate(rate: number): void {
    this.#anchor = { at: this.now(), position: this.position() };
    if (this.#audio) {
      this.#audio.playbackRate = rate;
      this.#audio.preservesPitch = true;
    }
    this.#set({ rate });
    this.tick();
  }

  setVolume(volume: number, muted: boolean): void {
    if (this.#audio) Object.assign(this.#audio, { volume, muted });
    this.#set({ volume, muted });
  }

  /** Let a picture follow; returns how to stop it. `onStale` hears when it has to be hidden, and shown again. */
  attach(video: HTMLVideoElement, picture: Picture, onStale: (stale: boolean) => void): () => void {
    const follower: Follower = { video, picture, following: FRESH, staleSince: null, onStale };
    video.muted = true;
    this.#followers.add(follower);
    // A landing is judged at once, not at the next tick.
    const landed = () => this.#keep(follower, this.position());
    for (const event of LANDED) video.addEventListener(event, landed);
    this.#jump(follower, this.position());
    return () => {
      for (const event of LANDED) video.removeEventListener(event, landed);
      this.#followers.delete(follower);
      video.pause();
    };
  }

  /** Look at everything; called every TICK_MS. */
  tick(): void {
    const position = this.position();
    if (!this.#audio && this.#state.playing && position >= this.duration) {
      this.#end();
      return;
    }
    if (position !== this.#state.position) this.#set({ position });
    for (const each of this.#followers) this.#keep(each, position);
  }

  /** The sound is at another address now; it goes on where it is. */
  renew(mix: string): void {
    clearTimeout(this.#again);
    const position = this.position();
    if (this.#audio) this.#audio.src = mix;
    else this.#listen(mix);
    const { playing, rate, volume, muted } = this.#state;
    if (!this.#audio) return;
    Object.assign(this.#audio, { currentTime: position / 1000, playbackRate: rate, volume, muted });
    if (playing) void this.#audio.play().catch(() => undefined);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#again);
    if (this.#timer) clearInterval(this.#timer);
    document.removeEventListener("visibilitychange", this.#realign);
    this.#audio?.pause();
    this.#audio?.removeAttribute("src");
    this.#audio?.load();
    this.#followers.clear();
  }

  #realign = (): void => {
    if (document.visibilityState === "visible") for (const each of this.#followers) this.#jump(each, this.position());
  };

  #moving(): boolean {
    return this.#state.playing && !this.#state.waiting && !this.#state.ended;
  }

  #jump(each: Follower, position: number): void {
    const step = jumped(each.following, this.#state.rate, this.now(), this.#moving());
    each.following = step.next;
    if (each.video.playbackRate !== step.rate) each.video.playbackRate = step.rate;
    this.#goTo(each, position + (step.seek ?? 0));
  }

  #goTo(each: Follower, position: number): void {
    const seconds = Math.max(0, Math.min(each.picture.to_ms, position) - each.picture.from_ms) / 1000;
    if (Math.abs(each.video.currentTime - seconds) > 0.005) each.video.currentTime = seconds;
  }

  #keep(each: Follower, position: number): void {
    const { video, picture } = each;
    const within = position >= picture.from_ms && position < picture.to_ms;
    const moving = this.#moving() && within;
    if (moving && video.paused && !video.ended) void video.play().catch(() => undefined);
    if (!moving && !video.paused) video.pause();
    this.#judge(each, moving);
    if (!within || video.readyState < 1 || video.seeking || this.#audio?.seeking) return;
    const now = this.now();
    const { rate } = this.#state;
    const drift = video.currentTime * 1000 + picture.from_ms - this.position() - (moving ? SHOWN_MS * rate : 0);
    // What waits for data stands still, and where it stands says nothing, unless it has fallen far behind.
    if (moving && video.readyState < 3 && Math.abs(drift) <= FAR_MS) return;
    const step = follow(each.following, drift, rate, now, moving);
    if (step.next.held && step.next !== each.following) {
      setTimeout(() => this.#followers.has(each) && this.#keep(each, this.position()), step.next.landing - now);
    }
    each.following = step.next;
    if (video.playbackRate !== step.rate) video.playbackRate = step.rate;
    if (step.seek !== null) this.#goTo(each, this.position() + step.seek);
  }

  #judge(each: Follower, moving: boolean): void {
    const starved = moving && (each.video.readyState < 3 || each.video.error !== null);
    if (!starved) {
      if (each.staleSince !== null) each.onStale(false);
      each.staleSince = null;
    } else if (each.staleSince === null) {
      each.staleSince = this.now();
    } else if (this.now() - each.staleSince > STALE_MS) {
      each.onStale(true);
    }
  }

  #end(): void {
    this.#audio?.pause();
    this.#anchor = { at: this.now(), position: this.duration };
    this.#set({ playing: false, waiting: false, ended: true, position: this.duration });
    for (const each of this.#followers) each.video.pause();
  }

  #set(change: Partial<Playing>): void {
    const next = { ...this.#state, ...change };
    const same = (Object.keys(next) as (keyof Playing)[]).every((key) => next[key] === this.#state[key]);
    this.#state = next;
    if (!same && !this.#closed) this.tell(next);
  }
}
