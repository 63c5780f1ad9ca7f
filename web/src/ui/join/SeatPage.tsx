import { lazy, useCallback, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type SeatInfo } from "../../protocol/api";
import { codeOf } from "../../protocol/refused";
import { Loading } from "../App";
import { canRetry, Refusal } from "../parts/Refusal";
import { type Intent, intentOf, keepIntent } from "./intent";
import { Prejoin } from "./Prejoin";

const loadClass = () => import("../class/ClassPage");
const ClassPage = lazy(loadClass);

/** `/class/<seat>`: the device page first, then the class; after a reload straight back into the class. */
export function SeatPage({ seat }: { seat: string }) {
  const { t } = useTranslation();
  const [intent, setIntent] = useState<Intent | null>(() => intentOf(seat));
  const [info, setInfo] = useState<SeatInfo | null>(null);
  const [code, setCode] = useState<string | null>(null);
  const load = useCallback(() => {
    setCode(null);
    api.seat(seat).then(setInfo, (error) => setCode(codeOf(error)));
  }, [seat]);
  const entered = intent !== null;
  useEffect(() => {
    if (!entered) load();
    void loadClass();
  }, [entered, load]);

  if (intent) return <ClassPage seat={seat} intent={intent} />;
  if (code) {
    return (
      <Refusal code={code}>
        {canRetry(code) ? (
          <div className="acts">
            <button type="button" className="btn primary" onClick={load}>
              {t("common.retry")}
            </button>
          </div>
        ) : null}
      </Refusal>
    );
  }
  if (!info) return <Loading text={t("join.checking")} />;
  if (info.phase === "ended") return <Refusal code="class_ended" />;
  const enter = async (_: string, chosen: Intent) => {
    keepIntent(seat, chosen);
    setIntent(chosen);
  };
  return <Prejoin info={info} problem={null} onEnter={enter} />;
}
