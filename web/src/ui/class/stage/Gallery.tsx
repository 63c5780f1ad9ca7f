import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ParticipantView } from "../../../protocol/types";
import { Icon } from "../../parts/Icon";
import { useClass, useClassroom, useView } from "../context";
import { Tile } from "./Tile";

export interface Area {
  width: number;
  height: number;
}

const RATIO = 1.6;
const GAP = 8;
const SMALLEST_PX = 148;
const MOST = 16;

/** Width of the tiles when this many stand in so many columns. */
function tileWidth(count: number, columns: number, area: Area): number {
  const rows = Math.ceil(count / columns);
  const across = (area.width - (columns - 1) * GAP) / columns;
  const down = ((area.height - (rows - 1) * GAP) / rows) * RATIO;
  return Math.max(0, Math.min(across, down));
}

/** Faces side by side read better than stacked ones, at the price of slightly smaller tiles. */
const SIDE_BY_SIDE = 1.08;

/** The number of columns that gives the largest tiles. */
export function columnsFor(count: number, area: Area): number {
  let best = 1;
  for (let columns = 2; columns <= count; columns++) {
    if (tileWidth(count, columns, area) * SIDE_BY_SIDE > tileWidth(count, best, area)) best = columns;
  }
  return best;
}

/** How many tiles fit before they become too small to see a face. */
export function placesIn(area: Area, most = MOST): number {
  let count = most;
  while (count > 1 && tileWidth(count, columnsFor(count, area), area) < SMALLEST_PX) count--;
  return count;
}

/** Size of an element, followed. */
function useArea(): { box: React.RefObject<HTMLDivElement | null>; area: Area } {
  const box = useRef<HTMLDivElement>(null);
  const [area, setArea] = useState<Area>({ width: 960, height: 600 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const read = () => {
      const { width, height } = element.getBoundingClientRect();
      if (width > 0 && height > 0) setArea((now) => (now.width === width && now.height === height ? now : { width, height }));
    };
    read();
    const observer = new ResizeObserver(read);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { box, area };
}

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
  const { box, area } = useArea();
  const { shown, page, pages, turn } = usePage(people, narrow ? 6 : placesIn(area));
  const columns = columnsFor(shown.length, area);
  const width = Math.floor(tileWidth(shown.length, columns, area));
  return (
    <div className="gallery">
      <div ref={box} className="gallery-grid">
        <div style={{ "--w": `${width}px`, maxWidth: width * columns + GAP * (columns - 1) + 1 } as React.CSSProperties}>
          {shown.map((person) => (
            <Tile key={person.id} person={person} hand={hands.indexOf(person.id) + 1} />
          ))}
        </div>
      </div>
      <Pager page={page} pages={pages} turn={turn} />
    </div>
  );
}
