/**
 * The sending connection: four m-lines made once (microphone, camera, screen, screen sound), switched on and off by replaceTrack so that
 * nothing is ever renegotiated for it. We offer, the node answers.
 */
import type { Source } from "../protocol/types";
import { LinkKeeper } from "./link";
import type { Link } from "./view";

export type Publish = (offer: { sdp: string; tracks: { mid: string; source: Source }[] }) => Promise<{ sdp: string }>;

const SOURCES: readonly Source[] = ["microphone", "camera", "screen", "screen_audio"];
/** Upper bounds in bit/s; congestion control finds what fits below. */
const MOST_BITS: Record<Source, number> = { microphone: 40_000, camera: 700_000, screen: 2_500_000, screen_audio: 96_000 };
export const LARGE_CAMERA_BITS = 1_600_000;

export class Publisher {
  #publish: Publish;
  #tell: (link: Link) => void;
  #cameraBits: () => number;
  #pc: RTCPeerConnection | null = null;
  #keeper: LinkKeeper | null = null;
  #senders = new Map<Source, RTCRtpSender>();
  #tracks = new Map<Source, MediaStreamTrack>();
  #opening: Promise<void> | null = null;

  constructor(publish: Publish, tell: (link: Link) => void, cameraBits: () => number) {
    this.#publish = publish;
    this.#tell = tell;
    this.#cameraBits = cameraBits;
  }

  get connection(): RTCPeerConnection | null {
    return this.#pc;
  }

  /** Sends this track from now on, or nothing; the connection is made at the first track. */
  async send(source: Source, track: MediaStreamTrack | null): Promise<void> {
    if (track) this.#tracks.set(source, track);
    else this.#tracks.delete(source);
    if (!this.#pc && track) {
      this.#opening ??= this.#open().finally(() => {
        this.#opening = null;
      });
      return this.#opening;
    }
    await this.#senders.get(source)?.replaceTrack(track);
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
      const bits = source === "camera" ? this.#cameraBits() : MOST_BITS[source];
      const transceiver = pc.addTransceiver(kind, { direction: "sendonly", sendEncodings: [{ maxBitrate: bits }] });
      this.#senders.set(source, transceiver.sender);
      const track = this.#tracks.get(source);
      if (track) await transceiver.sender.replaceTrack(track);
    }
    try {
      await this.#negotiate(pc, false);
    } catch (error) {
      this.#keeper?.broken();
      throw error;
    }
  }

  async #restart(): Promise<void> {
    if (this.#pc) await this.#negotiate(this.#pc, true);
  }

  async #negotiate(pc: RTCPeerConnection, iceRestart: boolean): Promise<void> {
    await pc.setLocalDescription(await pc.createOffer({ iceRestart }));
    const mids = pc.getTransceivers().map((each) => each.mid ?? "");
    const tracks = SOURCES.map((source, i) => ({ mid: mids[i] ?? String(i), source }));
    const { sdp } = await this.#publish({ sdp: pc.localDescription?.sdp ?? "", tracks });
    if (pc.signalingState !== "closed") await pc.setRemoteDescription({ type: "answer", sdp });
  }
}
