import { useCallback, useEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { useTranslation } from "react-i18next";
import { chime } from "../../../media/level";
import { Icon } from "../../parts/Icon";
import { toast } from "../../parts/Toasts";
import { clock, useNow } from "../../parts/time";
import { prefs } from "../../prefs";
import { useClassroom, useView } from "../context";
import { isTyping } from "../keys";
import "./checks.css";

const THANKS_MS = 2_500;

/** Answers the check that is shown, if there is one to answer; shared by the button and the key. */
export function useAnswer(): () => void {
  const classroom = useClassroom();
  const check = useView((view) => view.check ?? null);
  const skew = useView((_, state) => state.skew);
  return useCallback(() => {
    if (!check?.nonce || check.mine || Date.now() + skew > check.until) return;
    void classroom.send({ type: "answer_check", check: check.id, nonce: check.nonce });
  }, [classroom, check, skew]);
}

/** Whether somebody is in the middle of something that must keep the focus. */
const busy = (): boolean => isTyping(document.activeElement);

/**
 * The question whether somebody is there. It takes the focus only from nothing: who is typing, or in a menu or dialog, goes on undisturbed,
 * hears the question read out, and answers by its key or the button, which stands above dialogs and outside of what they hide.
 */
export function CheckCard() {
  const check = useView((view) => view.check ?? null);
  return check?.nonce ? createPortal(<Question key={check.id} />, document.body) : null;
}

function Question() {
  const { t } = useTranslation();
  const answer = useAnswer();
  const check = useView((view) => view.check ?? null);
  const skew = useView((_, state) => state.skew);
  const now = useNow(250) + skew;
  const button = useRef<HTMLButtonElement>(null);
  const before = useRef<Element | null>(null);
  const [thanked, setThanked] = useState(check?.mine ?? false);
  const until = check?.until ?? 0;
  const mine = check?.mine ?? false;
  const total = until - (check?.opened_at ?? 0);
  const left = Math.max(0, until - now);
  const open = !mine && left > 0;
  const [asked] = useState(() => Math.ceil(left / 1000));

  useEffect(() => {
    if (!open) return;
    before.current = document.activeElement;
    if (!busy()) button.current?.focus({ preventScroll: true });
    if (prefs.get().sounds) void chime(null).catch(() => undefined);
    return () => {
      const held = document.activeElement === button.current || document.activeElement === document.body;
      if (held && before.current instanceof HTMLElement) before.current.focus({ preventScroll: true });
    };
  }, [open]);

  const missed = !mine && left === 0;
  const saw = useRef(open);
  useEffect(() => {
    if (missed && saw.current) toast(t("checks.missed"), "bad");
    saw.current = false;
  }, [missed, t]);
  useEffect(() => {
    if (open) saw.current = true;
  }, [open]);
  useEffect(() => {
    if (!mine) return;
    const timer = setTimeout(() => setThanked(true), THANKS_MS);
    return () => clearTimeout(timer);
  }, [mine]);

  if (missed || (mine && thanked)) return null;
  return (
    <section
      className="check-card"
      data-beside
      data-react-aria-top-layer="true"
      role="alertdialog"
      aria-labelledby="check-title"
      aria-describedby="check-ask"
    >
      <p className="sr" role="alert">
        {mine ? t("checks.done") : t("checks.spoken", { count: asked })}
      </p>
      <span className={`ico ${mine ? "ok" : "warn"}`}>
        <Icon name={mine ? "ok" : "hand"} />
      </span>
      <div className="words">
        <h2 id="check-title">{mine ? t("checks.done") : t("checks.title")}</h2>
        <p id="check-ask" className="s muted">
          {mine ? t("checks.title") : t("checks.ask")}
        </p>
      </div>
      {mine ? null : (
        <div className="reply">
          <button ref={button} type="button" className="btn primary big" onClick={answer}>
            {t("checks.here")}
          </button>
          <span className="xs muted num" role="timer">
            {t("checks.left", { time: clock(left + 999) })}
          </span>
        </div>
      )}
      {mine ? null : (
        <span className="time" aria-hidden="true">
          <i style={{ width: `${total > 0 ? (left / total) * 100 : 0}%` }} />
        </span>
      )}
    </section>
  );
}
