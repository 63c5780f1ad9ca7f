/** States of a class that a server would send, from a nearly empty one to a large one. Fixed: no clock, no randomness. */
import type { CheckView, MessageView, ParticipantView, PollView, Role, RoomView, Settings } from "../../src/protocol/types";
import type { ClassState } from "../../src/state/classroom";
import { NOTHING_YET } from "../../src/state/classroom";

export const NOW = Date.UTC(2026, 3, 18, 2, 42, 18);
const MINUTE = 60_000;

const ZH =
  "王敏 何静 李国强 陈晓兰 赵一鸣 周海燕 吴志远 孙丽华 郑文博 冯雅琴 褚卫东 蒋欣怡 沈建平 韩冰 杨柳青 朱红梅 秦岭 许可 何雨桐 吕思远 张爱玲 孔令辉 曹雪 严谨 华罗 金鑫 魏然 陶行知 姜萍 戚薇".split(
    " ",
  );
const EN =
  "Min Wang|Jing He|Robert Lee|Olivia Chen|Ian Zhao|Hannah Zhou|Marcus Wu|Sophie Sun|Ben Zheng|Priya Natarajan|Tom Becker|Ana Souza|Luca Moretti|Grace Kim|Noah Fischer|Emma Clarke|Yuki Tanaka|Omar Haddad|Ivy Walker|Leo Martin|Zoe Bauer|Jonas Berg|Clara Rossi|Max Weber|Nina Novak|Paul Dubois|Eva Horn|Sam Carter|Mia Lang|Otto Klein".split(
    "|",
  );

export const ALL_SETTINGS: Settings = {
  waiting_room: true,
  locked: false,
  frozen: false,
  chat: "open",
  slow_mode_s: 0,
  microphones: true,
  cameras: true,
  screens: false,
  hands: true,
  reactions: true,
  auto_stage: true,
  stage_size: 50,
  capacity: 50,
  mute_on_join: false,
};

const STAFF =
  "end_class run_class admit moderate_media remove manage_stage share_replay manage_hands run_polls run_checks see_attendance override_attendance delete_chat chat_privately see_staff_chat see_waiting see_tallies see_everybody chat react publish share_screen".split(
    " ",
  );
export const CAPABILITIES: Record<Role, string[]> = {
  trainer: STAFF,
  assistant: STAFF.filter((each) => each !== "end_class" && each !== "share_replay"),
  trainee: ["chat", "raise_hand", "react", "answer_polls", "answer_checks", "publish", "share_screen"],
  inspector: ["see_attendance", "see_everybody", "see_tallies"],
};

export interface Wish {
  language: "zh-CN" | "en";
  role: Role;
  people: number;
  profile: "small" | "large";
  phase: RoomView["session"]["phase"];
  chat: boolean;
  poll: "none" | "open" | "answered" | "revealed" | "staff";
  hands: number;
  waiting: number;
  inspector: boolean;
  check: "none" | "open" | "answered";
  own: boolean;
  settings: Partial<Settings>;
}

const words = {
  "zh-CN": {
    title: "小学数学“问题链”课堂设计 · 第 3 讲",
    chat: [
      [3, "我上节课的主问题是“为什么要通分”。"],
      [4, "我用的是“怎样公平地分蛋糕”，学生反应很好"],
      [0, "很好的例子，等会儿请两位上台说说。"],
      [5, "老师，课件可以发一份吗？"],
      [1, "课后会放到班级资料里，大家先专心听。"],
      [2, "收到，谢谢老师"],
    ],
    question: "你最想深入哪一部分？",
    options: ["主问题的提炼", "追问的时机", "课例打磨"],
    longName: "欧阳慧敏（石河区第三实验小学数学教研组）",
  },
  en: {
    title: "Question chains in primary mathematics · Lecture 3",
    chat: [
      [3, "My main question last lesson was “why do we need a common denominator?”"],
      [4, "I used “how do we share the cake fairly?” and the pupils loved it"],
      [0, "Great example. I will ask two of you on stage in a moment."],
      [5, "Could we get the slides?"],
      [1, "They will be with the class materials afterwards."],
      [2, "Got it, thanks"],
    ],
    question: "Which part shall we deepen?",
    options: ["Finding the main question", "When to probe", "Polishing a lesson"],
    longName: "Alexandra Konstantinopoulou-Featherstonehaugh (Northwood Primary)",
  },
} as const;

function person(i: number, role: Role, wish: Wish): ParticipantView {
  const names = wish.language === "zh-CN" ? ZH : EN;
  const base = names[i % names.length] ?? "";
  const round = Math.floor(i / names.length);
  const name = i === 7 ? words[wish.language].longName : round > 0 ? `${base} ${round + 1}` : base;
  const stage = role === "trainer" || role === "assistant" || (role === "trainee" && (wish.profile === "small" || i < 5));
  return {
    id: `p${i}`,
    name,
    role,
    seat: "admitted",
    present: i % 11 !== 10,
    on_stage: stage,
    microphone: stage && (i === 0 || i === 2),
    camera: stage && i < 4,
    screen: false,
    permissions: { microphone: true, camera: true, screen: true, chat: i !== 9 },
    hand_at: null,
    imitates: false,
  };
}

function poll(wish: Wish): PollView[] {
  if (wish.poll === "none") return [];
  const { question, options } = words[wish.language];
  const staff = wish.poll === "staff";
  const shown = staff || wish.poll === "revealed" || wish.role === "inspector";
  return [
    {
      id: "q1",
      question,
      options: [...options],
      multiple: false,
      anonymous: true,
      state: wish.poll === "revealed" ? "closed" : "open",
      revealed: wish.poll === "revealed",
      mine: wish.poll === "open" || staff ? null : [0],
      tally: shown ? [14, 9, 4] : null,
      voters: shown ? 27 : null,
    },
  ];
}

function check(wish: Wish, people: ParticipantView[], me: string): CheckView | null {
  if (wish.check === "none") return null;
  const trainees = people.filter((each) => each.role === "trainee" && each.present);
  const answered = trainees.filter((_, i) => i % 7 !== 3).map((each) => each.id);
  const overseer = wish.role !== "trainee";
  return {
    id: "k1",
    opened_at: NOW - 18_000,
    until: NOW + 42_000,
    nonce: overseer ? null : "n",
    mine: !overseer && wish.check === "answered" && me !== "",
    asked: overseer ? trainees.length : null,
    answered: overseer ? answered : null,
  };
}

export function viewOf(wish: Wish): RoomView {
  const people = Array.from({ length: wish.people }, (_, i) =>
    person(i, i === 0 ? "trainer" : i === 1 && wish.people > 3 ? "assistant" : "trainee", wish),
  );
  if (wish.inspector || wish.role === "inspector")
    people.push({
      ...person(11, "inspector", wish),
      id: "inspector",
      role: "inspector",
      on_stage: false,
      microphone: false,
      camera: false,
      present: true,
    });
  const me = { trainer: "p0", assistant: "p1", trainee: wish.profile === "large" ? "p8" : "p2", inspector: "inspector" }[wish.role];
  const hands = [5, 6, 8, 12, 13].slice(0, wish.hands).map((i) => `p${i}`);
  for (const [i, id] of hands.entries()) {
    const raised = people.find((each) => each.id === id);
    if (raised) Object.assign(raised, { hand_at: NOW - (48 - i * 9) * 1000, on_stage: wish.profile === "small" });
  }
  const chat: MessageView[] = !wish.chat
    ? []
    : words[wish.language].chat.map(([by, text], i) => {
        const author = people[by] ?? people[0];
        return {
          id: `m${i}`,
          at: NOW - (6 - i) * 31_000,
          by: author?.id ?? "",
          name: author?.name ?? "",
          role: author?.role ?? "trainee",
          channel: "everyone",
          to: null,
          text,
          deleted: false,
        };
      });
  const staff = wish.role === "trainer" || wish.role === "assistant";
  return {
    seq: 100,
    session: {
      id: wish.own ? "live" : "demo",
      title: words[wish.language].title,
      profile: wish.profile,
      phase: wish.phase,
      settings: { ...ALL_SETTINGS, auto_stage: wish.profile === "small", ...wish.settings },
      starts_at: NOW + 8 * MINUTE,
      started_at: wish.phase === "scheduled" || wish.phase === "lobby" ? null : NOW - 42 * MINUTE - 18_000,
      break_until: wish.phase === "break" ? NOW + 6 * MINUTE + 12_000 : null,
      ended_at: wish.phase === "ended" ? NOW : null,
      recorded_since: null,
    },
    me,
    capabilities: CAPABILITIES[wish.role],
    participants: people,
    present: wish.profile === "large" ? 1284 : people.filter((each) => each.present).length,
    hands,
    stage: people.filter((each) => each.role === "trainee" && each.on_stage).map((each) => each.id),
    main: null,
    screen: null,
    chat,
    polls: poll(wish),
    waiting: staff
      ? Array.from({ length: wish.waiting }, (_, i) => ({
          ...person(20 + i, "trainee", wish),
          seat: "waiting" as const,
          on_stage: false,
          present: true,
          imitates: i === 1,
        }))
      : [],
    banned: [],
    check: check(wish, people, me),
    checks_at: staff && wish.check !== "none" ? NOW + 11 * MINUTE : null,
    left_out: [],
  };
}

export function stateOf(view: RoomView): ClassState {
  return {
    ...NOTHING_YET,
    status: "online",
    view,
    live: { ...NOTHING_YET.live, speakers: ["p0"], quality: { [view.me]: { score: 4, rtt: 24, loss: 0 } } },
    media: { ...NOTHING_YET.media, publish: "connected", subscribe: "connected" },
  };
}
