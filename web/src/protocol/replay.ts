/** Recordings over HTTP: what the server tells about one, and the timeline's files (recording/manifest.py, recording/timeline.py). */
import type { Role } from "./types";

export type RecordingState = "recording" | "processing" | "ready" | "failed" | "deleted";

export interface RecordingInfo {
  recording: string;
  state: RecordingState;
  started_at: number;
  duration_ms: number | null;
}

export interface Span {
  from_ms: number;
  to_ms: number;
  file: string;
  type: string;
  bytes: number;
  width?: number;
  height?: number;
}

export interface RecordedTrack {
  id: string;
  participant: string;
  source: "camera" | "screen" | "microphone" | "screen_audio";
  spans: Span[];
  failed?: string;
}

export interface CaptionInfo {
  language: string;
  label: string;
  file: string;
}

export interface Content {
  title: string;
  started_at: number;
  duration_ms: number;
  tracks: RecordedTrack[];
  timeline: { chunks: string[]; snapshots: string[] };
  mix?: Span;
  download?: Span;
  chapters?: string;
  thumbnails?: string;
  captions?: CaptionInfo[];
}

export interface ReplayInfo extends RecordingInfo {
  title: string;
  content: Content | null;
  base: string | null;
  expires_at: number | null;
}

export interface PersonShown {
  type: "person";
  id: string;
  name: string;
  role: Role;
  present?: boolean;
  on_stage?: boolean;
  hand?: number;
}
export interface SceneShown {
  type: "scene";
  phase: string;
  main?: string;
  screen?: string;
}
export interface MessageShown {
  type: "message";
  id: string;
  by: string;
  name: string;
  role: Role;
  text?: string;
  deleted?: boolean;
}
export interface PollShown {
  type: "poll";
  id: string;
  question: string;
  options: string[];
  state: string;
  multiple?: boolean;
  anonymous?: boolean;
  tally?: number[];
  voters?: number;
}
export type Shown = PersonShown | SceneShown | MessageShown | PollShown | { type: "gone"; id: string };

export interface Change {
  at: number;
  what: Shown;
}
export interface Message {
  at: number;
  what: MessageShown;
}
export interface TimelineState {
  scene: SceneShown;
  people: Record<string, PersonShown>;
  polls: Record<string, PollShown>;
  chat: Message[];
}

export interface Stretch {
  from_ms: number;
  to_ms: number;
  rate: number;
}
