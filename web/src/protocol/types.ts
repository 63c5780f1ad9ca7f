/** The shapes of the wire. What the classroom defines is generated; what only a connection knows is added here. */
import type {
  Problem as GeneratedProblem,
  Request as GeneratedRequest,
  Signal as GeneratedSignal,
  MediaPublish,
  MediaTrack,
} from "./types.gen";

export type {
  AttendancePolicy,
  AttendanceStatus,
  Batch,
  Channel,
  ChatMode,
  CheckView,
  ClassEvent,
  Command,
  Entry,
  MessageView,
  ParticipantView,
  PeoplePage,
  Permissions,
  Phase,
  PollState,
  PollView,
  Profile,
  Reaction,
  ReplayAccess,
  Role,
  RoomView,
  Seat,
  SessionView,
  Settings,
  Slot as SlotChange,
  Welcome,
} from "./types.gen";

export type Source = MediaTrack["source"];
export type Problem = GeneratedProblem;
export type Retry = Problem["retry"];
export type Reply = { ref: string; seq?: number | null; error?: Problem | null } & Record<string, unknown>;

/** One m-line of an offer to publish; `height` is that of the captured picture, pixels, left out where unknown. */
export interface TrackOffer extends MediaTrack {
  height?: number;
}

/** How tall a picture is shown here, device pixels in steps of 90; 0 = it is not seen. */
export interface SlotSize {
  mid: string;
  height: number;
}

/** Which layer a slot plays, 0 = lowest; -1 = paused because none fits the connection. */
export interface SlotLayer {
  mid: string;
  layer: number;
}

export type Request =
  | GeneratedRequest
  | (Omit<MediaPublish, "tracks"> & { tracks: TrackOffer[] })
  | { type: "media_subscribe"; action: "size"; sizes: SlotSize[] };
export type Signal = GeneratedSignal | { type: "layers"; slots: SlotLayer[] };

export type SlotUse = "screen" | "main" | "tile" | "audio" | "screen_audio";
/** One m-line of the server's offer and what it is for. */
export interface SlotOffer {
  mid: string;
  kind: "audio" | "video";
  use: SlotUse;
}
