import { useCallback, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { checkNetwork, type NetworkReport } from "../../media/netcheck";
import { api } from "../../protocol/api";
import { Icon } from "../parts/Icon";

type State = { step: "idle" | "running" | "unavailable" } | { step: "done"; report: NetworkReport };
const TONE = { good: "ok", fair: "warn", poor: "warn", failed: "bad" } as const;

/** The network verdict in words a teacher understands and a code support understands. `auto`: a seat exists, so check at once; else `prepare` takes one. */
export function NetworkLine({ auto, prepare }: { auto: boolean; prepare?: () => Promise<boolean> }) {
  const { t } = useTranslation();
  const [state, setState] = useState<State>({ step: "idle" });
  const run = useCallback(() => {
    setState({ step: "running" });
    checkNetwork(async (sdp) => (await api.networkCheck(sdp)).sdp).then(
      (report) => setState({ step: "done", report }),
      () => setState({ step: "unavailable" }),
    );
  }, []);
  useEffect(() => {
    if (auto) run();
  }, [auto, run]);
  const start = async () => {
    if (auto || !prepare) run();
    else await prepare();
  };

  if (state.step !== "done") {
    const words = {
      idle: [t("join.network.idle"), t("join.network.idleHint")],
      running: [t("join.network.running"), t("join.network.idleHint")],
      unavailable: [t("join.network.unavailable"), t("join.network.unavailableHint")],
    }[state.step];
    return (
      <div className="line" role="status">
        <div className="ico">
          <Icon name="net" />
        </div>
        <div className="t">
          <b>{words[0]}</b>
          <span>{words[1]}</span>
        </div>
        <button type="button" className="btn sm" onClick={start} disabled={state.step === "running"}>
          {state.step === "unavailable" ? t("join.network.again") : t("join.network.start")}
        </button>
      </div>
    );
  }
  const { report } = state;
  const facts = [
    report.transport ? t(`join.network.${report.transport}`) : t("join.network.failedHint"),
    report.rtt === null ? null : t("join.network.rtt", { ms: Math.max(1, Math.round(report.rtt)) }),
    report.loss === null
      ? null
      : t("join.network.loss", { percent: (report.loss * 100).toFixed(report.loss > 0 && report.loss < 0.1 ? 1 : 0) }),
    t("join.network.code", { code: report.code }),
  ];
  return (
    <div className="line" role="status">
      <div className={`ico ${TONE[report.grade]}`}>
        <Icon name={report.grade === "good" ? "net" : "warn"} />
      </div>
      <div className="t">
        <b>{t(`join.network.${report.grade}`)}</b>
        <span className="num">{facts.filter(Boolean).join(" · ")}</span>
      </div>
      <button type="button" className="btn sm" onClick={run}>
        {t("join.network.again")}
      </button>
    </div>
  );
}
