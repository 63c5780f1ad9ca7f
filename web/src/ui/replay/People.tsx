import { useTranslation } from "react-i18next";
import type { PersonShown } from "../../protocol/replay";
import { Avatar } from "../parts/Avatar";
import { Icon } from "../parts/Icon";
import { useReplayState } from "./context";

const RANK: Record<string, number> = { trainer: 0, assistant: 1, trainee: 2, inspector: 3 };
/** Rows drawn at once; a small class has fewer, of a large one only staff and stage are listed. */
const MOST = 200;

/** Who was in class at this moment, hands first. */
export function People() {
  const { t } = useTranslation();
  const people = useReplayState((state) => state.view?.people);
  const listed = Object.values(people ?? {}).sort(order);
  const present = listed.filter((person) => person.present).length;
  return (
    <div className="rp-pane" data-scrolls>
      <p className="xs muted num rp-count">{t("replay.present", { count: present })}</p>
      <ul className="rp-people">
        {listed.slice(0, MOST).map((person) => (
          <li key={person.id} className={person.present ? "" : "away"}>
            <Avatar id={person.id} name={person.name} />
            <span className="ellipsis" title={person.name}>
              {person.name}
            </span>
            {person.role === "trainee" ? null : <span className="chip accent tiny">{t(`role.${person.role}`)}</span>}
            {person.on_stage && person.role === "trainee" ? <span className="chip tiny">{t("replay.onStage")}</span> : null}
            {person.hand === undefined ? null : (
              <span className="rp-hand" role="img" aria-label={t("replay.hand")}>
                <Icon name="hand" className="i16" />
              </span>
            )}
            {person.present ? null : <span className="xs muted">{t("replay.absent")}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}

function order(a: PersonShown, b: PersonShown): number {
  const up = (a.hand ?? Number.MAX_SAFE_INTEGER) - (b.hand ?? Number.MAX_SAFE_INTEGER);
  return (
    up ||
    (RANK[a.role] ?? 9) - (RANK[b.role] ?? 9) ||
    Number(b.present ?? false) - Number(a.present ?? false) ||
    a.name.localeCompare(b.name)
  );
}
