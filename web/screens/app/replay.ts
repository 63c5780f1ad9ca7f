/** A replay as a page would have it at one moment, without files. Fixed: no clock, no randomness. */
import type { Content, Message, PersonShown, PollShown, RecordingInfo } from "../../src/protocol/replay";
import type { Chapter } from "../../src/state/replay/chapters";
import type { Replay, ReplayState } from "../../src/state/replay/open";
import { tilesAt } from "../../src/state/replay/tiles";
import { Store } from "../../src/state/store";
import { portrait, slide } from "./devices";
import { NOW } from "./fixtures";

const TOTAL = 5_720_000;
const AT = 1_938_000;
const WORDS = {
  "zh-CN": {
    title: "小学数学“问题链”课堂设计 · 第 3 讲",
    names: ["王敏", "何静", "李国强", "陈晓兰", "赵一鸣", "周海燕", "吴志远", "欧阳春晓（内蒙古自治区呼和浩特市实验幼儿园）", "马俊"],
    said: [
      [5, "四十七个，太真实了"],
      [4, "我数过自己的一节课，三十多个，多数是“对不对”"],
      [3, "我上节课的主问题是“为什么要通分”"],
      [0, "很好的例子，等会儿请你上台说说"],
      [6, "子问题要不要提前告诉学生？"],
      [7, "我们园里的老师想要一份课件，可以在课后发到群里吗？"],
      [8, "同问"],
    ],
    question: "你一节课大约提问多少次？",
    options: ["10 次以内", "10–30 次", "30 次以上"],
    caption: "主问题要指向这节课的核心概念，\n子问题一步一步把难点拆开。",
    slide: ["什么是“问题链”？", "主问题：指向本课的核心概念", "子问题：拆解认知难点，逐步推进", "追问：在学生回答处生成，促进迁移"],
  },
  en: {
    title: "Question chains in primary mathematics · Lecture 3",
    names: [
      "Min Wang",
      "Jing He",
      "Robert Lee",
      "Olivia Chen",
      "Ian Zhao",
      "Hannah Zhou",
      "Marcus Wu",
      "Bartholomew Montgomery-Featherstonehaugh of the North",
      "Jun Ma",
    ],
    said: [
      [5, "Forty-seven. So true."],
      [4, "I counted in one of my lessons: more than thirty, and most were “right or wrong?”"],
      [3, "My main question last time was “why a common denominator?”"],
      [0, "A good example. I will ask you on stage in a minute."],
      [6, "Should pupils know the sub-questions beforehand?"],
      [7, "Could the slides be shared after class? Our whole kindergarten team would like to have them."],
      [8, "Same question here"],
    ],
    question: "How often do you ask in one lesson?",
    options: ["Up to 10 times", "10–30 times", "More than 30"],
    caption: "The main question points at the core concept of the lesson;\nsub-questions take the difficulty apart, step by step.",
    slide: [
      "What is a question chain?",
      "Main question: the core concept of the lesson",
      "Sub-questions: break the difficulty into steps",
      "Probing: grows out of the pupils' answers",
    ],
  },
} as const;

export const RECORDINGS: RecordingInfo[] = [
  { recording: "r1", state: "ready", started_at: NOW - 86_400_000, duration_ms: TOTAL },
  { recording: "r2", state: "processing", started_at: NOW - 80_000_000, duration_ms: 1_260_000 },
  { recording: "r3", state: "failed", started_at: NOW - 78_000_000, duration_ms: 61_000 },
  { recording: "r4", state: "deleted", started_at: NOW - 77_000_000, duration_ms: 340_000 },
];

export const titleOf = (language: "zh-CN" | "en") => WORDS[language].title;

export function replayOf(language: "zh-CN" | "en", look: string): Replay {
  const words = WORDS[language];
  const people = Object.fromEntries(
    words.names.map((name, i): [string, PersonShown] => [
      `p${i}`,
      {
        type: "person",
        id: `p${i}`,
        name,
        role: i === 0 ? "trainer" : i === 1 ? "assistant" : "trainee",
        present: i !== 6,
        on_stage: i < 2 || i === 2,
        ...(i === 3 || i === 7 ? { hand: AT - 60_000 + i * 4_000 } : {}),
      },
    ]),
  );
  const messages = words.said.map(
    ([who, text], i): Message => ({
      at: AT - 90_000 + i * 13_000,
      what: { type: "message", id: `m${i}`, by: `p${who}`, name: words.names[who] ?? "", role: who === 0 ? "trainer" : "trainee", text },
    }),
  );
  const poll = (id: string, at: number, more: Partial<PollShown>): [PollShown, number] => [
    { type: "poll", id, question: words.question, options: [...words.options], state: "closed", ...more },
    at,
  ];
  const polls = [poll("a", 1_410_000, { tally: [3, 17, 17], voters: 37 }), poll("b", 1_900_000, { state: "open" })];
  const edges = [0, 312_000, 1_095_000, 1_900_000, 3_900_000, 5_010_000, TOTAL];
  const kinds = ["start", "screen", "main", "poll", "break", "resume"] as const;
  const labels = ["", words.names[0], words.names[2], words.question, "", ""];
  const chapters = kinds.map(
    (kind, i): Chapter => ({ kind, label: labels[i] ?? "", from_ms: edges[i] ?? 0, to_ms: edges[i + 1] ?? TOTAL }),
  );
  const span = (file: string) => [{ from_ms: 0, to_ms: TOTAL, file, type: "video/webm", bytes: 1 }];
  const content: Content = {
    title: words.title,
    started_at: NOW - 86_400_000,
    duration_ms: TOTAL,
    tracks: [
      ...(look === "cameras" ? [] : [{ id: "s", participant: "p0", source: "screen" as const, spans: span("s") }]),
      { id: "c0", participant: "p0", source: "camera", spans: span("c0") },
      { id: "c2", participant: "p2", source: "camera", spans: span("c2") },
      { id: "c1", participant: "p1", source: "camera", spans: span("c1") },
    ],
    timeline: { chunks: [], snapshots: [] },
    mix: { from_ms: 0, to_ms: TOTAL, file: "m", type: "audio/mp4", bytes: 1 },
    download: { from_ms: 0, to_ms: TOTAL, file: "d", type: "video/mp4", bytes: 412_300_000 },
  };
  const audioOnly = look === "audio";
  const captions =
    look === "captions"
      ? [
          { language: "zh", label: "中文", file: "zh" },
          { language: "en", label: "English", file: "en" },
        ]
      : [];
  const shownIn = language === "en" ? "en" : "zh";
  const view = {
    scene: { type: "scene" as const, phase: "live" },
    people,
    polls: Object.fromEntries(polls.map(([each]) => [each.id, each])),
    chat: messages,
  };
  const side = innerWidth <= 760 ? 1 : 3;
  const playing = {
    position: AT,
    playing: true,
    waiting: false,
    ended: false,
    rate: 1.25,
    volume: 0.7,
    muted: false,
    silent: look === "silent",
  };
  const store = new Store<ReplayState>({
    playing,
    view,
    messages,
    pollsAt: new Map(polls.map(([each, at]) => [each.id, at])),
    chapters,
    tiles: audioOnly ? [] : tilesAt(content, AT, view, { pinned: null, side, broken: new Set() }),
    pinned: null,
    audioOnly,
    complete: true,
    extras: { base: "", download: content.download ?? null, thumbnails: "t", captions },
    thumbnails: [{ from_ms: 0, to_ms: TOTAL, text: "", file: sheet(words.slide), x: 160, y: 90, width: 160, height: 90 }],
    captions: look === "captions" ? shownIn : null,
    cues: look === "captions" ? [{ from_ms: AT - 1_000, to_ms: AT + 4_000, text: words.caption }] : [],
  });
  const nothing = () => undefined;
  return {
    content,
    store,
    address: (file) => file,
    attach(video, tile) {
      const [title, ...lines] = words.slide;
      video.srcObject =
        tile.source === "screen" ? slide(title ?? "", [...lines]) : portrait([165, 285, 220][Number(tile.participant[1])] ?? 32);
      void video.play();
      return nothing;
    },
    toggle: nothing,
    seek: nothing,
    step: nothing,
    setRate: nothing,
    setVolume: nothing,
    pin: nothing,
    setAudioOnly: nothing,
    setSide: nothing,
    extra: (file) => file,
    wantThumbnails: nothing,
    setCaptions: nothing,
    close: nothing,
  };
}

/** A sheet of thumbnails as the packager makes them, 6 × 6. */
function sheet(lines: readonly string[]): string {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [960, 540];
  const context = canvas.getContext("2d");
  if (!context) return "";
  for (let cell = 0; cell < 36; cell++) {
    const [x, y] = [(cell % 6) * 160, Math.floor(cell / 6) * 90];
    context.fillStyle = "#fbfaf6";
    context.fillRect(x, y, 160, 90);
    context.fillStyle = "#20312b";
    lines.forEach((line, i) => {
      context.font = i === 0 ? "bold 11px sans-serif" : "7px sans-serif";
      context.fillText(line, x + 12, y + 20 + i * 16, 140);
    });
  }
  return canvas.toDataURL("image/png");
}
