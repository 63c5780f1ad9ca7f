import { useTranslation } from "react-i18next";
import { may } from "../../../state/select";
import { Icon } from "../../parts/Icon";
import { useDesk, useView } from "../context";
import { PollCard } from "./PollCard";

const ORDER = { open: 0, draft: 1, closed: 2 } as const;

/** All polls of the class, the open one first, then newest first. */
export function Polls() {
  const { t } = useTranslation();
  const desk = useDesk();
  const polls = useView((view) => view.polls);
  const runs = useView((view) => may(view, "run_polls"));
  const sorted = polls.map((poll, i) => ({ poll, i })).sort((a, b) => ORDER[a.poll.state] - ORDER[b.poll.state] || b.i - a.i);
  return (
    <>
      <div className="polls">
        {sorted.length === 0 ? (
          <div className="empty">
            <span className="ico">
              <Icon name="poll" />
            </span>
            <b>{t("polls.empty")}</b>
            <span>{runs ? t("polls.emptyStaff") : t("polls.emptyTrainee")}</span>
          </div>
        ) : (
          sorted.map(({ poll }) => <PollCard key={poll.id} poll={poll} />)
        )}
      </div>
      {runs ? (
        <div className="polls-new">
          <button type="button" className="btn primary" onClick={() => desk.set({ dialog: "poll" })}>
            <Icon name="plus" className="i18" />
            {t("polls.new")}
          </button>
        </div>
      ) : null}
    </>
  );
}
