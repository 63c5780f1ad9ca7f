import { useTranslation } from "react-i18next";
import type { Rules as RulesOf } from "../../protocol/api";

/** What the rules of attendance say, in words. */
export function Rules({ rules }: { rules: RulesOf }) {
  const { t } = useTranslation();
  return (
    <details className="said s">
      <summary>{t("report.rulesTitle")}</summary>
      <ul>
        <li>{t("report.ruleLate", { count: Math.floor(rules.late_s / 60) })}</li>
        <li>{t("report.ruleEarly", { count: Math.floor(rules.early_s / 60) })}</li>
        <li>{t("report.ruleAbsent", { share: Math.round(rules.absent_below * 100) })}</li>
        <li>{t("report.ruleGrace", { count: rules.grace_s })}</li>
        {rules.credits.length > 0 ? (
          <li className="num">
            {t("report.ruleHours")}{" "}
            {rules.credits.map((each) => t("report.ruleCredit", { minutes: each.minutes, hours: each.hours })).join(t("report.ruleComma"))}
          </li>
        ) : null}
      </ul>
    </details>
  );
}
