import { useTranslation } from "react-i18next";
import { may, person } from "../../../state/select";
import { shallow } from "../../../state/store";
import { Avatar } from "../../parts/Avatar";
import { clock, useNow } from "../../parts/time";
import { useClassroom, useView } from "../context";
import { useNarrow } from "../stage/useNarrow";
import "./people.css";

const COMPACT = 2;

/** The queue of raised hands, oldest first; for whoever may bring people on stage. */
export function Hands({ compact = false }: { compact?: boolean }) {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const manages = useView((view) => may(view, "manage_hands"));
  const hands = useView((view) => view.hands.map((id) => person(view, id)).filter((each) => each !== null), shallow);
  const skew = useView((_, state) => state.skew);
  const now = useNow();
  const narrow = useNarrow();
  if (!manages || hands.length === 0) return null;
  const shown = compact ? hands.slice(0, narrow ? 1 : COMPACT) : hands;
  return (
    <section className="hands" aria-label={t("people.hands")}>
      <header>
        <h3 className="num">
          {t("people.hands")} · {hands.length}
        </h3>
        <button type="button" className="btn ghost tiny" onClick={() => void classroom.send({ type: "lower_all_hands" })}>
          {t("people.lowerAll")}
        </button>
      </header>
      {shown.map((each, i) => (
        <div key={each.id} className="hand-row">
          <Avatar id={each.id} name={each.name} />
          <div className="t">
            <b className="ellipsis">{each.name}</b>
            <span className="num">{t("people.handAt", { n: i + 1, time: clock(now + skew - (each.hand_at ?? now)) })}</span>
          </div>
          {each.on_stage ? null : (
            <button
              type="button"
              className={`btn sm ${i === 0 ? "primary" : ""}`}
              onClick={() => void classroom.send({ type: "bring_on_stage", participant: each.id })}
            >
              {t("people.bring")}
            </button>
          )}
          <button type="button" className="btn sm" onClick={() => void classroom.send({ type: "lower_hand", participant: each.id })}>
            {t("people.lower")}
          </button>
        </div>
      ))}
    </section>
  );
}
