import { useVirtualizer } from "@tanstack/react-virtual";
import { useLayoutEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { may } from "../../../state/select";
import { Avatar } from "../../parts/Avatar";
import { Icon } from "../../parts/Icon";
import { useClassroom, useView } from "../context";
import { Hands } from "./Hands";
import { PersonRow } from "./PersonRow";
import { rowsOf } from "./rows";
import { usePages } from "./usePages";
import { WaitingList } from "./WaitingList";

const TITLE_PX = 34;
const PERSON_PX = 50;
const SEARCH_FROM = 8;

function Banned() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const removes = useView((view) => may(view, "remove"));
  const banned = useView((view) => view.banned);
  if (!removes || banned.length === 0) return null;
  return (
    <section className="banned" aria-label={t("people.banned")}>
      <h3 className="num">
        {t("people.banned")} · {banned.length}
      </h3>
      {banned.map((each) => (
        <div key={each.id} className="person">
          <Avatar id={each.id} name={each.name} />
          <div className="t">
            <b className="ellipsis">{each.name}</b>
          </div>
          <button type="button" className="btn sm" onClick={() => void classroom.send({ type: "unban", participant: each.id })}>
            {t("people.unban")}
          </button>
        </div>
      ))}
    </section>
  );
}

/** Who is here: waiting and hands on top, then everybody by group; a list of thousands draws only what is seen. */
export function People() {
  const { t, i18n } = useTranslation();
  const [query, setQuery] = useState("");
  const pages = usePages(query);
  const view = useView((each) => each);
  const present = useView((each, state) => state.live.present ?? each.present);
  const rows = useMemo(() => rowsOf(view, query, pages.people, i18n.language), [view, query, pages.people, i18n.language]);
  const scroller = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLDivElement>(null);
  // The list scrolls together with what stands above it, whose height changes with waiting people and hands.
  const [above, setAbove] = useState(0);
  useLayoutEffect(() => {
    const top = box.current?.offsetTop ?? 0;
    if (top !== above) setAbove(top);
  });
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (i) => (rows[i]?.kind === "title" ? TITLE_PX : PERSON_PX),
    getItemKey: (i) => {
      const row = rows[i];
      return row?.kind === "person" ? row.person.id : `title-${row?.group ?? i}`;
    },
    scrollMargin: above,
    overscan: 8,
  });
  const people = rows.filter((row) => row.kind === "person").length;
  return (
    <>
      <div ref={scroller} className="people" tabIndex={0} role="region" aria-label={t("people.list")}>
        <WaitingList />
        <Hands />
        {present >= SEARCH_FROM || query ? (
          <div className="find">
            <Icon name="search" className="i16" />
            <input
              className="in"
              type="search"
              value={query}
              aria-label={t("people.search")}
              placeholder={t("people.search")}
              onChange={(event) => setQuery(event.target.value)}
            />
          </div>
        ) : null}
        {people === 0 ? (
          <div className="empty">
            <span className="ico">
              <Icon name="people" />
            </span>
            <b>{query ? t("people.none") : t("people.empty")}</b>
          </div>
        ) : (
          <div ref={box} role="list" className="rows" style={{ height: list.getTotalSize() }}>
            {list.getVirtualItems().map((item) => {
              const row = rows[item.index];
              if (!row) return null;
              return (
                <div
                  key={item.key}
                  role="listitem"
                  className="virtual"
                  style={{ height: item.size, transform: `translateY(${item.start - above}px)` }}
                >
                  {row.kind === "title" ? (
                    <h3 className="group num">
                      {t(`people.${row.group}`)} · {row.count}
                    </h3>
                  ) : (
                    <PersonRow person={row.person} hand={row.hand} />
                  )}
                </div>
              );
            })}
          </div>
        )}
        <Banned />
      </div>
      {people < present && !query ? (
        <p className="shown xs muted num">
          {t("people.shown", { shown: people, total: present })}
          {pages.more ? (
            <button type="button" className="btn sm" onClick={pages.more}>
              {t("people.loadMore")}
            </button>
          ) : null}
        </p>
      ) : null}
    </>
  );
}
