import { useTranslation } from "react-i18next";
import { may } from "../../../state/select";
import { Avatar } from "../../parts/Avatar";
import { Icon } from "../../parts/Icon";
import { useClassroom, useView } from "../context";

const SHOWN = 50;

/** Who wants to enter; one by one or all at once. */
export function WaitingList() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const admits = useView((view) => may(view, "admit"));
  const waiting = useView((view) => view.waiting);
  if (!admits || waiting.length === 0) return null;
  return (
    <section className="hands waiting" aria-label={t("people.waiting")}>
      <header>
        <h3 className="num">
          {t("people.waiting")} · {waiting.length}
        </h3>
        <button type="button" className="btn primary sm" onClick={() => void classroom.send({ type: "admit", participants: [] })}>
          {t("people.admitAll")}
        </button>
      </header>
      {waiting.slice(0, SHOWN).map((each) => (
        <div key={each.id} className="hand-row">
          <Avatar id={each.id} name={each.name} />
          <div className="t">
            <b className="ellipsis">{each.name}</b>
            <span className={each.imitates ? "imitates" : ""}>
              {each.imitates ? <Icon name="warn" className="i14" /> : null}
              {each.imitates ? t("people.imitates") : each.present ? t("people.waited") : t("people.away")}
            </span>
          </div>
          <button type="button" className="btn sm" onClick={() => void classroom.send({ type: "decline", participant: each.id })}>
            {t("people.decline")}
          </button>
          <button type="button" className="btn sm" onClick={() => void classroom.send({ type: "admit", participants: [each.id] })}>
            {t("people.admit")}
          </button>
        </div>
      ))}
    </section>
  );
}
