/**
 * Stands in for the node: takes one source of an offer, every layer of it on an m-line of its own, so that a browser decodes them all at
 * once. Layers are told apart by their RID, which the receiver is made to read as its MID: both are the same kind of header extension.
 */
import type { Source, TrackOffer } from "../../src/protocol/types";

const MID = "urn:ietf:params:rtp-hdrext:sdes:mid";

type Lines = readonly string[];
const write = (sections: readonly Lines[]) => `${sections.flat().join("\r\n")}\r\n`;

/** The session's lines, then each m-line's. */
export function sectionsOf(sdp: string): string[][] {
  const sections: string[][] = [[]];
  for (const line of sdp.split("\r\n").filter((each) => each !== "")) {
    if (line.startsWith("m=")) sections.push([]);
    sections.at(-1)?.push(line);
  }
  return sections;
}

const attribute = (section: Lines, name: string) => section.find((line) => line.startsWith(`a=${name}:`))?.slice(name.length + 3) ?? "";
export const ridsOf = (section: Lines) => section.flatMap((line) => /^a=rid:(\S+) send/.exec(line)?.[1] ?? []);
const bundled = (session: Lines, mids: Lines) =>
  session.map((line) => (line.startsWith("a=group:") ? `a=group:BUNDLE ${mids.join(" ")}` : line));
const without = (section: Lines, what: RegExp) => section.filter((line) => !what.test(line));

/** RTX cannot be told apart this way, and padding that is lost would look like a bad path. */
function withoutRepair(section: Lines): string[] {
  const types = section.flatMap((line) => /^a=rtpmap:(\d+) (?:rtx|red|ulpfec)\//.exec(line)?.[1] ?? []);
  return section
    .filter((line) => !types.includes(/^a=(?:rtpmap|fmtp|rtcp-fb):(\d+) /.exec(line)?.[1] ?? ""))
    .map((line) => (line.startsWith("m=") ? without(line.split(" "), new RegExp(`^(?:${types.join("|") || "none"})$`)).join(" ") : line));
}

function spread(section: Lines, rids: readonly string[]): string[][] {
  const rid = section.find((line) => /^a=extmap:.* .*sdes:rtp-stream-id$/.test(line)) ?? "";
  const kept = without(section, /^a=(?:rid|simulcast|ssrc|ssrc-group|msid|candidate|mid)\b|rtp-stream-id$|sdes:mid$/);
  return rids.map((name) => [...kept, `a=mid:${name}`, `a=extmap:${/\d+/.exec(rid)?.[0]} ${MID}`, `a=msid:- ${name}`]);
}

function gathered(answered: Lines, offered: Lines, rids: readonly string[]): string[] {
  const maps = offered.filter((line) => /^a=extmap:.*(?:rtp-stream-id|sdes:mid)$/.test(line)).map((line) => line.replace(/\/\w+only/, ""));
  const kept = without(withoutRepair(answered), /^a=mid:|sdes:mid$/);
  return [
    ...kept,
    `a=mid:${attribute(offered, "mid")}`,
    ...maps,
    ...rids.map((rid) => `a=rid:${rid} recv`),
    `a=simulcast:recv ${rids.join(";")}`,
  ];
}

function declined(offered: Lines): string[] {
  const [media = "", ...rest] = offered;
  return [media.replace(/^(m=\w+) \d+/, "$1 0"), ...rest.filter((line) => /^a=(?:mid|rtpmap):|^c=/.test(line)), "a=inactive"];
}

export interface Layer {
  frames: number;
  height: number;
}

export class Receiver {
  #pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  #source: Source;
  #simulcast: boolean;
  offers: { sdp: string; tracks: TrackOffer[] }[] = [];

  /** `simulcast` false: as an old node, which takes the m-line and knows nothing of layers. */
  constructor(source: Source, simulcast = true) {
    this.#source = source;
    this.#simulcast = simulcast;
    this.#pc.addEventListener("track", ({ track }) => {
      const video = document.createElement("video");
      Object.assign(video, { muted: true, srcObject: new MediaStream([track]) });
      document.body.append(video);
      void video.play().catch(() => undefined);
    });
  }

  answer = async (offer: { sdp: string; tracks: TrackOffer[] }): Promise<{ sdp: string }> => {
    this.offers.push(offer);
    const [session = [], ...offered] = sectionsOf(offer.sdp);
    const mid = offer.tracks.find((track) => track.source === this.#source)?.mid;
    const wanted = offered.find((section) => attribute(section, "mid") === mid) ?? [];
    const first = offered[0] ?? [];
    const rids = ridsOf(wanted);
    const taken = this.#simulcast ? spread(wanted, rids) : [without(wanted, /^a=(?:rid|simulcast)\b/)];
    const mids = [first, ...taken].map((section) => attribute(section, "mid"));
    const plain = this.#simulcast ? without(first, /sdes:mid$/) : first;
    await this.#pc.setRemoteDescription({ type: "offer", sdp: write([bundled(session, mids), plain, ...taken]) });
    await this.#pc.setLocalDescription();
    while (this.#pc.iceGatheringState !== "complete")
      await new Promise((go) => this.#pc.addEventListener("icegatheringstatechange", go, { once: true }));
    const [head = [], sound = [], video = []] = sectionsOf(this.#pc.localDescription?.sdp ?? "");
    const answers = offered.map((section) => {
      if (section === first) return sound;
      if (section !== wanted) return declined(section);
      return this.#simulcast ? gathered(video, wanted, rids) : video;
    });
    return { sdp: write([bundled(head, [attribute(first, "mid"), mid ?? ""]), ...answers]) };
  };

  /** What was decoded so far, by RID. */
  async layers(): Promise<Record<string, Layer>> {
    const stats = [...(await this.#pc.getStats()).values()].filter((each) => each.type === "inbound-rtp" && each.kind === "video");
    return Object.fromEntries(stats.map((each) => [each.mid, { frames: each.framesDecoded ?? 0, height: each.frameHeight ?? 0 }]));
  }

  close(): void {
    this.#pc.close();
    document.body.replaceChildren();
  }
}
