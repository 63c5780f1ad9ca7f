import { useState } from "react";
import { useTranslation } from "react-i18next";
import { may } from "../../../state/select";
import { shallow } from "../../../state/store";
import { Icon } from "../../parts/Icon";
import { clock, useNow } from "../../parts/time";
import { useView } from "../context";
import "./checks.css";

/** How long the outcome stays after the end of a check, ms. */
const LINGERS_MS = 45_000;
const NAMED = 60;

/** For staff and inspectors: how many have answered, and who has not, while a check runs and a little longer. */
export function CheckCount() {
  const check = useView((view) => (may(view, "see_attendance") ? (view.check ?? null) : null));
  return check?.asked == null ? null : <Count key={check.id} />;
}

function Count() {
  const { t } = useTranslation();
  const [hidden, setHidden] = useState(false);
  const seen = useView(
    (view, state) => ({ check: view.check ?? null, people: view.participants, skew: state.skew, phase: view.session.phase }),
    shallow,
  );
  const now = useNow() + seen.skew;
  const { check } = seen;
  if (!check || hidden || now > check.until + LINGERS_MS || seen.phase === "ended") return null;
  const answered = new Set(check.answered ?? []);
  const asked = check.asked ?? 0;
  const open = now <= check.until;
  const missing = asked - answered.size;
  const silent = seen.people.filter((each) => each.role === "trainee" && each.present && !answered.has(each.id)).slice(0, NAMED);
  return (
    <section className="check-count" aria-label={t("checks.region")}>
      <Icon name="check" className="i18" />
      <b>{open ? t("checks.running") : t("checks.over")}</b>
      <span className="num" aria-live={open ? "off" : "polite"}>
        {asked === 0 ? t("checks.nobody") : t("checks.count", { answered: answered.size, asked })}
      </span>
      <span className="meter" aria-hidden="true">
        <i style={{ width: `${asked > 0 ? (answered.size / asked) * 100 : 0}%` }} />
      </span>
      {open ? <span className="num muted s">{t("checks.left", { time: clock(check.until - now + 999) })}</span> : null}
      {asked > 0 && missing <= 0 ? <span className="s">{t("checks.allAnswered")}</span> : null}
      {missing > 0 ? (
        <details>
          <summary className="s num">{t("checks.missing", { count: missing })}</summary>
          <p className="s">{silent.map((each) => each.name).join(" · ")}</p>
        </details>
      ) : null}
      <button type="button" className="btn ghost icon-only" aria-label={t("checks.hide")} onClick={() => setHidden(true)}>
        <Icon name="cross" className="i16" />
      </button>
    </section>
  );
}
