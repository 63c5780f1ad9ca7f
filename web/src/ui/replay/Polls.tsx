import { useTranslation } from "react-i18next";
import type { PollShown } from "../../protocol/replay";
import { Icon } from "../parts/Icon";
import { clock } from "../parts/time";
import { useReplay, useReplayState } from "./context";

/** Polls opened so far, as everybody saw them; the newest first. */
export function Polls() {
  const { t } = useTranslation();
  const polls = useReplayState((state) => state.view?.polls);
  const at = useReplayState((state) => state.pollsAt);
  const listed = Object.values(polls ?? {}).reverse();
  return (
    <div className="rp-pane" data-scrolls>
      {listed.length === 0 ? (
        <div className="empty">
          <div className="ico rp-ico">
            <Icon name="poll" />
          </div>
          <b>{t("replay.noPolls")}</b>
          <span>{t("replay.noPollsHint")}</span>
        </div>
      ) : null}
      {listed.map((poll) => (
        <Poll key={poll.id} poll={poll} at={at.get(poll.id) ?? 0} />
      ))}
    </div>
  );
}

function Poll({ poll, at }: { poll: PollShown; at: number }) {
  const { t } = useTranslation();
  const replay = useReplay();
  const voters = poll.voters ?? 0;
  const state = poll.tally ? t("replay.voters", { count: voters }) : poll.state === "open" ? t("replay.open") : t("replay.closed");
  return (
    <article className="rp-poll num">
      <header>
        <button type="button" className="rp-tc" aria-label={t("replay.jumpTo", { at: clock(at) })} onClick={() => replay.seek(at)}>
          {clock(at)}
        </button>
        <span className={`xs ${poll.state === "open" ? "chip signal" : "muted"}`}>{state}</span>
      </header>
      <h3>{poll.question}</h3>
      {poll.options.map((option, i) => {
        const votes = poll.tally?.[i];
        const share = votes === undefined || voters === 0 ? 0 : Math.round((votes / voters) * 100);
        return (
          <div key={option} className="rp-opt">
            <div>
              <span>{option}</span>
              {votes === undefined ? null : <b>{share}%</b>}
            </div>
            {votes === undefined ? null : (
              <div className="rp-meter">
                <i style={{ width: `${share}%` }} />
              </div>
            )}
          </div>
        );
      })}
    </article>
  );
}
