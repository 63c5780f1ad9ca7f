import { useTranslation } from "react-i18next";
import type { ParticipantView } from "../../../protocol/types";
import { useView } from "../context";
import { Pager, usePage } from "./Gallery";
import { Tile } from "./Tile";

/** The people beside what is large. */
export function Strip({ people, narrow }: { people: ParticipantView[]; narrow: boolean }) {
  const { t } = useTranslation();
  const hands = useView((view) => view.hands);
  const { shown, page, pages, turn } = usePage(people, narrow ? 8 : 5);
  if (people.length === 0) return null;
  return (
    <aside className="strip" role="group" aria-label={t("people.stage")} tabIndex={0}>
      {shown.map((person) => (
        <Tile key={person.id} person={person} hand={hands.indexOf(person.id) + 1} />
      ))}
      <Pager page={page} pages={pages} turn={turn} />
    </aside>
  );
}
