/** An open recording: player, timeline and reports put together behind one store, for pages to show and to press on. */
import { askAgainIn, type Playing, ReplayPlayer } from "../../media/replay/player";
import { api } from "../../protocol/api";
import { randomId } from "../../protocol/ids";
import { Refused } from "../../protocol/refused";
import type { Content, Message, ReplayInfo, TimelineState } from "../../protocol/replay";
import { Store } from "../store";
import { type Chapter, parseChapters } from "./chapters";
import { awaits, type Extras, extrasOf, LOOKS_MS, loadCues, loadThumbnails } from "./extras";
import { Reporter } from "./reporter";
import type { Thumbnail } from "./thumbnails";
import { type Tile, tilesAt } from "./tiles";
import { Timeline } from "./timeline";
import type { Cue } from "./vtt";

export interface ReplayState {
  playing: Playing;
  view: TimelineState | null;
  messages: Message[];
  pollsAt: Map<string, number>;
  chapters: Chapter[];
  tiles: Tile[];
  pinned: string | null;
  audioOnly: boolean;
  /** whether the whole timeline is here */
  complete: boolean;
  extras: Extras;
  /** once somebody wanted them */
  thumbnails: Thumbnail[];
  /** the language of the captions shown; null: none */
  captions: string | null;
  cues: Cue[];
}

export interface Replay {
  content: Content;
  store: Store<ReplayState>;
  /** Let a <video> play a tile's file in step; returns how to stop. */
  attach(video: HTMLVideoElement, tile: Tile, onStale: (stale: boolean) => void): () => void;
  /** Where a file of this recording is now. */
  address(file: string): string;
  toggle(): void;
  seek(ms: number): void;
  step(ms: number): void;
  setRate(rate: number): void;
  setVolume(volume: number, muted: boolean): void;
  pin(track: string | null): void;
  setAudioOnly(on: boolean): void;
  setSide(count: number): void;
  /** Where a file of `extras` is now. */
  extra(file: string): string;
  wantThumbnails(): void;
  setCaptions(language: string | null): void;
  close(): void;
}

const NOTHING: Playing = { position: 0, playing: false, waiting: false, ended: false, rate: 1, volume: 1, muted: false, silent: false };
/** A small file that takes longer will not come. */
const TIMEOUT_MS = 20_000;

/** Opens a ready recording. */
export function openReplay(session: string, info: ReplayInfo, content: Content): Replay {
  let base = info.base ?? "";
  let side = 3;
  const broken = new Set<string>();
  /** How often a picture's file was asked for again since it last came; when it next is. */
  const tries = new Map<string, number>();
  const retries = new Map<string, ReturnType<typeof setTimeout>>();
  const store = new Store<ReplayState>({
    playing: NOTHING,
    view: null,
    messages: [],
    pollsAt: new Map(),
    chapters: [],
    tiles: [],
    pinned: null,
    audioOnly: false,
    complete: false,
    extras: extrasOf(info),
    thumbnails: [],
    captions: null,
    cues: [],
  });
  /** its tracks are those at `base` */
  let current = content;
  const address = (file: string) => base + file;
  const reporter = new Reporter((op, stretches) => api.watched(session, info.recording, op, stretches), randomId);

  const get = async (file: string): Promise<Response> => {
    const wanted = { credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT_MS) } as const;
    const response = await fetch(address(file), wanted).catch(() => {
      throw new Refused({ code: "offline", retry: "later" });
    });
    if (response.status === 403) await renew();
    const busy = response.status === 429 || response.status >= 500;
    if (!response.ok) throw new Refused({ code: busy ? "overloaded" : "not_found", retry: busy ? "later" : "never" });
    return response;
  };
  const timeline = new Timeline(
    content.timeline,
    async (name) => (await get(name)).json(),
    () => {
      store.set({ messages: timeline.messages(), pollsAt: timeline.pollsAt(), complete: timeline.complete() });
      look();
    },
  );

  function look(): void {
    const { playing, tiles: before, pinned, audioOnly, view: seen } = store.get();
    const view = timeline.at(playing.position) ?? seen;
    const tiles = audioOnly ? [] : tilesAt(current, playing.position, view, { pinned, side, broken });
    const same = tiles.length === before.length && tiles.every((tile, i) => tile.key === before[i]?.key && tile.place === before[i]?.place);
    if (view !== seen || !same) store.set({ view, tiles: same ? before : tiles });
  }

  const player = new ReplayPlayer(content.duration_ms, content.mix ? address(content.mix.file) : null, (playing) => {
    store.set({ playing });
    reporter.see(playing.position, playing.rate, playing.playing && !playing.waiting);
    look();
  });

  async function renew(): Promise<void> {
    const fresh = await api.recording(session, info.recording).catch(() => null);
    if (!fresh?.base || fresh.base === base) return;
    base = fresh.base;
    current = fresh.content ?? current;
    store.set({ extras: extrasOf(fresh) });
    if (content.mix) player.renew(address(content.mix.file));
    soon(fresh.expires_at);
    look();
  }

  // What takes longer is published while the replay is watched. The pictures being played stay as they are.
  const pictures = content.tracks.some((track) => track.spans.length > 0 && (track.source === "camera" || track.source === "screen"));
  let looking: ReturnType<typeof setTimeout> | undefined;
  function lookLater(looks: number): void {
    const wait = LOOKS_MS[looks];
    if (wait === undefined || !awaits(store.get().extras, pictures)) return;
    looking = setTimeout(async () => {
      const fresh = await api.recording(session, info.recording).catch(() => null);
      if (fresh?.content) store.set({ extras: extrasOf(fresh) });
      lookLater(looks + 1);
    }, wait);
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  function soon(expires: number | null): void {
    clearTimeout(timer);
    if (expires) timer = setTimeout(() => void renew(), Math.max(60_000, expires * 1000 - Date.now() - 300_000));
  }

  soon(info.expires_at);
  lookLater(0);
  timeline.want(0);
  look();
  if (content.chapters) {
    void get(content.chapters)
      .then((response) => response.text())
      .then((text) => store.set({ chapters: parseChapters(text) }))
      .catch(() => undefined);
  }
  let wanted = "";
  const seek = (ms: number) => {
    player.seek(ms);
    timeline.want(ms);
  };
  return {
    content,
    store,
    address,
    attach(video, tile, onStale) {
      const { file } = tile.span;
      video.src = address(file);
      const arrived = () => tries.delete(file);
      const fail = () => {
        const tried = tries.get(file) ?? 0;
        const wait = askAgainIn(video.error?.code, tried);
        if (wait !== null) {
          tries.set(file, tried + 1);
          const again = () => {
            broken.delete(file);
            look();
          };
          retries.set(file, setTimeout(again, wait));
        }
        broken.add(file);
        look();
      };
      video.addEventListener("canplay", arrived);
      video.addEventListener("error", fail);
      const stop = player.attach(video, tile.span, onStale);
      return () => {
        video.removeEventListener("canplay", arrived);
        video.removeEventListener("error", fail);
        stop();
        video.removeAttribute("src");
        video.load();
      };
    },
    toggle: () => void (store.get().playing.playing ? player.pause() : player.play()),
    seek,
    step: (ms) => seek(player.position() + ms),
    setRate: (rate) => player.setRate(rate),
    setVolume: (volume, muted) => player.setVolume(volume, muted),
    pin(track) {
      store.set({ pinned: track });
      look();
    },
    setAudioOnly(on) {
      store.set({ audioOnly: on });
      look();
    },
    setSide(count) {
      side = count;
      look();
    },
    extra: (file) => store.get().extras.base + file,
    wantThumbnails() {
      const { base, thumbnails } = store.get().extras;
      if (thumbnails === null || wanted === base + thumbnails) return;
      wanted = base + thumbnails;
      void loadThumbnails(wanted)
        .then((found) => store.set({ thumbnails: found }))
        .catch(() => undefined);
    },
    setCaptions(language) {
      const { extras } = store.get();
      const found = extras.captions.find((each) => each.language === language);
      store.set({ captions: found?.language ?? null, cues: [] });
      if (!found) return;
      void loadCues(extras.base + found.file)
        .then((cues) => store.get().captions === language && store.set({ cues }))
        .catch(() => undefined);
    },
    close() {
      clearTimeout(timer);
      clearTimeout(looking);
      for (const each of retries.values()) clearTimeout(each);
      timeline.stop();
      reporter.close();
      player.close();
    },
  };
}
