import { useTranslation } from "react-i18next";
import type { Report } from "../../protocol/api";
import { minutesOf } from "./words";

/** The class in four numbers. */
export function Figures({ report }: { report: Report }) {
  const { t } = useTranslation();
  const { people } = report;
  const count = (state: string) => people.filter((each) => each.status === state).length;
  const there = people.filter((each) => each.status !== "absent" && each.status !== "excused");
  const mean = (pick: (each: Report["people"][number]) => number) =>
    there.length > 0 ? minutesOf(there.reduce((sum, each) => sum + pick(each), 0) / there.length) : 0;
  const asked = people.reduce((sum, each) => sum + each.checks_asked, 0);
  const answered = people.reduce((sum, each) => sum + each.checks_answered, 0);
  const hours = people.reduce((sum, each) => sum + each.hours, 0);
  return (
    <dl className="card kpi num">
      <div>
        <dt>{t("report.kpiPresent")}</dt>
        <dd className="big">
          {there.length}
          <small>{t("report.ofPeople", { count: people.length })}</small>
        </dd>
        <dd>{t("report.kpiBreakdown", { late: count("late"), early: count("left_early"), absent: count("absent") })}</dd>
      </div>
      <div>
        <dt>{t("report.kpiAverage")}</dt>
        <dd className="big">
          {mean((each) => each.connected_ms)}
          <small>{t("report.minutesUnit")}</small>
        </dd>
        <dd>
          {t("report.kpiDelivered", { count: mean((each) => each.delivered_ms) })} ·{" "}
          {t("report.length", { count: minutesOf(report.countable_ms) })}
        </dd>
      </div>
      <div>
        <dt>{t("report.kpiChecks")}</dt>
        <dd className="big">
          {asked > 0 ? Math.round((answered / asked) * 100) : "–"}
          {asked > 0 ? <small className="tight">%</small> : null}
        </dd>
        <dd>{asked > 0 ? t("report.kpiChecksCount", { count: report.checks.length, answered, asked }) : t("report.kpiNoChecks")}</dd>
      </div>
      <div>
        <dt>{t("report.kpiHours")}</dt>
        <dd className="big">
          {people.filter((each) => each.hours > 0).length}
          <small>{t("report.ofPeople", { count: people.length })}</small>
        </dd>
        <dd>{t("report.kpiHoursTotal", { total: hours })}</dd>
      </div>
    </dl>
  );
}
