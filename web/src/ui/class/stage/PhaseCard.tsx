import { useTranslation } from "react-i18next";
import { may } from "../../../state/select";
import { shallow } from "../../../state/store";
import { Icon } from "../../parts/Icon";
import { clock, timeOfDay, useNow } from "../../parts/time";
import { useClassroom, useView } from "../context";

function Break() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const { until, runs, skew } = useView(
    (view, state) => ({ until: view.session.break_until ?? 0, runs: may(view, "run_class"), skew: state.skew }),
    shallow,
  );
  const left = until - (useNow() + skew);
  return (
    <div className="phase-card">
      <span className="ico ok">
        <Icon name="cup" />
      </span>
      <h2>{t("class.breakTitle")}</h2>
      <p className="count num" aria-hidden="true">
        {clock(left)}
      </p>
      <p className="muted">{left > 0 ? t("class.breakLeft", { time: clock(left) }) : t("class.breakOver")}</p>
      {runs ? (
        <button type="button" className="btn primary" onClick={() => void classroom.send({ type: "resume_class" })}>
          {t("class.resume")}
        </button>
      ) : null}
    </div>
  );
}

/** What stands on stage while there is no class to show: before the start and in the break. */
export function PhaseCard() {
  const { t, i18n } = useTranslation();
  const classroom = useClassroom();
  const { phase, starts, runs, title } = useView(
    (view) => ({ phase: view.session.phase, starts: view.session.starts_at, runs: may(view, "run_class"), title: view.session.title }),
    shallow,
  );
  if (phase === "break") return <Break />;
  return (
    <div className="phase-card">
      <span className="ico ok">
        <Icon name="time" />
      </span>
      <p className="muted s">{title}</p>
      <h2>{t("class.notStarted")}</h2>
      {starts ? <p className="num">{t("waiting.starts", { time: timeOfDay(starts, i18n.language) })}</p> : null}
      <p className="muted">{runs ? t("class.notStartedStaff") : t("class.notStartedTrainee")}</p>
      {runs ? (
        <div className="acts">
          {phase === "scheduled" ? (
            <button type="button" className="btn" onClick={() => void classroom.send({ type: "open_lobby" })}>
              {t("class.openLobby")}
            </button>
          ) : null}
          <button type="button" className="btn primary" onClick={() => void classroom.send({ type: "start_class" })}>
            {t("class.start")}
          </button>
        </div>
      ) : null}
    </div>
  );
}
