/**
 * The sending connection: four m-lines made once (microphone, camera, screen, screen sound), switched on and off by replaceTrack so that
 * nothing is ever renegotiated for it; pictures in layers (encodings.ts). We offer, the node answers.
 */
import type { Source, TrackOffer } from "../protocol/types";
import { captureSize } from "./devices";
import { encodingsOf, type Picture, refitted, tallestLayer } from "./encodings";
import { LinkKeeper } from "./link";
import type { Link } from "./view";

export type Publish = (offer: { sdp: string; tracks: TrackOffer[] }) => Promise<{ sdp: string }>;

const SOURCES: readonly Source[] = ["microphone", "camera", "screen", "screen_audio"];

export class Publisher {
  #publish: Publish;
  #tell: (link: Link) => void;
  #large: () => boolean;
  #pc: RTCPeerConnection | null = null;
  #keeper: LinkKeeper | null = null;
  #senders = new Map<Source, RTCRtpSender>();
  #tracks = new Map<Source, MediaStreamTrack>();

  constructor(publish: Publish, tell: (link: Link) => void, large: () => boolean) {
    this.#publish = publish;
    this.#tell = tell;
    this.#large = large;
  }

  get connection(): RTCPeerConnection | null {
    return this.#pc;
  }

  /** Sends this track from now on, or nothing; the connection is made at the first track. */
  async send(source: Source, track: MediaStreamTrack | null): Promise<void> {
    if (track) this.#tracks.set(source, track);
    else this.#tracks.delete(source);
    if (!this.#pc && track) return this.#open();
    await this.#senders.get(source)?.replaceTrack(track);
    if (track) await this.#fit(source);
  }

  /** The node closed this connection; make another if anything is to be sent. */
  lost(): void {
    if (this.#tracks.size > 0) this.#keeper?.broken();
    else this.close();
  }

  close(): void {
    this.#keeper?.stop();
    this.#keeper = null;
    this.#pc?.close();
    this.#pc = null;
    this.#senders.clear();
    this.#tell("none");
  }

  async #open(): Promise<void> {
    this.#pc?.close();
    this.#senders.clear();
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.#pc = pc;
    if (!this.#keeper) {
      this.#keeper = new LinkKeeper({ restart: () => this.#restart(), rebuild: () => this.#open(), tell: this.#tell });
    }
    this.#keeper.follow(pc);
    for (const source of SOURCES) {
      const kind = source === "camera" || source === "screen" ? "video" : "audio";
      const sendEncodings = encodingsOf(source, this.#picture(source), this.#large());
      const transceiver = pc.addTransceiver(kind, { direction: "sendonly", sendEncodings });
      this.#senders.set(source, transceiver.sender);
      const track = this.#tracks.get(source);
      if (track) await transceiver.sender.replaceTrack(track);
    }
    try {
      await this.#negotiate(pc, false);
    } catch (error) {
      // One that was closed meanwhile is no fault of the one in its place.
      if (this.#pc === pc) this.#keeper?.broken();
      throw error;
    }
  }

  async #restart(): Promise<void> {
    if (this.#pc) await this.#negotiate(this.#pc, true);
  }

  async #negotiate(pc: RTCPeerConnection, iceRestart: boolean): Promise<void> {
    await pc.setLocalDescription(await pc.createOffer({ iceRestart }));
    const mids = pc.getTransceivers().map((each) => each.mid ?? "");
    const tracks = SOURCES.map((source, i) => ({ mid: mids[i] ?? String(i), source, ...this.#height(source) }));
    const { sdp } = await this.#publish({ sdp: pc.localDescription?.sdp ?? "", tracks });
    if (pc.signalingState === "closed") return;
    await pc.setRemoteDescription({ type: "answer", sdp });
    for (const source of SOURCES) await this.#fit(source);
  }

  /** Of the camera also while it is off: it may be switched on later, and nothing is negotiated then. */
  #height(source: Source): { height?: number } {
    if (source !== "camera" && (source !== "screen" || !this.#tracks.has(source))) return {};
    return { height: tallestLayer(source, this.#picture(source), this.#large()) };
  }

  /** What is captured, or what the camera will be asked for. */
  #picture(source: Source): Picture {
    const { width, height } = this.#tracks.get(source)?.getSettings() ?? {};
    return width && height ? { width, height } : captureSize(source === "screen" || this.#large());
  }

  /** Sizes and rates of the layers for what is captured now and the layers the answer left. */
  async #fit(source: Source): Promise<void> {
    const sender = this.#senders.get(source);
    if (!sender || source === "microphone" || source === "screen_audio") return;
    const parameters = sender.getParameters();
    const encodings = refitted(source, parameters.encodings, this.#picture(source));
    if (encodings) await sender.setParameters({ ...parameters, encodings }).catch(() => undefined);
  }
}
