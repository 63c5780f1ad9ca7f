import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ParticipantView } from "../../../protocol/types";
import { Icon } from "../../parts/Icon";
import { useClass, useClassroom, useView } from "../context";
import { Tile } from "./Tile";

/** Columns that waste least of a 16:10 area for this many 16:10 tiles. */
export const columnsFor = (count: number, narrow: boolean): number => (narrow ? (count <= 2 ? 1 : 2) : Math.ceil(Math.sqrt(count)));

export function Pager({ page, pages, turn }: { page: number; pages: number; turn: (page: number) => void }) {
  const { t } = useTranslation();
  if (pages < 2) return null;
  return (
    <nav className="pager num" aria-label={t("class.page", { page: page + 1, pages })}>
      <button type="button" aria-label={t("class.previousPage")} disabled={page === 0} onClick={() => turn(page - 1)}>
        <Icon name="left" className="i16" />
      </button>
      <span aria-hidden="true">
        {page + 1} / {pages}
      </span>
      <button type="button" aria-label={t("class.nextPage")} disabled={page >= pages - 1} onClick={() => turn(page + 1)}>
        <Icon name="right" className="i16" />
      </button>
    </nav>
  );
}

/** Which people of a list fit on the present page; tells the server whose pictures are wanted. */
export function usePage(
  people: ParticipantView[],
  size: number,
): { shown: ParticipantView[]; page: number; pages: number; turn: (page: number) => void } {
  const classroom = useClassroom();
  const [wanted, setWanted] = useState(0);
  const me = useView((view) => view.me);
  const pages = Math.max(1, Math.ceil(people.length / size));
  const page = Math.min(wanted, pages - 1);
  const shown = people.slice(page * size, page * size + size);
  // Who fills the large slot is received already; a second copy in a tile would only cost bandwidth.
  const large = useClass((state) => state.media.slots.find((slot) => slot.use === "main")?.participant ?? null);
  const names = shown.filter((each) => each.camera && each.id !== me && each.id !== large).map((each) => each.id);
  const key = names.join(" ");
  useEffect(() => {
    classroom.media.show(key === "" ? [] : key.split(" "));
  }, [classroom, key]);
  return { shown, page, pages, turn: setWanted };
}

/** Everybody on stage in equal tiles, page by page. */
export function Gallery({ people, narrow }: { people: ParticipantView[]; narrow: boolean }) {
  const hands = useView((view) => view.hands);
  const { shown, page, pages, turn } = usePage(people, narrow ? 6 : 16);
  const columns = columnsFor(shown.length, narrow);
  return (
    <div className="gallery">
      <div className="gallery-grid" style={{ "--columns": columns, "--rows": Math.ceil(shown.length / columns) } as React.CSSProperties}>
        {shown.map((person) => (
          <Tile key={person.id} person={person} hand={hands.indexOf(person.id) + 1} />
        ))}
      </div>
      <Pager page={page} pages={pages} turn={turn} />
    </div>
  );
}
