/** The shapes of the wire. What the classroom defines is generated; what only a connection knows is added here. */
import type { Problem as GeneratedProblem, MediaTrack } from "./types.gen";

export type {
  Batch,
  Channel,
  ChatMode,
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
  Request,
  Role,
  RoomView,
  Seat,
  SessionView,
  Settings,
  Signal,
  Slot as SlotChange,
  Welcome,
} from "./types.gen";

export type Source = MediaTrack["source"];
export type Problem = GeneratedProblem;
export type Retry = Problem["retry"];
export type Reply = { ref: string; seq?: number | null; error?: Problem | null } & Record<string, unknown>;

export type SlotUse = "screen" | "main" | "tile" | "audio" | "screen_audio";
/** One m-line of the server's offer and what it is for. */
export interface SlotOffer {
  mid: string;
  kind: "audio" | "video";
  use: SlotUse;
}
