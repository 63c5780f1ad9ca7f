import { memo, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MessageView, PollView } from "../../../protocol/types";
import { isStaffRole, may, openPoll, person } from "../../../state/select";
import { shallow } from "../../../state/store";
import { Avatar } from "../../parts/Avatar";
import { Icon } from "../../parts/Icon";
import { timeOfDay } from "../../parts/time";
import { useClass, useDesk, useView } from "../context";
import { Hands } from "../people/Hands";
import { PollCard } from "../polls/PollCard";
import { useNarrow } from "../stage/useNarrow";
import { Compose } from "./Compose";
import "./chat.css";

const NEAR_END_PX = 80;

const Line = memo(function Line({ message, mayDelete, toName }: { message: MessageView; mayDelete: boolean; toName: string | null }) {
  const { t, i18n } = useTranslation();
  const desk = useDesk();
  return (
    <li className={`msg ${message.channel}`}>
      <Avatar id={message.by} name={message.name} />
      <div className="b">
        <div className="h">
          <b className="ellipsis">{message.name}</b>
          {isStaffRole(message.role) ? <span className="chip accent tiny">{t(`role.${message.role}`)}</span> : null}
          <time className="num">{timeOfDay(message.at, i18n.language)}</time>
          {message.channel === "everyone" ? null : (
            <span className="chip signal tiny">
              <Icon name="lock" className="i14" />
              {message.channel === "staff" ? t("chat.toStaff") : t("chat.privateTo", { name: toName ?? "" })}
            </span>
          )}
        </div>
        <p className={message.deleted ? "deleted" : ""}>{message.deleted ? t("chat.deleted") : message.text}</p>
      </div>
      {mayDelete && !message.deleted ? (
        <button
          type="button"
          className="btn ghost icon-only del"
          aria-label={t("chat.delete")}
          onClick={() => desk.set({ confirm: { kind: "delete", id: message.id, name: message.name } })}
        >
          <Icon name="trash" className="i16" />
        </button>
      ) : null}
    </li>
  );
});

function Typing() {
  const { t, i18n } = useTranslation();
  const names = useView(
    (view, state) =>
      state.live.typing
        .filter((id) => id !== view.me)
        .map((id) => person(view, id)?.name ?? "")
        .filter(Boolean),
    shallow,
  );
  return (
    <p className="typing xs muted">
      {names.length > 0
        ? t("chat.typing", {
            names: new Intl.ListFormat(i18n.language, { type: "conjunction", style: "narrow" }).format(names.slice(0, 2)),
            count: names.length,
          })
        : ""}
    </p>
  );
}

/** On a phone there is no room for a poll above the chat: one line leads to it. */
function PollLink({ poll }: { poll: PollView }) {
  const { t } = useTranslation();
  const desk = useDesk();
  return (
    <button type="button" className="poll-link" onClick={() => desk.set({ panel: "polls", side: true })}>
      <span className="ico ok">
        <Icon name="poll" />
      </span>
      <span className="t">
        <b className="ellipsis">{poll.question}</b>
        <span>{poll.mine ? t("polls.answered") : t("polls.stateOpen")}</span>
      </span>
      <Icon name="right" className="i16" />
    </button>
  );
}

/** Messages with what asks for attention above them; keeps its place while somebody reads older ones. */
export function Chat() {
  const { t } = useTranslation();
  const chat = useView((view) => view.chat);
  const { me, moderates, answers } = useView(
    (view) => ({ me: view.me, moderates: may(view, "delete_chat"), answers: may(view, "answer_polls") }),
    shallow,
  );
  const names = useView((view) => view.participants);
  const outgoing = useClass((state) => state.outgoing);
  const poll = useView(openPoll);
  const narrow = useNarrow();
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const [behind, setBehind] = useState(false);
  const toEnd = () => {
    const element = box.current;
    if (element) element.scrollTop = element.scrollHeight;
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new message or one on its way moves the end
  useLayoutEffect(() => {
    if (atEnd.current || chat.at(-1)?.by === me) toEnd();
    else setBehind(true);
  }, [chat.length, chat.at(-1)?.id, outgoing.length, me]);
  const onScroll = () => {
    const element = box.current;
    if (!element) return;
    atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX;
    if (atEnd.current) setBehind(false);
  };
  const nameOf = (id: string | null) =>
    id === null ? null : id === me ? t("common.you") : (names.find((each) => each.id === id)?.name ?? null);
  return (
    <>
      <div className="attention">
        <Hands compact />
        {poll && (answers || moderates) ? narrow ? <PollLink poll={poll} /> : <PollCard poll={poll} compact /> : null}
      </div>
      <div ref={box} className="chat" onScroll={onScroll} tabIndex={0} role="log" aria-label={t("chat.log")} aria-live="off">
        {chat.length === 0 && outgoing.length === 0 ? (
          <div className="empty">
            <span className="ico">
              <Icon name="chat" />
            </span>
            <b>{t("chat.empty")}</b>
            <span>{t("chat.emptyHint")}</span>
          </div>
        ) : (
          <ul>
            {chat.map((message) => (
              <Line key={message.id} message={message} mayDelete={moderates || message.by === me} toName={nameOf(message.to)} />
            ))}
            {outgoing.map((each) => (
              <li key={each.key} className="msg going">
                <span className="spin small" role="img" aria-label={t("chat.sending")} />
                <div className="b">
                  <p>{each.text}</p>
                </div>
              </li>
            ))}
          </ul>
        )}
      </div>
      {behind ? (
        <button type="button" className="chip accent newer" onClick={toEnd}>
          <Icon name="down" className="i14" />
          {t("chat.newMessages")}
        </button>
      ) : null}
      <Typing />
      <Compose />
    </>
  );
}
