import { useCallback, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type SeatInfo } from "../../protocol/api";
import { codeOf } from "../../protocol/refused";
import { Loading } from "../App";
import { canRetry, Refusal, wordsFor } from "../parts/Refusal";
import { go, takeFragment } from "../route";
import { type Intent, keepIntent } from "./intent";
import { Prejoin } from "./Prejoin";

const INVITE = "jiangtai.invite";
/** A token is good for one exchange: the same page never sends it twice. */
const exchanges = new Map<string, Promise<SeatInfo>>();

function exchange(token: string): Promise<SeatInfo> {
  let running = exchanges.get(token);
  if (!running) {
    running = api.takeSeat(token);
    exchanges.set(token, running);
    running.catch((error) => {
      if (canRetry(codeOf(error))) exchanges.delete(token);
    });
  }
  return running;
}

function readLink(): { token?: string; invite?: string } {
  const found = takeFragment("token", "invite");
  if (found.invite) sessionStorage.setItem(INVITE, found.invite);
  if (found.token) return { token: found.token };
  return { invite: found.invite ?? sessionStorage.getItem(INVITE) ?? undefined };
}

function ByToken({ token }: { token: string }) {
  const { t } = useTranslation();
  const [code, setCode] = useState<string | null>(null);
  const take = useCallback(() => {
    setCode(null);
    exchange(token).then(
      (info) => go(`/class/${info.seat}`, true),
      (error) => setCode(codeOf(error)),
    );
  }, [token]);
  useEffect(take, [take]);
  if (code === null) return <Loading text={t("join.checking")} />;
  return (
    <Refusal code={code}>
      {canRetry(code) ? (
        <div className="acts">
          <button type="button" className="btn primary" onClick={take}>
            {t("common.retry")}
          </button>
        </div>
      ) : null}
    </Refusal>
  );
}

function ByInvite({ invite }: { invite: string }) {
  const [info, setInfo] = useState<SeatInfo | null>(null);
  const [code, setCode] = useState<string | null>(null);
  const sit = async (name: string): Promise<SeatInfo | null> => {
    if (info) return info;
    setCode(null);
    try {
      const { token } = await api.invitation(invite, name);
      const seat = await api.takeSeat(token);
      setInfo(seat);
      return seat;
    } catch (error) {
      setCode(codeOf(error));
      return null;
    }
  };
  const enter = async (name: string, intent: Intent) => {
    const seat = await sit(name);
    if (!seat) return;
    keepIntent(seat.seat, intent);
    go(`/class/${seat.seat}`);
  };
  if (code && !canRetry(code)) return <Refusal code={code === "not_found" ? "bad_token" : code} />;
  return <Prejoin info={info} problem={code ? wordsFor(code) : null} onEnter={enter} onSit={async (name) => (await sit(name)) !== null} />;
}

/** `/join#token=` and `/join#invite=`: from a link to a seat. */
export function Join() {
  const [link] = useState(readLink);
  if (link.token) return <ByToken token={link.token} />;
  if (link.invite) return <ByInvite invite={link.invite} />;
  return <Refusal code="bad_token" />;
}
