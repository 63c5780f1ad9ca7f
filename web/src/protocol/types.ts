/** The shapes of the wire: snapshot, journal entries, commands, signals. Field names are the server's. */

export type Role = "trainer" | "assistant" | "trainee" | "inspector";
export type SeatState = "waiting" | "admitted" | "declined" | "removed" | "banned";
export type Phase = "scheduled" | "lobby" | "live" | "break" | "ended";
export type Profile = "small" | "large";
export type ChatMode = "open" | "staff" | "off";
export type Channel = "everyone" | "staff" | "private";
export type PollState = "draft" | "open" | "closed";
export type Reaction = "thumbs_up" | "clap" | "heart" | "laugh" | "surprise" | "yes" | "no" | "slower" | "faster";
export type Source = "microphone" | "camera" | "screen" | "screen_audio";
export type Retry = "never" | "later" | "now";

export interface Permissions {
  microphone: boolean;
  camera: boolean;
  screen: boolean;
  chat: boolean;
}

export interface Settings {
  waiting_room: boolean;
  locked: boolean;
  frozen: boolean;
  chat: ChatMode;
  slow_mode_s: number;
  microphones: boolean;
  cameras: boolean;
  screens: boolean;
  hands: boolean;
  reactions: boolean;
  auto_stage: boolean;
  stage_size: number;
  capacity: number;
  mute_on_join: boolean;
}

export interface SessionView {
  id: string;
  title: string;
  profile: Profile;
  phase: Phase;
  settings: Settings;
  starts_at: number | null;
  started_at: number | null;
  break_until: number | null;
  ended_at: number | null;
}

export interface ParticipantView {
  id: string;
  name: string;
  role: Role;
  seat: SeatState;
  present: boolean;
  on_stage: boolean;
  microphone: boolean;
  camera: boolean;
  screen: boolean;
  permissions: Permissions;
  hand_at: number | null;
  /** The name looks like a staff member's. */
  imitates?: boolean;
}

export interface MessageView {
  id: string;
  at: number;
  by: string;
  name: string;
  role: Role;
  channel: Channel;
  to: string | null;
  text: string;
  deleted: boolean;
}

export interface PollView {
  id: string;
  question: string;
  options: string[];
  multiple: boolean;
  anonymous: boolean;
  state: PollState;
  revealed: boolean;
  mine: number[] | null;
  tally: number[] | null;
  voters: number | null;
}

/** The whole of what this viewer may know; `seq` is the journal number it stands at. */
export interface RoomView {
  seq: number;
  session: SessionView;
  me: string;
  capabilities: string[];
  participants: ParticipantView[];
  present: number;
  hands: string[];
  stage: string[];
  main: string | null;
  screen: string | null;
  chat: MessageView[];
  polls: PollView[];
  waiting: ParticipantView[];
  banned: ParticipantView[];
}

type Poll = { poll: string; question: string; options: string[]; multiple: boolean; anonymous: boolean };

/** What happened. Fields with a default are absent when they hold it. */
export type ClassEvent =
  | { type: "session_created"; session: string; title: string; profile: Profile; settings: Settings; starts_at?: number }
  | { type: "lobby_opened" | "class_started" | "class_resumed" | "class_ended" | "all_hands_lowered" }
  | { type: "break_started"; until: number }
  | { type: "settings_changed"; settings: Settings }
  | { type: "participant_joined"; participant: string; name: string; role: Role; seat: SeatState; on_stage?: boolean }
  | { type: "connection_opened"; participant: string; connection: string }
  | { type: "connection_closed"; participant: string; connection: string; reason: string }
  | { type: "participant_admitted"; participant: string; on_stage?: boolean }
  | { type: "participant_declined" | "participant_left" | "hand_raised" | "hand_lowered"; participant: string }
  | { type: "participant_removed"; participant: string; banned?: boolean }
  | { type: "ban_lifted"; participant: string }
  | { type: "permissions_changed"; participant: string; permissions: Permissions }
  | { type: "stage_joined" | "stage_left"; participant: string }
  | { type: "main_changed"; participant?: string | null }
  | { type: "microphone_changed" | "camera_changed"; participant: string; on: boolean }
  | { type: "screen_started" | "screen_stopped"; participant: string }
  | { type: "chat_posted"; message: string; channel: Channel; text: string; to?: string | null }
  | { type: "chat_deleted"; message: string }
  | ({ type: "poll_created" | "poll_opened" } & Poll)
  | { type: "poll_answered"; poll: string; choices: number[] }
  | { type: "poll_closed"; poll: string }
  | { type: "poll_revealed"; poll: string; tally: number[]; voters: number }
  | { type: "reacted"; reaction: Reaction };

/** One line of the journal as this viewer sees it. */
export interface Entry {
  seq: number;
  at: number;
  by?: string | null;
  event: ClassEvent;
}

/** What a participant may ask for; `ref`, `v` are added by the connection. */
export type Command =
  | { type: "open_lobby" | "start_class" | "resume_class" | "end_class" }
  | { type: "take_break"; minutes: number }
  | ({ type: "change_settings" } & Partial<Omit<Settings, "auto_stage" | "stage_size" | "capacity" | "mute_on_join">>)
  | { type: "leave" | "raise_hand" | "lower_all_hands" | "leave_stage" | "mute_all" | "start_screen" | "stop_screen" }
  | { type: "admit"; participants: string[] }
  | { type: "decline"; participant: string }
  | { type: "lower_hand"; participant?: string }
  | { type: "bring_on_stage" | "take_off_stage" | "mute" | "stop_camera" | "stop_screen_of" | "unban"; participant: string }
  | { type: "set_main"; participant: string | null }
  | { type: "set_microphone" | "set_camera"; on: boolean }
  | ({ type: "set_permissions"; participant: string } & Partial<Permissions>)
  | { type: "remove"; participant: string; ban: boolean }
  | { type: "post_chat"; text: string; channel: Channel; to?: string }
  | { type: "delete_chat"; message: string }
  | { type: "create_poll"; question: string; options: string[]; multiple: boolean; anonymous: boolean; open: boolean }
  | { type: "open_poll" | "close_poll" | "reveal_poll"; poll: string }
  | { type: "answer_poll"; poll: string; choices: number[] }
  | { type: "react"; reaction: Reaction };

/** Requests bound to one connection: never resent on another. */
export type Request =
  | { type: "media_publish"; sdp: string; tracks: { mid: string; source: Source }[] }
  | { type: "media_subscribe"; action: "offer"; tiles: number }
  | { type: "media_subscribe"; action: "answer"; sdp: string }
  | { type: "media_subscribe"; action: "show"; tiles: string[] }
  | { type: "media_subscribe"; action: "restart" }
  | { type: "typing" }
  | { type: "people"; after?: string; query?: string; limit: number };

export type SlotUse = "screen" | "main" | "tile" | "audio" | "screen_audio";
export interface SlotOffer {
  mid: string;
  kind: "audio" | "video";
  use: SlotUse;
}
export interface SlotChange {
  mid: string;
  participant: string | null;
  source?: Source;
}

export type Signal =
  | { type: "present"; present: number; waiting?: number }
  | { type: "reactions"; counts: Partial<Record<Reaction, number>> }
  | { type: "tally"; poll: string; tally: number[]; voters: number }
  | { type: "speakers"; speakers: { participant: string; level: number }[] }
  | { type: "slots"; slots: SlotChange[]; partial?: boolean }
  | { type: "audio"; slots: (string | null)[] }
  | { type: "media"; state: "connected" | "closed"; side: "publish" | "subscribe"; reason?: string }
  | { type: "quality"; participant: string; score: number; rtt: number; loss: number }
  | { type: "typing"; participants: string[] };

export interface Welcome {
  epoch: string;
  connection: string;
  now: number;
  snapshot?: RoomView;
  resumed?: boolean;
}

export interface Batch {
  after: number;
  upto: number;
  events: Entry[];
}

export interface Problem {
  code: string;
  retry: Retry;
}

export type Reply = { ref: string; seq?: number; error?: Problem } & Record<string, unknown>;
