import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Message } from "../../protocol/replay";
import { Avatar } from "../parts/Avatar";
import { Icon } from "../parts/Icon";
import { clock } from "../parts/time";
import { useReplay, useReplayState } from "./context";

/** Rows drawn at once; a search narrows further. */
const MOST = 300;

/** The chat up to the moment played, following it; or, while something is searched for, every message that has it. */
export function Chat({ search, shown }: { search: RefObject<HTMLInputElement | null>; shown: boolean }) {
  const { t } = useTranslation();
  const replay = useReplay();
  const [wanted, setWanted] = useState("");
  const [following, setFollowing] = useState(true);
  const list = useRef<HTMLDivElement>(null);
  const words = wanted.trim().toLocaleLowerCase();
  const messages = useReplayState((state) => state.messages);
  const count = useReplayState((state) => upTo(state.messages, state.playing.position));
  const found = words
    ? messages.filter(({ what }) => `${what.name} ${what.text ?? ""}`.toLocaleLowerCase().includes(words))
    : messages.slice(0, count);
  const rows = words ? found.slice(0, MOST) : found.slice(-MOST);
  // biome-ignore lint/correctness/useExhaustiveDependencies: to the end whenever there is more
  useLayoutEffect(() => {
    if (following && !words && list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [rows.length, following, words, shown]);
  useEffect(() => {
    if (words) setFollowing(true);
  }, [words]);
  return (
    <>
      <div className="rp-find">
        <Icon name="search" className="i16" />
        <input
          ref={search}
          type="search"
          value={wanted}
          aria-label={t("replay.search")}
          placeholder={t("replay.search")}
          onChange={(event) => setWanted(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") {
              setWanted("");
              event.currentTarget.blur();
            }
          }}
        />
        {words ? (
          <>
            <span className="xs muted num" role="status">
              {t("replay.searchFound", { count: found.length })}
            </span>
            <button type="button" className="btn ghost icon-only" aria-label={t("replay.clear")} onClick={() => setWanted("")}>
              <Icon name="cross" className="i14" />
            </button>
          </>
        ) : null}
      </div>
      <div
        ref={list}
        className="rp-pane"
        data-scrolls
        tabIndex={0}
        role="region"
        aria-label={t("replay.tab.chat")}
        onScroll={(event) => {
          const box = event.currentTarget;
          setFollowing(box.scrollHeight - box.scrollTop - box.clientHeight < 48);
        }}
      >
        {rows.length === 0 ? (
          <div className="empty">
            <div className="ico rp-ico">
              <Icon name={words ? "search" : "chat"} />
            </div>
            <b>{words ? t("replay.notFound") : t("replay.noChat")}</b>
            {words ? null : <span>{t("replay.noChatHint")}</span>}
          </div>
        ) : (
          <ul>
            {rows.map((message) => (
              <Line key={message.what.id} message={message} words={words} onJump={() => replay.seek(message.at)} />
            ))}
          </ul>
        )}
      </div>
      {following || words ? null : (
        <button type="button" className="btn sm rp-follow" onClick={() => setFollowing(true)}>
          <Icon name="down" className="i16" />
          {t("replay.follow")}
        </button>
      )}
    </>
  );
}

function Line({ message: { at, what }, words, onJump }: { message: Message; words: string; onJump: () => void }) {
  const { t } = useTranslation();
  return (
    <li className="rp-msg">
      <Avatar id={what.by} name={what.name} />
      <div className="b">
        <div className="h num">
          <b className="ellipsis">{what.name}</b>
          {what.role === "trainee" ? null : <span className="chip accent tiny">{t(`role.${what.role}`)}</span>}
          <button type="button" className="rp-tc" aria-label={t("replay.jumpTo", { at: clock(at) })} onClick={onJump}>
            {clock(at)}
          </button>
        </div>
        {what.deleted ? <p className="deleted">{t("replay.deleted")}</p> : <p>{marked(what.text ?? "", words)}</p>}
      </div>
    </li>
  );
}

/** The text with what is searched for marked. */
function marked(text: string, words: string) {
  const at = words ? text.toLocaleLowerCase().indexOf(words) : -1;
  if (at < 0) return text;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + words.length)}</mark>
      {text.slice(at + words.length)}
    </>
  );
}

/** How many messages were posted at or before a moment. */
function upTo(messages: Message[], position: number): number {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((messages[middle]?.at ?? 0) <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
