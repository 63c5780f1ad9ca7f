import { useCallback, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../protocol/api";
import { codeOf } from "../../protocol/refused";
import type { ReplayInfo } from "../../protocol/replay";
import { openReplay, type Replay } from "../../state/replay/open";
import { Loading } from "../App";
import { MessagePage } from "../parts/MessagePage";
import { canRetry, Refusal } from "../parts/Refusal";
import { ReplayContext } from "./context";
import { ReplayList } from "./ReplayList";
import { Theatre } from "./Theatre";

/** How often a recording that is not ready is asked for again. */
const AGAIN_MS = 4_000;

/** `/replay/<class>` lists its recordings, `/replay/<class>/<recording>` plays one (`#t=<seconds>` begins there). */
export default function ReplayPage({ session, recording }: { session: string; recording: string | null }) {
  return recording === null ? <ReplayList session={session} /> : <Watching session={session} recording={recording} />;
}

function Watching({ session, recording }: { session: string; recording: string }) {
  const [info, setInfo] = useState<ReplayInfo | null>(null);
  const [code, setCode] = useState<string | null>(null);
  const [replay, setReplay] = useState<Replay | null>(null);
  const load = useCallback(async () => {
    try {
      setInfo(await api.recording(session, recording));
      setCode(null);
    } catch (error) {
      setCode(codeOf(error));
    }
  }, [session, recording]);
  useEffect(() => void load(), [load]);

  const waits = info?.state === "recording" || info?.state === "processing" || (code !== null && canRetry(code));
  useEffect(() => {
    if (!waits) return;
    const timer = setInterval(() => void load(), AGAIN_MS);
    return () => clearInterval(timer);
  }, [waits, load]);

  useEffect(() => {
    if (!info?.content) return;
    const opened = openReplay(session, info, info.content);
    const from = Number(new URLSearchParams(location.hash.slice(1)).get("t"));
    if (from > 0) opened.seek(from * 1000);
    setReplay(opened);
    return () => opened.close();
  }, [session, info]);

  if (code === "recording_deleted") return <State state="deleted" title={info?.title} />;
  if (code !== null && !info) return <Refusal code={code} />;
  if (!info) return <Loading />;
  if (info.state !== "ready") return <State state={info.state} title={info.title} />;
  if (!replay) return <Loading />;
  return (
    <ReplayContext.Provider value={replay}>
      <Theatre />
    </ReplayContext.Provider>
  );
}

const LOOKS = {
  recording: { icon: "rec", tone: "warn" },
  processing: { icon: "time", tone: "ok" },
  failed: { icon: "warn", tone: "bad" },
  deleted: { icon: "trash", tone: "warn" },
} as const;

/** A recording that cannot be watched, now or ever. */
export function State({ state, title }: { state: keyof typeof LOOKS; title?: string }) {
  const { t } = useTranslation();
  const { icon, tone } = LOOKS[state];
  return (
    <MessagePage icon={icon} tone={tone} heading={title} title={t(`replay.${state}Title`)} text={t(`replay.${state}Hint`)}>
      {state === "processing" ? <div className="spin" /> : null}
      <div className="acts">
        <a className="btn" href="/">
          {t("ended.home")}
        </a>
      </div>
    </MessagePage>
  );
}
