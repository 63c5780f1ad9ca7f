import type { NetworkReport } from "../../src/media/netcheck";

export type { Grade, NetworkReport } from "../../src/media/netcheck";

const REPORTS: Record<string, NetworkReport> = {
  good: { grade: "good", transport: "udp", rtt: 24, loss: 0, code: "7F3-K2M" },
  fair: { grade: "fair", transport: "tcp", rtt: 61, loss: 0.004, code: "9QA-3RT" },
  failed: { grade: "failed", transport: null, rtt: null, loss: null, code: "222-22Z" },
};

/** The verdict named in the address. */
export async function checkNetwork(): Promise<NetworkReport> {
  const name = new URLSearchParams(location.search).get("net") ?? "good";
  const report = REPORTS[name];
  if (!report) throw new Error("unavailable");
  return report;
}
