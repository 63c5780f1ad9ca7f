import { type FormEvent, type KeyboardEvent, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Channel } from "../../../protocol/types";
import { isStaff, may, mayChat } from "../../../state/select";
import { shallow } from "../../../state/store";
import { Icon } from "../../parts/Icon";
import { useNow } from "../../parts/time";
import { useSeat } from "../checks/useOwn";
import { useClass, useClassroom, useDesk, useDeskState, useView } from "../context";
import { useDraft } from "./useDraft";

const LIMIT = 2000;
const COUNT_FROM = 1800;
const TYPING_EVERY_MS = 3_000;

/** Seconds until this person may write again in slow mode. */
function useSlow(): number {
  const until = useView((view, state) => {
    const slow = view.session.settings.slow_mode_s;
    if (slow === 0 || isStaff(view)) return 0;
    const last = view.chat.findLast((message) => message.by === view.me);
    return last ? last.at + slow * 1000 - state.skew : 0;
  });
  const now = useNow();
  return Math.max(0, Math.ceil((until - now) / 1000));
}

export function Compose() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const desk = useDesk();
  const permit = useView(mayChat, shallow);
  const seat = useSeat();
  const staff = useView(isStaff);
  const privately = useView((view) => may(view, "chat_privately"));
  const channel = useDeskState((state) => state.channel);
  const writeTo = useDeskState((state) => state.writeTo);
  const [text, setText] = useDraft(`chat.${seat ?? ""}`);
  const latest = useRef(text);
  latest.current = text;
  const slow = useSlow();
  const field = useRef<HTMLTextAreaElement>(null);
  const addressed = useRef(writeTo);
  const told = useRef(0);
  const online = useClass((state) => state.status === "online");
  // What is meant for few never goes to everybody because of who is listed here or may do what by now.
  const target: Channel = writeTo ? (privately ? "private" : "staff") : permit.staffOnly ? "staff" : channel;

  useEffect(() => {
    // Not for whom a draft was kept: a page that opens takes no focus.
    if (writeTo && writeTo !== addressed.current) field.current?.focus();
    addressed.current = writeTo;
  }, [writeTo]);

  if (!permit.ok) {
    const words = {
      off: t("chat.off"),
      blocked: t("chat.blocked"),
      frozen: t("errors.class_frozen"),
      phase: t("chat.lobby"),
      role: t("chat.readonly"),
    };
    return (
      <p className="compose-off s muted">
        <Icon name={permit.why === "role" ? "eye" : "lock"} className="i16" />
        {words[permit.why ?? "off"]}
      </p>
    );
  }
  const send = (event?: FormEvent) => {
    event?.preventDefault();
    const clean = text.trim();
    if (!clean || slow > 0) return;
    const address = { channel, writeTo };
    setText("");
    latest.current = "";
    if (permit.staffOnly) desk.set({ channel: "everyone" });
    void classroom.post(clean, target, target === "private" ? writeTo?.id : undefined).then((code) => {
      if (!code || latest.current) return;
      // Back as it was, with whom it was for.
      setText(clean);
      desk.set(address);
    });
    field.current?.focus();
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
  };
  const change = (value: string) => {
    setText(value);
    // Begun while only staff could be written to, it is for the staff also if the chat is opened before it is sent.
    if (permit.staffOnly) desk.set({ channel: value ? "staff" : "everyone" });
    const now = Date.now();
    if (value && online && now - told.current > TYPING_EVERY_MS) {
      told.current = now;
      classroom.ask({ type: "typing" }).catch(() => undefined);
    }
  };
  const placeholder =
    target === "private"
      ? t("chat.placeholderPrivate", { name: writeTo?.name ?? "" })
      : target === "staff"
        ? t("chat.placeholderStaff")
        : t("chat.placeholder");
  return (
    <form className="compose" onSubmit={send}>
      <div className="to xs">
        <span className="muted">{t("chat.to")}</span>
        {permit.staffOnly ? (
          <b>{t("chat.staff")}</b>
        ) : (
          <div className="sel bare mini">
            <select
              aria-label={t("chat.to")}
              value={target}
              onChange={(event) => {
                // Whom it is for privately is chosen in the list of people.
                desk.set({ channel: event.target.value as "everyone" | "staff", writeTo: null });
              }}
            >
              <option value="everyone">{t("chat.everyone")}</option>
              <option value="staff">{t("chat.staff")}</option>
              {target === "private" ? <option value="private">{t("chat.private", { name: writeTo?.name ?? "" })}</option> : null}
            </select>
            <Icon name="down" className="chev" />
          </div>
        )}
        {permit.staffOnly && !staff ? <span className="muted ellipsis">{t("chat.staffOnly")}</span> : null}
        {slow > 0 ? <span className="slow num">{t("chat.slow", { count: slow })}</span> : null}
        {text.length > COUNT_FROM ? <span className="slow num">{t("chat.left", { count: LIMIT - text.length })}</span> : null}
      </div>
      <div className="write">
        <textarea
          ref={field}
          className="in"
          rows={1}
          value={text}
          maxLength={LIMIT}
          aria-label={placeholder}
          placeholder={placeholder}
          onChange={(event) => change(event.target.value)}
          onKeyDown={keys}
        />
        <button type="submit" className="btn primary" disabled={text.trim() === "" || slow > 0}>
          {t("chat.send")}
        </button>
      </div>
    </form>
  );
}
