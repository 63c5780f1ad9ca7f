/** The node's figures as `GET /api/v1/operator/overview` gives them. Times in ms, rates per second, bit rates in kbit/s. */
import type { Phase } from "../../protocol/types";

export interface Row {
  at: number;
  classes: number;
  people: number;
  connections: number;
  joins: number;
  commands: number;
  loop_late_ms: number;
  journal_ms: number;
  packets_in: number;
  packets_out: number;
  kbit_in: number;
  kbit_out: number;
  media_people: number;
  nacks: number;
  key_frame_requests: number;
  queue_drops: number;
}

export interface ClassRow {
  session: string;
  title: string;
  phase: Phase;
  present: number;
  on_stage: number;
  waiting: number;
}

export interface Overview {
  version: string;
  started_at: number;
  now: number;
  draining: boolean;
  store: string;
  media: string;
  rows: Row[];
  classes: ClassRow[];
  class_count: number;
}

/** 1_234 kbit/s -> ["1.23", "Mbit/s"]. */
export function bitrate(kbit: number): [string, string] {
  if (kbit >= 1_000_000) return [(kbit / 1_000_000).toFixed(2), "Gbit/s"];
  if (kbit >= 1_000) return [(kbit / 1_000).toFixed(kbit >= 100_000 ? 0 : 2), "Mbit/s"];
  return [kbit.toFixed(0), "kbit/s"];
}

export const highest = (rows: readonly Row[], pick: (row: Row) => number, last = 60): number => Math.max(0, ...rows.slice(-last).map(pick));
