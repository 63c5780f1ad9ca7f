/**
 * Network check over the real media path: a throw-away transport to the node's media port, first as offered (UDP preferred), then TCP alone
 * if that does not come up. Round trips and losses are those of the connectivity checks (RFC 8445), which run on the same path as media.
 */

export type Grade = "good" | "fair" | "poor" | "failed";
export interface NetworkReport {
  grade: Grade;
  transport: "udp" | "tcp" | null;
  /** milliseconds */
  rtt: number | null;
  /** 0..1 */
  loss: number | null;
  /** What a person can read to support: transport, round trip and loss in six letters. */
  code: string;
}

const CONNECT_MS = 5_000;
const SAMPLE_MS = 500;
const SAMPLES = 5;

export function grade(transport: "udp" | "tcp" | null, rtt: number | null, loss: number | null): Grade {
  if (transport === null) return "failed";
  if ((rtt ?? 0) > 400 || (loss ?? 0) > 0.1) return "poor";
  if (transport === "tcp" || (rtt ?? 0) > 150 || (loss ?? 0) > 0.03) return "fair";
  return "good";
}

const ENOUGH_CHECKS = 8;
/** Share of checks without an answer; null when too few were sent to tell. One is always still on its way and does not count. */
export function lossOf(sent: number, answered: number): number | null {
  return sent < ENOUGH_CHECKS ? null : Math.max(0, (sent - 1 - answered) / (sent - 1));
}

const LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/** Transport, round trip (5 ms steps) and loss (permille) as 4+2 letters of a 32-letter alphabet. */
export function supportCode(transport: "udp" | "tcp" | null, rtt: number | null, loss: number | null): string {
  const kind = transport === "udp" ? 1 : transport === "tcp" ? 2 : 0;
  const value = kind * 2 ** 22 + Math.min(4095, Math.round((rtt ?? 0) / 5)) * 2 ** 10 + Math.min(1023, Math.round((loss ?? 0) * 1000));
  let text = "";
  for (let i = 4; i >= 0; i--) text += LETTERS[Math.floor(value / 32 ** i) % 32];
  const check = LETTERS[[...text].reduce((sum, letter, i) => sum + LETTERS.indexOf(letter) * (i + 3), 0) % 32];
  return `${text.slice(0, 3)}-${text.slice(3)}${check}`;
}

/** The answer with only its TCP candidates, so that the check cannot use UDP. */
export function tcpOnly(sdp: string): string {
  return sdp
    .split("\r\n")
    .filter((line) => !line.startsWith("a=candidate:") || / tcp /i.test(line))
    .join("\r\n");
}

interface Pair {
  rtt: number | null;
  sent: number;
  answered: number;
  transport: "udp" | "tcp";
}

async function selected(pc: RTCPeerConnection): Promise<Pair | null> {
  const stats = await pc.getStats();
  let pairId: string | undefined;
  for (const each of stats.values()) if (each.type === "transport") pairId = each.selectedCandidatePairId;
  for (const each of stats.values()) {
    if (each.type !== "candidate-pair" || (pairId ? each.id !== pairId : !each.nominated)) continue;
    const local = stats.get(each.localCandidateId);
    return {
      rtt: each.currentRoundTripTime === undefined ? null : each.currentRoundTripTime * 1000,
      sent: (each.requestsSent ?? 0) + (each.consentRequestsSent ?? 0),
      answered: each.responsesReceived ?? 0,
      transport: local?.protocol === "tcp" ? "tcp" : "udp",
    };
  }
  return null;
}

function connected(pc: RTCPeerConnection): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), CONNECT_MS);
    pc.addEventListener("connectionstatechange", () => {
      if (pc.connectionState !== "connected" && pc.connectionState !== "failed") return;
      clearTimeout(timer);
      resolve(pc.connectionState === "connected");
    });
  });
}

async function attempt(exchange: (sdp: string) => Promise<string>, force: "tcp" | null): Promise<Pair | null> {
  const pc = new RTCPeerConnection();
  try {
    pc.addTransceiver("audio", { direction: "sendonly" });
    await pc.setLocalDescription();
    const answer = await exchange(pc.localDescription?.sdp ?? "");
    const up = connected(pc);
    await pc.setRemoteDescription({ type: "answer", sdp: force ? tcpOnly(answer) : answer });
    if (!(await up)) return null;
    const trips: number[] = [];
    // Checks sent before the node knew of us went unanswered by design: only those after this moment count.
    const first = await selected(pc);
    let last: Pair | null = first;
    for (let i = 0; i < SAMPLES; i++) {
      await new Promise((done) => setTimeout(done, SAMPLE_MS));
      last = (await selected(pc)) ?? last;
      if (last?.rtt != null) trips.push(last.rtt);
    }
    trips.sort((a, b) => a - b);
    const rtt = trips[Math.floor(trips.length / 2)] ?? null;
    return last && { ...last, rtt, sent: last.sent - (first?.sent ?? 0), answered: last.answered - (first?.answered ?? 0) };
  } finally {
    pc.close();
  }
}

/** Runs the check; `exchange` brings an offer to the node and returns its answer. Rejects when the node refuses. */
export async function checkNetwork(exchange: (sdp: string) => Promise<string>): Promise<NetworkReport> {
  const pair = (await attempt(exchange, null)) ?? (await attempt(exchange, "tcp"));
  const transport = pair?.transport ?? null;
  const rtt = pair?.rtt ?? null;
  const loss = pair ? lossOf(pair.sent, pair.answered) : null;
  return { grade: grade(transport, rtt, loss), transport, rtt, loss, code: supportCode(transport, rtt, loss) };
}
