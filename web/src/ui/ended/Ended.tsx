import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../protocol/api";
import { codeOf } from "../../protocol/refused";
import type { ReplayAccess } from "../../protocol/types";
import { may } from "../../state/select";
import { useSeat } from "../class/checks/useOwn";
import { useClass } from "../class/context";
import { MessagePage } from "../parts/MessagePage";
import { clock, timeOfDay } from "../parts/time";
import { reportPath } from "../route";

const LOOKS = 40;

/** How long to wait for the next look: a replay is mostly there within a second or two, and thousands must not ask at once. */
const wait = (looks: number): number => (looks === 0 ? 1_000 + Math.random() * 3_000 : looks === 1 ? 5_000 : 15_000);

interface Again {
  /** Where the class can be watched again, once a recording of it is ready. */
  link: string | null;
  /** Who may, once something was recorded; "closed": not this person. */
  access: ReplayAccess | "closed" | null;
}

/** Whether and where the class can be watched again. */
function useReplay(session: string | undefined): Again {
  const [link, setLink] = useState<string | null>(null);
  const [access, setAccess] = useState<Again["access"]>(null);
  useEffect(() => {
    if (!session || link) return;
    let [looks, timer] = [0, 0];
    const look = async () => {
      const found = await api.recordings(session).catch((error) => codeOf(error));
      if (found === "replay_closed") return setAccess("closed");
      if (typeof found === "string") return again();
      if (found.recordings.length > 0) setAccess(found.access);
      const ready = found.recordings.filter((each) => each.state === "ready");
      if (ready.length > 0) setLink(`/replay/${session}${ready.length === 1 ? `/${ready[0]?.recording}` : ""}`);
      // Nothing was recorded: there will be nothing.
      else if (found.recordings.length > 0) again();
    };
    const again = () => {
      looks += 1;
      if (looks < LOOKS) timer = window.setTimeout(() => void look(), wait(looks));
    };
    timer = window.setTimeout(() => void look(), wait(0));
    return () => clearTimeout(timer);
  }, [session, link]);
  return { link, access };
}

/** The class is over: how long it was, and thanks. */
export function Ended() {
  const { t, i18n } = useTranslation();
  const seat = useSeat();
  const session = useClass((state) => state.view?.session ?? null);
  const staff = useClass((state) => (state.view ? may(state.view, "see_attendance") : false));
  const started = session?.started_at ?? null;
  const ended = session?.ended_at ?? null;
  const { link: replay, access } = useReplay(session?.id);
  return (
    <MessagePage icon="ok" title={t("ended.title")} text={t("ended.thanks")} heading={session?.title}>
      {started !== null && ended !== null ? (
        <dl className="num">
          <div>
            <dt>{t("ended.duration")}</dt>
            <dd>{clock(ended - started)}</dd>
          </div>
          <div>
            <dt>{t("ended.ended")}</dt>
            <dd>{timeOfDay(ended, i18n.language)}</dd>
          </div>
        </dl>
      ) : null}
      {access === "closed" ? (
        <p className="s muted">{t("replay.closedNote")}</p>
      ) : access && staff ? (
        <p className="s muted">
          {t("replay.access")}: {t(`replay.access_${access}`)}
        </p>
      ) : null}
      <p className="xs muted">{t("ended.closeHint")}</p>
      <div className="acts">
        {replay ? (
          <a className="btn primary" href={replay}>
            {t("replay.ready")}
          </a>
        ) : null}
        {session ? (
          <a className={replay ? "btn" : "btn primary"} href={reportPath(session.id, seat)}>
            {staff ? t("report.open") : t("own.open")}
          </a>
        ) : null}
        <a className="btn" href="/">
          {t("ended.home")}
        </a>
      </div>
    </MessagePage>
  );
}

/** Left of one's own accord; the class goes on. */
export function Left() {
  const { t } = useTranslation();
  const title = useClass((state) => state.view?.session.title);
  return (
    <MessagePage icon="exit" title={t("ended.leftTitle")} text={t("ended.leftHint")} heading={title}>
      <div className="acts">
        <button type="button" className="btn primary" onClick={() => location.reload()}>
          {t("ended.again")}
        </button>
        <a className="btn" href="/">
          {t("ended.home")}
        </a>
      </div>
    </MessagePage>
  );
}
