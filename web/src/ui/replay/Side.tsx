import { type KeyboardEvent, type RefObject, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Chapters } from "./Chapters";
import { Chat } from "./Chat";
import { useReplayState } from "./context";
import { People } from "./People";
import { Polls } from "./Polls";

export type Tab = "chat" | "polls" | "chapters" | "people";
const TABS: readonly Tab[] = ["chat", "polls", "chapters", "people"];

/** What happened beside the pictures, in step with them. No live region: it moves with the sound all the time. */
export function Side(props: { tab: Tab; onTab: (tab: Tab) => void; search: RefObject<HTMLInputElement | null>; missing: boolean }) {
  const { t } = useTranslation();
  const { tab, onTab } = props;
  const tabs = useRef<HTMLDivElement>(null);
  const moved = useRef(false);
  const polls = useReplayState((state) => Object.values(state.view?.polls ?? {}).filter((poll) => poll.state === "open").length);
  useEffect(() => {
    if (moved.current) tabs.current?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus();
    moved.current = false;
  });
  const move = (event: KeyboardEvent) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    moved.current = true;
    onTab(TABS[(TABS.indexOf(tab) + by + TABS.length) % TABS.length] ?? "chat");
  };
  return (
    <aside className="rp-side" aria-label={t("replay.side")}>
      <div ref={tabs} className="rp-tabs" role="tablist" aria-label={t("replay.side")} onKeyDown={move}>
        {TABS.map((each) => (
          <button
            key={each}
            type="button"
            role="tab"
            id={`rp-tab-${each}`}
            aria-selected={tab === each}
            aria-controls={`rp-panel-${each}`}
            tabIndex={tab === each ? 0 : -1}
            onClick={() => onTab(each)}
          >
            {t(`replay.tab.${each}`)}
            {each === "polls" && polls > 0 && tab !== "polls" ? <i className="rp-dot" /> : null}
          </button>
        ))}
      </div>
      {props.missing ? <p className="rp-missing s muted">{t("replay.timelineMissing")}</p> : null}
      {TABS.map((each) => (
        <div
          key={each}
          id={`rp-panel-${each}`}
          className="rp-panel"
          role="tabpanel"
          aria-labelledby={`rp-tab-${each}`}
          hidden={tab !== each}
        >
          {each === "chat" ? <Chat search={props.search} shown={tab === "chat"} /> : null}
          {each === "polls" && tab === each ? <Polls /> : null}
          {each === "chapters" && tab === each ? <Chapters /> : null}
          {each === "people" && tab === each ? <People /> : null}
        </div>
      ))}
    </aside>
  );
}
