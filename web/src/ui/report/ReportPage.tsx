import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { OwnAttendance, Report } from "../../protocol/api";
import { Loading } from "../App";
import { Icon } from "../parts/Icon";
import { LanguageButton, ThemeButton } from "../parts/Look";
import { canRetry, Refusal, wordsFor } from "../parts/Refusal";
import { dayAndTime, timeOfDay } from "../parts/time";
import { Figures } from "./Figures";
import { OwnFacts } from "./OwnFacts";
import { PeopleTable } from "./PeopleTable";
import { PresencePlot } from "./PresencePlot";
import { ReplayAccessField } from "./ReplayAccessField";
import { Rules } from "./Rules";
import { useReport, useRole } from "./useReport";
import { policyName, sheetPath } from "./words";
import "./report.css";

interface Props {
  session: string;
  seat: string | null;
}

function Frame({ title, facts, children }: { title: string; facts: Pick<Report, "started_at" | "ended_at" | "now">; children: ReactNode }) {
  const { t, i18n } = useTranslation();
  const state = facts.started_at === null ? "notBegun" : facts.ended_at === null ? "live" : "ended";
  return (
    <div className="report">
      <header className="top">
        <div className="brand">{t("app.badge")}</div>
        <b className="ellipsis">{title}</b>
        <span className={`chip ${state === "live" ? "accent live" : ""}`}>{t(`report.${state}`)}</span>
        <div className="grow" />
        <span className="s muted num hide-s">{t("report.asOf", { time: dayAndTime(facts.now, i18n.language) })}</span>
        <ThemeButton />
        <LanguageButton />
      </header>
      <main className="page">{children}</main>
    </div>
  );
}

function Nothing({ title, hint }: { title: string; hint: string }) {
  return (
    <section className="card empty">
      <span className="ico">
        <Icon name="people" />
      </span>
      <b>{title}</b>
      <span className="muted s">{hint}</span>
    </section>
  );
}

function Sheets({ report, seat, policy }: { report: Report; seat: string | null; policy: string | null }) {
  const { t, i18n } = useTranslation();
  return (
    <div className="xp">
      {(["csv", "xlsx"] as const).map((ending) => (
        <a key={ending} className="btn sm" href={sheetPath(report, ending, { lang: i18n.language, seat, policy })} download>
          <Icon name="download" className="i16" />
          {t(`report.${ending}`)}
        </a>
      ))}
    </div>
  );
}

function Whole({
  report,
  seat,
  policy,
  onPolicy,
  again,
  decides,
  shares,
}: Props & {
  report: Report;
  policy: string | null;
  onPolicy: (name: string | null) => void;
  again: () => void;
  decides: boolean;
  shares: boolean;
}) {
  const { t, i18n } = useTranslation();
  const stamped = `${report.stamped.id}.${report.stamped.version}`;
  const times = [report.started_at, report.ended_at].filter((each) => each !== null);
  return (
    <Frame title={t("report.page")} facts={report}>
      <div className="title">
        <h1>{report.title}</h1>
        <div className="facts num">
          {report.hold ? (
            <span>
              <Icon name="lock" className="i16" />
              {t("holds.chipHint", { reason: report.hold })}
            </span>
          ) : null}
          {report.staff.length > 0 ? (
            <span title={t("report.staff")}>
              <Icon name="user" className="i16" />
              <span className="sr">{t("report.staff")}: </span>
              {report.staff.join(" · ")}
            </span>
          ) : null}
          {times[0] === undefined ? null : (
            <span>
              <Icon name="time" className="i16" />
              {dayAndTime(times[0], i18n.language)}
              {times[1] === undefined ? "" : `–${timeOfDay(times[1], i18n.language)}`}
            </span>
          )}
          <ReplayAccessField session={report.session} seat={seat} access={report.replay} changes={shares} onChanged={again} />
        </div>
      </div>
      {report.started_at === null ? (
        <Nothing title={t("report.notBegunTitle")} hint={t("report.notBegunHint")} />
      ) : report.people.length === 0 ? (
        <Nothing title={t("report.emptyTitle")} hint={t("report.emptyHint")} />
      ) : (
        <>
          <Figures report={report} />
          <PresencePlot report={report} />
          <section className="card" aria-label={t("report.table")}>
            <div className="hd">
              <h2>{t("report.table")}</h2>
              <label className="sel bare rules">
                <span className="sr">{t("report.policy")}</span>
                <select
                  value={policy ?? stamped}
                  onChange={(event) => onPolicy(event.target.value === stamped ? null : event.target.value)}
                >
                  {report.policies.map((each) => {
                    const name = `${each.id}.${each.version}`;
                    const words = policyName(t, each);
                    return (
                      <option key={name} value={name}>
                        {name === stamped ? `${words} (${t("report.stamped")})` : words}
                      </option>
                    );
                  })}
                </select>
                <Icon name="down" className="chev" />
              </label>
              <div className="grow" />
              <Sheets report={report} seat={seat} policy={policy} />
            </div>
            {policy ? (
              <p className="trial s" role="status">
                {t("report.trial")}
              </p>
            ) : null}
            <Rules rules={report.rules} />
            <PeopleTable report={report} seat={seat} decides={decides && policy === null} onChanged={again} />
          </section>
        </>
      )}
    </Frame>
  );
}

function Own({ own }: { own: OwnAttendance }) {
  const { t } = useTranslation();
  return (
    <Frame title={t("own.title")} facts={own}>
      <section className="card own" aria-label={t("own.title")}>
        <h1>{t("own.title")}</h1>
        <OwnFacts own={own} />
      </section>
    </Frame>
  );
}

/** `/report/<class>`: the report for those who may see everybody, the own record for a trainee. */
export default function ReportPage({ session, seat }: Props) {
  const { t } = useTranslation();
  const [policy, setPolicy] = useState<string | null>(null);
  const role = useRole(seat);
  const { report, own, code, again } = useReport(session, seat, role, policy);
  if (report) {
    return (
      <>
        {code ? (
          <p className="stale s" role="status">
            {wordsFor(code)}
          </p>
        ) : null}
        <Whole
          report={report}
          session={session}
          seat={seat}
          policy={policy}
          onPolicy={setPolicy}
          again={again}
          decides={role === "trainer" || role === "assistant"}
          shares={role === "trainer" || role === null}
        />
      </>
    );
  }
  if (own) return <Own own={own} />;
  if (!code) return <Loading text={t("report.loading")} />;
  return (
    <Refusal code={code}>
      {canRetry(code) ? (
        <div className="acts">
          <button type="button" className="btn primary" onClick={again}>
            {t("common.retry")}
          </button>
        </div>
      ) : null}
    </Refusal>
  );
}
