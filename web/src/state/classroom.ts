/** One class in one tab as the page sees it: a store of everything known, and what can be asked for. */
import type { DeviceProblem } from "../media/devices";
import type { LinkStats, MediaControls, MediaView } from "../media/view";
import { NO_MEDIA } from "../media/view";
import type { Status } from "../protocol/connection";
import type { Command, Problem, Request, RoomView } from "../protocol/types";
import { type Live, NO_SIGNALS } from "./live";
import type { Store } from "./store";

export interface ClassState {
  status: Status;
  problem: Problem | null;
  view: RoomView | null;
  live: Live;
  media: MediaView;
  /** Server clock minus this machine's, milliseconds. */
  skew: number;
  /** Texts of commands that were sent but not answered yet, for the chat's "sending" lines. */
  outgoing: { key: string; text: string; channel: string }[];
}

export const NOTHING_YET: ClassState = {
  status: "connecting",
  problem: null,
  view: null,
  live: NO_SIGNALS,
  media: NO_MEDIA,
  skew: 0,
  outgoing: [],
};

/** What happened that a person should be told in passing; the page turns it into words. */
export type Notice =
  | { kind: "refused"; code: string }
  | { kind: "device"; why: DeviceProblem }
  | { kind: "unplugged"; what: "microphone" | "camera" }
  | { kind: "reconnected" | "muted" | "camera_stopped" | "on_stage" | "off_stage" }
  | { kind: "hand" | "joined" | "left"; name: string }
  | { kind: "message"; name: string; text: string }
  | { kind: "poll" | "result"; question: string }
  | { kind: "waiting"; count: number };

export interface Classroom {
  readonly store: Store<ClassState>;
  readonly media: MediaControls;
  /** Resolves to null when done, else to the error code (which the page has been told already). */
  send(command: Command): Promise<string | null>;
  ask<T>(request: Request): Promise<T>;
  post(text: string, channel: "everyone" | "staff" | "private", to?: string): Promise<string | null>;
  notices(listener: (notice: Notice) => void): () => void;
  reconnect(): void;
  /** Gives up the connections of this page; `seat` also leaves the class. */
  leave(): Promise<void>;
  close(): void;
}

export type { LinkStats };
