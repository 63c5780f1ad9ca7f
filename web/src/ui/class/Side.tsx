import { type KeyboardEvent, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { may, openPoll } from "../../state/select";
import { shallow } from "../../state/store";
import { Chat } from "./chat/Chat";
import { useUnread } from "./chat/useUnread";
import { type Panel, useDesk, useDeskState, useView } from "./context";
import { People } from "./people/People";
import { Polls } from "./polls/Polls";

const PANELS: readonly Panel[] = ["chat", "people", "polls"];

/** The three panels as tabs; arrow keys move between them. */
export function Side() {
  const { t } = useTranslation();
  const desk = useDesk();
  const panel = useDeskState((state) => state.panel);
  const unread = useUnread();
  const marks = useView((view, state) => {
    const poll = openPoll(view);
    return {
      people: may(view, "manage_hands") ? view.hands.length + view.waiting.length : 0,
      polls: poll && poll.mine === null && may(view, "answer_polls") ? 1 : 0,
      present: state.live.present ?? view.present,
    };
  }, shallow);
  const tabs = useRef<HTMLDivElement>(null);
  const moved = useRef(false);
  useEffect(() => {
    if (moved.current) tabs.current?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus();
    moved.current = false;
  });
  const move = (event: KeyboardEvent) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    moved.current = true;
    desk.set({ panel: PANELS[(PANELS.indexOf(panel) + by + PANELS.length) % PANELS.length] ?? "chat" });
  };
  const count = { chat: panel === "chat" ? 0 : unread, people: marks.people, polls: marks.polls };
  return (
    <aside className="side" aria-label={t("class.sideRegion")}>
      <div ref={tabs} className="tabs" role="tablist" aria-label={t("class.sideRegion")} onKeyDown={move}>
        {PANELS.map((each) => (
          <button
            key={each}
            type="button"
            role="tab"
            id={`tab-${each}`}
            aria-selected={panel === each}
            aria-controls={`panel-${each}`}
            tabIndex={panel === each ? 0 : -1}
            onClick={() => desk.set({ panel: each })}
          >
            {t(`panel.${each}`)}
            {each === "people" ? <span className="num">{marks.present}</span> : null}
            {count[each] > 0 ? <span className="dot num">{count[each] > 99 ? "99+" : count[each]}</span> : null}
          </button>
        ))}
      </div>
      {PANELS.map((each) => (
        <div key={each} id={`panel-${each}`} className="tab-panel" role="tabpanel" aria-labelledby={`tab-${each}`} hidden={panel !== each}>
          {each === "chat" ? <Chat /> : null}
          {each === "people" && panel === each ? <People /> : null}
          {each === "polls" && panel === each ? <Polls /> : null}
        </div>
      ))}
    </aside>
  );
}
