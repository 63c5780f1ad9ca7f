import { useTranslation } from "react-i18next";
import { may } from "../../state/select";
import { useSeat } from "../class/checks/useOwn";
import { useClass } from "../class/context";
import { MessagePage } from "../parts/MessagePage";
import { clock, timeOfDay } from "../parts/time";
import { reportPath } from "../route";

/** The class is over: how long it was, and thanks. */
export function Ended() {
  const { t, i18n } = useTranslation();
  const seat = useSeat();
  const session = useClass((state) => state.view?.session ?? null);
  const staff = useClass((state) => (state.view ? may(state.view, "see_attendance") : false));
  const started = session?.started_at ?? null;
  const ended = session?.ended_at ?? null;
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
      <p className="xs muted">{t("ended.closeHint")}</p>
      <div className="acts">
        {session ? (
          <a className="btn primary" href={reportPath(session.id, seat)}>
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
