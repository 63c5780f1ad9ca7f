/** Figures of the two connections between two looks. */
import type { LinkStats } from "./view";

interface Counters {
  at: number;
  bytesOut: number;
  bytesIn: number;
  packetsIn: number;
  lostIn: number;
  rtt: number | null;
  lossOut: number | null;
  transport: string | null;
  /** Frames coded so far and height, by stream: a layer that is paused keeps its last height. */
  out: Map<string, Picture>;
  in: Map<string, Picture>;
}

interface Picture {
  frames: number;
  lines: number;
}

async function count(pc: RTCPeerConnection, into: Counters): Promise<void> {
  const stats = await pc.getStats();
  for (const each of stats.values()) {
    if (each.type === "outbound-rtp") {
      into.bytesOut += each.bytesSent ?? 0;
      if (each.frameHeight) into.out.set(each.id, { frames: each.framesEncoded ?? 0, lines: each.frameHeight });
    }
    if (each.type === "inbound-rtp") {
      if (each.frameHeight) into.in.set(each.id, { frames: each.framesDecoded ?? 0, lines: each.frameHeight });
      into.bytesIn += each.bytesReceived ?? 0;
      into.packetsIn += each.packetsReceived ?? 0;
      into.lostIn += each.packetsLost ?? 0;
    }
    if (each.type === "remote-inbound-rtp" && typeof each.fractionLost === "number")
      into.lossOut = Math.max(into.lossOut ?? 0, each.fractionLost);
    if (each.type === "candidate-pair" && each.nominated && each.state === "succeeded") {
      if (typeof each.currentRoundTripTime === "number") into.rtt = Math.max(into.rtt ?? 0, each.currentRoundTripTime * 1000);
      const local = stats.get(each.localCandidateId);
      into.transport = local?.protocol ?? into.transport;
    }
  }
}

/** The height of the tallest picture that moved between two looks. */
function tallest(before: Map<string, Picture> | undefined, now: Map<string, Picture>): number | null {
  const moving = [...now].filter(([id, { frames }]) => frames > (before?.get(id)?.frames ?? 0));
  return moving.length === 0 ? null : Math.max(...moving.map(([, { lines }]) => lines));
}

export class StatsReader {
  #last: Counters | null = null;

  async read(connections: readonly (RTCPeerConnection | null)[], at: number): Promise<LinkStats> {
    const pictures = { out: new Map<string, Picture>(), in: new Map<string, Picture>() };
    const now: Counters = { at, bytesOut: 0, bytesIn: 0, packetsIn: 0, lostIn: 0, rtt: null, lossOut: null, transport: null, ...pictures };
    for (const pc of connections) if (pc && pc.connectionState !== "closed") await count(pc, now);
    const before = this.#last;
    this.#last = now;
    const seconds = before ? Math.max(0.001, (now.at - before.at) / 1000) : 0;
    const rate = (bytes: number, earlier: number) => (before ? Math.max(0, ((bytes - earlier) * 8) / 1000 / seconds) : 0);
    const packets = before ? now.packetsIn - before.packetsIn : 0;
    const lost = before ? now.lostIn - before.lostIn : 0;
    return {
      rtt: now.rtt,
      lossOut: now.lossOut,
      lossIn: packets + lost > 0 ? Math.max(0, lost / (packets + lost)) : null,
      kbitOut: rate(now.bytesOut, before?.bytesOut ?? 0),
      kbitIn: rate(now.bytesIn, before?.bytesIn ?? 0),
      transport: now.transport,
      linesOut: tallest(before?.out, now.out),
      linesIn: tallest(before?.in, now.in),
    };
  }
}
