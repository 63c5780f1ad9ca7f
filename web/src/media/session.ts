/**
 * One person's media in one class. What is announced (commands) and what is sent (tracks) go together: a device is opened, then announced,
 * then sent; it is silent here before the others are told it is off. The class has the last word: a track it switches off stops here too.
 */
import { codeOf } from "../protocol/refused";
import type { Command, Reply, Request, Signal, SlotOffer } from "../protocol/types";
import { openCamera, openMicrophone, openScreen, problemOf, remember, remembered } from "./devices";
import { Player } from "./player";
import { Publisher } from "./publisher";
import { SizeTeller } from "./sizes";
import { type Slots, sizesOf } from "./slots";
import { StatsReader } from "./stats";
import { Subscriber } from "./subscriber";
import type { LinkStats, MediaControls, MediaView } from "./view";
import { Viewport } from "./viewport";

export interface Wiring {
  command(command: Command): Promise<Reply>;
  request<T>(request: Request): Promise<T>;
  change(part: Partial<MediaView>): void;
  refused(code: string): void;
  device(why: ReturnType<typeof problemOf>): void;
  /** A device that was on is gone. */
  unplugged(what: "microphone" | "camera"): void;
  /** Whether this person's picture is for the whole class rather than a tile. */
  large(): boolean;
  tiles: number;
}

type Device = "microphone" | "camera" | "screen";

export class MediaSession implements MediaControls {
  #wiring: Wiring;
  #publisher: Publisher;
  #subscriber: Subscriber | null = null;
  #player: Player;
  #stats = new StatsReader();
  #tracks: Partial<Record<Device | "screen_audio", MediaStreamTrack>> = {};
  /** Switched on as far as this page is concerned; the class may still be asked. */
  #on: Record<Device, boolean> = { microphone: false, camera: false, screen: false };
  #asking: Record<Device, number> = { microphone: 0, camera: 0, screen: 0 };
  #shown: string[] | null = null;
  #slots: Slots = [];
  #viewport = new Viewport(() => this.#measure());
  #sizes: SizeTeller;
  #closed = false;

  constructor(wiring: Wiring) {
    this.#wiring = wiring;
    this.#publisher = new Publisher(
      (offer) => wiring.request({ type: "media_publish", ...offer }),
      (publish) => wiring.change({ publish }),
      wiring.large,
    );
    this.#sizes = new SizeTeller((sizes) => wiring.request({ type: "media_subscribe", action: "size", sizes }));
    this.#player = new Player((soundBlocked) => wiring.change({ soundBlocked }));
    this.#player.use(remembered().speaker);
  }

  /** A connection to the class exists (again): media belongs to it and starts anew. */
  connect(): void {
    this.#subscriber?.close();
    this.#publisher.close();
    const request = this.#wiring.request;
    this.#subscriber = new Subscriber(
      {
        offer: (tiles) => request<{ sdp: string; slots: SlotOffer[] }>({ type: "media_subscribe", action: "offer", tiles }),
        answer: (sdp) => request({ type: "media_subscribe", action: "answer", sdp }),
        restart: () => request<{ sdp: string }>({ type: "media_subscribe", action: "restart" }),
        show: (participants) => request({ type: "media_subscribe", action: "show", tiles: participants }),
        opened: () => this.#sizes.begin(),
      },
      this.#wiring.tiles,
      (subscribe) => this.#wiring.change({ subscribe }),
      (received) => {
        this.#wiring.change(received);
        this.#slots = received.slots;
        this.#measure();
        const sounding = received.slots
          .filter((slot) => slot.kind === "audio")
          .map((slot) => [slot.mid, received.streams[slot.mid]] as const);
        this.#player.play(Object.fromEntries(sounding.filter((each): each is [string, MediaStream] => each[1] !== undefined)));
      },
    );
    if (this.#shown) this.#subscriber.show(this.#shown);
    this.#subscriber.start();
    // A muted microphone is kept open and not sent.
    for (const [source, track] of Object.entries(this.#tracks) as [Device | "screen_audio", MediaStreamTrack][]) {
      if (this.#on[source === "screen_audio" ? "screen" : source]) void this.#publisher.send(source, track).catch(() => undefined);
    }
  }

  hear(signal: Signal): void {
    if (signal.type === "slots") this.#subscriber?.assign(signal.slots, signal.partial ?? false);
    if (signal.type === "layers") this.#subscriber?.layer(signal.slots);
    if (signal.type === "media" && signal.state === "closed" && signal.reason !== "requested" && signal.reason !== "replaced") {
      if (signal.side === "subscribe") this.#subscriber?.lost();
      else this.#publisher.lost();
    }
  }

  /** What the class says is on; called after every change of the view. */
  follow(announced: Record<Device, boolean>): void {
    for (const device of ["microphone", "camera", "screen"] as const) {
      if (this.#on[device] && !announced[device] && this.#asking[device] === 0) void this.#off(device, false);
    }
  }

  /** After the class lost this page: announces again what is still switched on here. */
  async announceAgain(announced: Record<Device, boolean>): Promise<void> {
    const again = (["microphone", "camera", "screen"] as const).filter((device) => this.#on[device] && !announced[device]);
    // All of them are being asked for: an answer about one must not switch off the next.
    for (const device of again) this.#asking[device] += 1;
    for (const device of again) {
      const granted = await this.#announce(device, true, false);
      this.#asking[device] -= 1;
      if (!granted) await this.#off(device, false);
    }
  }

  setMicrophone = (on: boolean): Promise<void> =>
    on ? this.#switchOn("microphone", () => openMicrophone(remembered().microphone)) : this.#off("microphone", true);
  setCamera = (on: boolean): Promise<void> =>
    on ? this.#switchOn("camera", () => openCamera(remembered().camera, this.#wiring.large())) : this.#off("camera", true);
  setScreen = (on: boolean): Promise<void> => (on ? this.#share() : this.#off("screen", true));

  async chooseDevices(change: { camera?: string | null; microphone?: string | null; speaker?: string | null }): Promise<void> {
    const before = remembered();
    remember(change);
    if (change.speaker !== undefined) this.#player.use(change.speaker);
    for (const device of ["microphone", "camera"] as const) {
      const wanted = change[device];
      // null is the browser's own choice.
      if (wanted === undefined) continue;
      if (wanted === null ? before[device] === null : this.#tracks[device]?.getSettings().deviceId === wanted) continue;
      if (!this.#on[device]) {
        this.#giveBack(device);
        continue;
      }
      try {
        const track = device === "camera" ? await openCamera(wanted, this.#wiring.large()) : await openMicrophone(wanted);
        if (!this.#on[device] || this.#closed) {
          track.stop();
          this.#giveBack(device);
          continue;
        }
        this.#keep(device, track);
        await this.#publisher.send(device, track);
      } catch (error) {
        this.#wiring.device(problemOf(error));
      }
    }
  }

  show = (participants: string[]): void => {
    this.#shown = participants;
    this.#subscriber?.show(participants);
  };

  look = (mid: string, element: HTMLVideoElement): (() => void) => this.#viewport.look(mid, element);

  unlockSound = (): Promise<void> => this.#player.unlock();
  stats = (): Promise<LinkStats> => this.#stats.read([this.#publisher.connection, this.#subscriber?.connection ?? null], performance.now());

  get connections(): { publish: RTCPeerConnection | null; subscribe: RTCPeerConnection | null } {
    return { publish: this.#publisher.connection, subscribe: this.#subscriber?.connection ?? null };
  }

  close(): void {
    this.#closed = true;
    for (const track of Object.values(this.#tracks)) track.stop();
    this.#tracks = {};
    this.#on = { microphone: false, camera: false, screen: false };
    this.#publisher.close();
    this.#subscriber?.close();
    this.#player.stop();
    this.#sizes.stop();
    this.#viewport.close();
    this.#wiring.change({ microphone: "off", camera: "off", screen: "off", localCamera: null, localScreen: null });
  }

  #measure(): void {
    this.#sizes.show(sizesOf(this.#slots, (mid) => this.#viewport.heightOf(mid)));
  }

  async #switchOn(device: "microphone" | "camera", open: () => Promise<MediaStreamTrack>): Promise<void> {
    if (this.#on[device]) return;
    this.#on[device] = true;
    // Until it is open and announced, the class not knowing of it is no reason to switch it off.
    this.#asking[device] += 1;
    this.#wiring.change({ [device]: "starting" });
    try {
      const live = this.#tracks[device];
      const track = live && live.readyState === "live" ? live : await open();
      if (!this.#on[device] || this.#closed) return track.stop();
      this.#keep(device, track);
    } catch (error) {
      this.#on[device] = false;
      this.#wiring.change({ [device]: "off", problem: { what: device, why: problemOf(error) } });
      this.#wiring.device(problemOf(error));
      return;
    } finally {
      this.#asking[device] -= 1;
    }
    await this.#publishNow(device);
  }

  async #share(): Promise<void> {
    if (this.#on.screen) return;
    this.#on.screen = true;
    this.#asking.screen += 1;
    this.#wiring.change({ screen: "starting" });
    try {
      const { video, audio } = await openScreen();
      // The class may have ended while the browser asked.
      if (!this.#on.screen || this.#closed) {
        video.stop();
        audio?.stop();
        return;
      }
      this.#tracks.screen = video;
      if (audio) this.#tracks.screen_audio = audio;
      video.addEventListener("ended", () => this.#tracks.screen === video && void this.#off("screen", true));
      this.#wiring.change({ localScreen: new MediaStream([video]) });
    } catch (error) {
      this.#on.screen = false;
      this.#wiring.change({ screen: "off" });
      // Closing the browser's picker is a choice, not a fault.
      if (problemOf(error) !== "denied") this.#wiring.device(problemOf(error));
      return;
    } finally {
      this.#asking.screen -= 1;
    }
    await this.#publishNow("screen");
  }

  async #publishNow(device: Device): Promise<void> {
    if (!(await this.#announce(device, true, true))) return this.#off(device, false);
    if (!this.#on[device]) return;
    this.#wiring.change({ [device]: "on" });
    const track = this.#tracks[device];
    try {
      if (track) await this.#publisher.send(device, track);
      if (device === "screen" && this.#tracks.screen_audio) await this.#publisher.send("screen_audio", this.#tracks.screen_audio);
    } catch (error) {
      // The connection keeps trying by itself; without any connection to the class the next one sends again.
      if (codeOf(error) !== "offline") this.#wiring.refused(codeOf(error));
    }
  }

  async #off(device: Device, tell: boolean): Promise<void> {
    if (!this.#on[device]) return;
    this.#on[device] = false;
    const track = this.#tracks[device];
    await this.#publisher.send(device, null).catch(() => undefined);
    if (device === "screen") await this.#publisher.send("screen_audio", null).catch(() => undefined);
    // The microphone stays open, not sent, so that the next word is not lost; cameras and screens are given back at once.
    if (device !== "microphone") {
      track?.stop();
      delete this.#tracks[device];
    }
    if (device === "screen") {
      this.#tracks.screen_audio?.stop();
      delete this.#tracks.screen_audio;
    }
    this.#wiring.change(
      device === "camera"
        ? { camera: "off", localCamera: null }
        : device === "screen"
          ? { screen: "off", localScreen: null }
          : { microphone: "off" },
    );
    if (tell) await this.#announce(device, false, true);
  }

  /** Muted with one that is no longer the chosen one: the next word must not go to it. */
  #giveBack(device: "microphone" | "camera"): void {
    this.#tracks[device]?.stop();
    delete this.#tracks[device];
  }

  #keep(device: "microphone" | "camera", track: MediaStreamTrack): void {
    const former = this.#tracks[device];
    if (former && former !== track) former.stop();
    this.#tracks[device] = track;
    track.addEventListener("ended", () => {
      if (this.#tracks[device] !== track || !this.#on[device]) return;
      // Nobody pressed anything: who goes on talking must hear of it.
      this.#wiring.unplugged(device);
      void this.#off(device, true);
    });
    if (device === "camera") this.#wiring.change({ localCamera: new MediaStream([track]) });
  }

  async #announce(device: Device, on: boolean, loud: boolean): Promise<boolean> {
    const command: Command =
      device === "screen"
        ? { type: on ? "start_screen" : "stop_screen" }
        : { type: device === "microphone" ? "set_microphone" : "set_camera", on };
    this.#asking[device] += 1;
    try {
      await this.#wiring.command(command);
      return true;
    } catch (error) {
      if (loud) this.#wiring.refused(codeOf(error));
      return false;
    } finally {
      this.#asking[device] -= 1;
    }
  }
}
