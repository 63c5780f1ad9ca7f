import { useTranslation } from "react-i18next";
import type { OwnAttendance } from "../../protocol/api";
import { Icon } from "../parts/Icon";
import { Timeline } from "./Timeline";
import { minutesOf, policyName, STATE_LOOK, stateName } from "./words";
import "./own.css";

/** One's own record: three numbers, the state, when one was there. */
export function OwnFacts({ own }: { own: OwnAttendance }) {
  const { t } = useTranslation();
  const mine = own.attendance;
  if (!mine || own.started_at === null) return <p className="muted">{t("own.notBegun")}</p>;
  const look = STATE_LOOK[mine.status];
  const whole = minutesOf(own.countable_ms);
  return (
    <div className="own-facts">
      <dl className="num">
        <div>
          <dt>{t("own.connected")}</dt>
          <dd>{t("own.of", { part: minutesOf(mine.connected_ms), whole })}</dd>
        </div>
        <div>
          <dt>{t("own.delivered")}</dt>
          <dd>{t("own.minutes", { count: minutesOf(mine.delivered_ms) })}</dd>
        </div>
        <div>
          <dt>{t("own.answered")}</dt>
          <dd>
            {mine.checks_answered} / {mine.checks_asked}
          </dd>
        </div>
        <div>
          <dt>{t("own.hours")}</dt>
          <dd>{mine.hours}</dd>
        </div>
        <div>
          <dt>{t("own.status")}</dt>
          <dd>
            <span className={`chip ${look.tone}`}>
              <Icon name={look.icon} className="i14" />
              {stateName(t, mine.status)}
            </span>
          </dd>
        </div>
      </dl>
      {mine.override ? <p className="decided s">{t("own.overridden", { name: mine.override.by, reason: mine.override.reason })}</p> : null}
      <h3>{t("own.timeline")}</h3>
      <Timeline segments={mine.segments} idle={[]} from={own.started_at} to={own.ended_at ?? own.now} />
      <p className="xs muted">
        {policyName(t, own.policy)} · {t("own.lead")}
      </p>
    </div>
  );
}
