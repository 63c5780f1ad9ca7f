import { type FormEvent, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { PollView } from "../../../protocol/types";
import { may } from "../../../state/select";
import { shallow } from "../../../state/store";
import { Icon } from "../../parts/Icon";
import { useClassroom, useView } from "../context";
import "./polls.css";

const LETTERS = "ABCDEFGHIJ";

/** Choices made but not sent yet; kept over a reload. */
function useChoices(poll: string): [number[], (choices: number[]) => void] {
  const key = `jiangtai.draft.poll.${poll}`;
  const [choices, setChoices] = useState<number[]>(() => {
    try {
      return JSON.parse(sessionStorage.getItem(key) ?? "[]") as number[];
    } catch {
      return [];
    }
  });
  useEffect(() => {
    if (choices.length > 0) sessionStorage.setItem(key, JSON.stringify(choices));
    else sessionStorage.removeItem(key);
  }, [key, choices]);
  return [choices, setChoices];
}

function Answer({ poll }: { poll: PollView }) {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const [choices, setChoices] = useChoices(poll.id);
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    void classroom.send({ type: "answer_poll", poll: poll.id, choices: [...choices].sort((a, b) => a - b) }).then((code) => {
      setBusy(false);
      if (code === null) setChoices([]);
    });
  };
  const pick = (i: number, on: boolean) => {
    if (poll.multiple) setChoices(on ? [...choices, i] : choices.filter((each) => each !== i));
    else setChoices([i]);
  };
  return (
    <form onSubmit={submit}>
      <fieldset>
        <legend className="sr">{poll.question}</legend>
        {poll.options.map((option, i) => (
          <label key={`${LETTERS[i]}-${option}`} className={`choice ${choices.includes(i) ? "on" : ""}`}>
            <input
              type={poll.multiple ? "checkbox" : "radio"}
              name={`poll-${poll.id}`}
              checked={choices.includes(i)}
              onChange={(event) => pick(i, event.target.checked)}
            />
            <b>{LETTERS[i]}</b>
            <span>{option}</span>
          </label>
        ))}
      </fieldset>
      <div className="poll-foot">
        <span className="xs muted">{poll.anonymous ? t("polls.anonymous") : t("polls.final")}</span>
        <button type="submit" className="btn primary sm" disabled={choices.length === 0 || busy}>
          {t("polls.answer")}
        </button>
      </div>
    </form>
  );
}

function Result({ poll }: { poll: PollView }) {
  const { t } = useTranslation();
  const voters = poll.voters ?? 0;
  const best = Math.max(0, ...(poll.tally ?? []));
  return (
    <ul className="result">
      {poll.options.map((option, i) => {
        const votes = poll.tally?.[i] ?? 0;
        const share = voters > 0 ? votes / voters : 0;
        const mine = poll.mine?.includes(i) ?? false;
        return (
          <li key={`${LETTERS[i]}-${option}`}>
            <div className="l">
              <span>
                {option}
                {mine ? (
                  <span className="mine">
                    <Icon name="ok" className="i14" />
                    <span className="sr">{t("polls.yours")}</span>
                  </span>
                ) : null}
              </span>
              {poll.tally ? (
                <b className="num" title={t("polls.votes", { count: votes })}>
                  {Math.round(share * 100)}%
                </b>
              ) : null}
            </div>
            {poll.tally ? (
              <div className={`meter ${votes === best && votes > 0 ? "best" : ""}`}>
                <i style={{ width: `${share * 100}%` }} />
              </div>
            ) : null}
          </li>
        );
      })}
    </ul>
  );
}

function Controls({ poll }: { poll: PollView }) {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const blocked = useView((view) => view.polls.some((each) => each.state === "open" && each.id !== poll.id));
  return (
    <div className="poll-acts">
      {poll.state === "draft" ? (
        <button
          type="button"
          className="btn primary sm"
          disabled={blocked}
          title={blocked ? t("polls.oneOpen") : undefined}
          onClick={() => void classroom.send({ type: "open_poll", poll: poll.id })}
        >
          {t("polls.start")}
        </button>
      ) : null}
      {poll.state === "open" ? (
        <button type="button" className="btn sm" onClick={() => void classroom.send({ type: "close_poll", poll: poll.id })}>
          {t("polls.close")}
        </button>
      ) : null}
      {poll.state !== "draft" && !poll.revealed ? (
        <button
          type="button"
          className={`btn sm ${poll.state === "closed" ? "primary" : ""}`}
          onClick={() => void classroom.send({ type: "reveal_poll", poll: poll.id })}
        >
          {t("polls.reveal")}
        </button>
      ) : null}
    </div>
  );
}

/** One poll: to answer, to watch, or to run. */
export function PollCard({ poll, compact = false }: { poll: PollView; compact?: boolean }) {
  const { t } = useTranslation();
  const is = useView(
    (view, state) => ({
      runs: may(view, "run_polls"),
      answers: may(view, "answer_polls"),
      present: state.live.present ?? view.present,
      frozen: view.session.settings.frozen,
    }),
    shallow,
  );
  const answering = poll.state === "open" && is.answers && poll.mine === null && !is.frozen;
  const state = poll.revealed
    ? t("polls.revealed")
    : poll.state === "open"
      ? t("polls.stateOpen")
      : poll.state === "closed"
        ? t("polls.stateClosed")
        : t("polls.stateDraft");
  return (
    <article className={`poll ${compact ? "compact" : ""}`}>
      <header>
        <span className={`chip tiny ${poll.state === "open" ? "accent" : ""}`}>{state}</span>
        <span className="xs muted">
          {poll.multiple ? t("polls.pickMany") : t("polls.pickOne")}
          {poll.anonymous ? ` · ${t("polls.anonymous")}` : ""}
        </span>
        {poll.voters !== null && poll.state !== "draft" ? (
          <span className="xs muted num grow-end">
            {poll.state === "open"
              ? t("polls.votersOf", { voters: poll.voters, total: is.present })
              : t("polls.voters", { voters: poll.voters })}
          </span>
        ) : null}
      </header>
      <h3>{poll.question}</h3>
      {answering ? <Answer poll={poll} /> : <Result poll={poll} />}
      {is.answers && !answering && poll.tally === null ? (
        <p className="note-line xs muted">
          {poll.mine ? <Icon name="ok" className="i14" /> : null}
          {poll.mine ? `${t("polls.answered")} · ${t("polls.waiting")}` : t("polls.missed")}
        </p>
      ) : null}
      {is.runs ? <Controls poll={poll} /> : null}
    </article>
  );
}
