/** What the page may know of its media; changed as a whole by the media session. */
import type { DeviceProblem } from "./devices";
import type { Slots } from "./slots";

export type TrackState = "off" | "starting" | "on";
export type Link = "none" | "connecting" | "connected" | "failed";

export interface MediaView {
  microphone: TrackState;
  camera: TrackState;
  screen: TrackState;
  problem: { what: "microphone" | "camera" | "screen"; why: DeviceProblem } | null;
  localCamera: MediaStream | null;
  localScreen: MediaStream | null;
  slots: Slots;
  /** Received streams by mid. */
  streams: Readonly<Record<string, MediaStream>>;
  publish: Link;
  subscribe: Link;
  /** The browser wants a tap before it plays sound. */
  soundBlocked: boolean;
}

export const NO_MEDIA: MediaView = {
  microphone: "off",
  camera: "off",
  screen: "off",
  problem: null,
  localCamera: null,
  localScreen: null,
  slots: [],
  streams: {},
  publish: "none",
  subscribe: "none",
  soundBlocked: false,
};

export interface LinkStats {
  /** milliseconds */
  rtt: number | null;
  /** 0..1 */
  lossOut: number | null;
  lossIn: number | null;
  kbitOut: number;
  kbitIn: number;
  transport: string | null;
  /** Height of the tallest picture sent and received, pixels; null = none. */
  linesOut: number | null;
  linesIn: number | null;
}

/** What the page may ask of its media. */
export interface MediaControls {
  setMicrophone(on: boolean): Promise<void>;
  setCamera(on: boolean): Promise<void>;
  setScreen(on: boolean): Promise<void>;
  chooseDevices(change: { camera?: string | null; microphone?: string | null; speaker?: string | null }): Promise<void>;
  /** Which people the visible page of the gallery shows, in order. */
  show(participants: string[]): void;
  /** This element shows what arrives on this mid, until the returned function is called: no more of it is received than can be seen. */
  look(mid: string, element: HTMLVideoElement): () => void;
  unlockSound(): Promise<void>;
  stats(): Promise<LinkStats>;
}
