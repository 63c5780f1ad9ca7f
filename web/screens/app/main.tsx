import "../../src/ui/styles/tokens.css";
import "../../src/ui/styles/base.css";
import "../../src/ui/styles/parts.css";
import { lazy, type ReactNode, Suspense } from "react";
import { createRoot } from "react-dom/client";
import { PAUSED } from "../../src/media/slots";
import type { Role } from "../../src/protocol/types";
import type { Classroom, ClassState } from "../../src/state/classroom";
import { NOTHING_YET } from "../../src/state/classroom";
import { Store } from "../../src/state/store";
import { ClassroomView } from "../../src/ui/class/ClassroomView";
import { Home } from "../../src/ui/home/Home";
import { start } from "../../src/ui/i18n";
import { Prejoin } from "../../src/ui/join/Prejoin";
import { Refusal } from "../../src/ui/parts/Refusal";
import { Toasts, toast } from "../../src/ui/parts/Toasts";
import { setPrefs } from "../../src/ui/prefs";
import { ReplayContext } from "../../src/ui/replay/context";
import { Listed } from "../../src/ui/replay/ReplayList";
import { State } from "../../src/ui/replay/ReplayPage";
import { Theatre } from "../../src/ui/replay/Theatre";
import { installDevices, portrait, slide } from "./devices";
import { stateOf, viewOf, type Wish } from "./fixtures";
import { RECORDINGS, replayOf, titleOf } from "./replay";

const OperatorPage = lazy(() => import("../../src/ui/operator/OperatorPage"));
const query = new URLSearchParams(location.search);
const get = (name: string, otherwise: string) => query.get(name) ?? otherwise;
const language = get("lang", "zh-CN") === "en" ? "en" : "zh-CN";
const zh = language === "zh-CN";

function wish(): Wish {
  return {
    language,
    role: get("role", "trainer") as Role,
    people: Number(get("people", "30")),
    profile: get("profile", "small") as "small" | "large",
    phase: get("phase", "live") as Wish["phase"],
    chat: get("chat", "1") === "1",
    poll: get("poll", "none") as Wish["poll"],
    hands: Number(get("hands", "0")),
    waiting: Number(get("waiting", "0")),
    inspector: get("inspector", "0") === "1",
    settings: JSON.parse(get("settings", "{}")),
  };
}

function classState(): ClassState {
  const view = viewOf(wish());
  const state = stateOf(view);
  const slots: ClassState["media"]["slots"][number][] = [];
  const streams: Record<string, MediaStream> = {};
  const held = get("held", "").split(" ");
  const put = (id: string, source: "camera" | "screen", stream: MediaStream) => {
    const mid = String(slots.length);
    const layer = held.includes(source === "screen" ? "screen" : id) ? PAUSED : 2;
    slots.push({ mid, kind: "video", use: source === "screen" ? "screen" : "tile", participant: id, source, layer });
    streams[mid] = stream;
  };
  for (const [i, each] of view.participants.filter((person) => person.camera).entries())
    put(each.id, "camera", portrait([165, 220, 32, 285][i % 4] ?? 165));
  const screen = query.get("screen");
  if (screen) {
    view.screen = screen;
    const owner = view.participants.find((each) => each.id === screen);
    if (owner) owner.screen = true;
    put(
      screen,
      "screen",
      zh
        ? slide("什么是“问题链”？", ["主问题：指向本课的核心概念", "子问题：拆解认知难点，逐步推进", "追问：在学生回答处生成，促进迁移"])
        : slide("What is a question chain?", [
            "Main question: the core concept of the lesson",
            "Sub-questions: break the difficulty into steps",
            "Probing: grows out of the pupils' answers",
          ]),
    );
  }
  const seat = query.get("seat");
  if (seat) view.participants = view.participants.map((each) => (each.id === view.me ? { ...each, seat: seat as "waiting" } : each));
  const own = view.participants.find((each) => each.id === view.me);
  state.media = {
    ...state.media,
    slots,
    streams,
    microphone: own?.microphone ? "on" : "off",
    camera: own?.camera ? "on" : "off",
    screen: screen === view.me ? "on" : "off",
    localCamera: own?.camera ? portrait(165) : null,
    localScreen: screen === view.me ? (streams[String(slots.length - 1)] ?? null) : null,
    soundBlocked: get("sound", "1") === "0",
  };
  if (query.get("status") === "connecting") return NOTHING_YET;
  if (query.get("status")) state.status = get("status", "online") as ClassState["status"];
  return state;
}

function classroom(): Classroom {
  const nothing = async () => undefined;
  return {
    store: new Store(classState()),
    media: {
      setMicrophone: nothing,
      setCamera: nothing,
      setScreen: nothing,
      chooseDevices: nothing,
      show: () => undefined,
      look: () => () => undefined,
      unlockSound: nothing,
      stats: async () => ({
        rtt: 24,
        lossOut: 0,
        lossIn: 0.002,
        kbitOut: 820,
        kbitIn: 2340,
        transport: "udp",
        linesOut: 720,
        linesIn: 360,
      }),
    },
    send: async () => null,
    ask: () => Promise.reject(new Error("fixture")),
    post: async () => null,
    notices: () => () => undefined,
    reconnect: () => undefined,
    leave: nothing,
    close: () => undefined,
  };
}

const replay = replayOf(language, get("look", "screen"));

function page(): ReactNode {
  switch (get("page", "class")) {
    case "home":
      return <Home />;
    case "replay":
      return (
        <ReplayContext.Provider value={replay}>
          <Theatre />
        </ReplayContext.Provider>
      );
    case "replay-list":
      return <Listed session="demo" title={titleOf(language)} recordings={RECORDINGS} />;
    case "replay-state":
      return <State state={get("state", "processing") as "processing"} title={titleOf(language)} />;
    case "join":
      return (
        <Prejoin
          info={
            get("info", "1") === "1"
              ? {
                  title: viewOf(wish()).session.title,
                  profile: "small",
                  phase: "lobby",
                  role: get("role", "trainee") as Role,
                  name: zh ? "陈晓兰" : "Olivia Chen",
                }
              : null
          }
          problem={null}
          onEnter={async () => undefined}
          onSit={async () => true}
        />
      );
    case "refusal":
      return <Refusal code={get("code", "token_used")} />;
    case "operator":
      return (
        <Suspense fallback={null}>
          <OperatorPage />
        </Suspense>
      );
    default:
      return <ClassroomView classroom={classroom()} />;
  }
}

installDevices(get("devices", "ok"));
sessionStorage.clear();
const panel = query.get("panel");
sessionStorage.setItem(
  "jiangtai.desk",
  JSON.stringify({ panel: panel ?? "chat", side: get("side", "1") === "1", layout: get("layout", "auto") }),
);
await start(language);
setPrefs({ theme: get("theme", "light") as "light", language });
createRoot(document.getElementById("root") ?? document.body).render(
  <>
    {page()}
    <Toasts />
  </>,
);
if (query.get("toast")) toast(get("toast", ""), "ask");
