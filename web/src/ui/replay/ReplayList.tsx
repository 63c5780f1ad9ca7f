import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../protocol/api";
import { codeOf } from "../../protocol/refused";
import type { RecordingInfo } from "../../protocol/replay";
import { Loading } from "../App";
import { Icon } from "../parts/Icon";
import { LanguageButton, ThemeButton } from "../parts/Look";
import { MessagePage } from "../parts/MessagePage";
import { Refusal } from "../parts/Refusal";
import { clock, dayAndTime } from "../parts/time";
import "./list.css";

/** Everything recorded of a class, each with its state. */
export function ReplayList({ session }: { session: string }) {
  const [found, setFound] = useState<{ title: string; recordings: RecordingInfo[] } | null>(null);
  const [code, setCode] = useState<string | null>(null);
  useEffect(() => {
    let gone = false;
    api.recordings(session).then(
      (answer) => !gone && setFound(answer),
      (error) => !gone && setCode(codeOf(error)),
    );
    return () => {
      gone = true;
    };
  }, [session]);
  if (code !== null) return <Refusal code={code} />;
  if (!found) return <Loading />;
  return <Listed session={session} title={found.title} recordings={found.recordings} />;
}

export function Listed({ session, title, recordings }: { session: string; title: string; recordings: RecordingInfo[] }) {
  const { t, i18n } = useTranslation();
  if (recordings.length === 0)
    return <MessagePage icon="rec" tone="warn" heading={title} title={t("replay.none")} text={t("replay.noneHint")} />;
  return (
    <div className="rp-list-page">
      <header className="top">
        <div className="brand">{t("app.badge")}</div>
        <h1>{title}</h1>
        <div className="grow" />
        <ThemeButton />
        <LanguageButton />
      </header>
      <main>
        <h2>{t("replay.listTitle")}</h2>
        <p className="muted s">{t("replay.listLead")}</p>
        <ul className="card">
          {recordings.map((each, i) => (
            <li key={each.recording}>
              <span className={`rp-mark ${each.state}`}>
                <Icon
                  name={each.state === "ready" ? "play" : each.state === "deleted" ? "trash" : each.state === "failed" ? "warn" : "time"}
                />
              </span>
              <span className="rp-part">
                <b>{t("replay.part", { number: i + 1 })}</b>
                <span className="xs muted num">
                  {dayAndTime(each.started_at, i18n.language)}
                  {each.duration_ms === null ? "" : ` · ${clock(each.duration_ms)}`}
                </span>
              </span>
              {each.state === "ready" ? (
                <a className="btn primary sm" href={`/replay/${session}/${each.recording}`}>
                  {t("replay.watch")}
                </a>
              ) : (
                <span className={`chip ${each.state === "failed" ? "bad" : ""}`}>{t(`replay.state.${each.state}`)}</span>
              )}
            </li>
          ))}
        </ul>
      </main>
    </div>
  );
}
