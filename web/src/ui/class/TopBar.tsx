import { useTranslation } from "react-i18next";
import { inspectorPresent } from "../../state/select";
import { shallow } from "../../state/store";
import { Icon } from "../parts/Icon";
import { clock, useNow } from "../parts/time";
import { Connection } from "./Connection";
import { useDesk, useView } from "./context";

function Timer({ since }: { since: number }) {
  const { t } = useTranslation();
  const skew = useView((_, state) => state.skew);
  const time = clock(useNow() + skew - since);
  return (
    <span className="chip accent live num" title={t("class.elapsed", { time })}>
      <span className="hide-s">{t("phase.live")}</span>
      {time}
    </span>
  );
}

export function TopBar() {
  const { t } = useTranslation();
  const desk = useDesk();
  const facts = useView(
    (view, state) => ({
      title: view.session.title,
      phase: view.session.phase,
      started: view.session.started_at,
      recorded: view.session.recorded_since !== null,
      locked: view.session.settings.locked,
      frozen: view.session.settings.frozen,
      inspected: inspectorPresent(view),
      present: state.live.present ?? view.present,
    }),
    shallow,
  );
  return (
    <header className="top class-top">
      <div className="brand">{t("app.badge")}</div>
      <h1 title={facts.title}>{facts.title}</h1>
      {facts.phase === "live" && facts.started !== null ? (
        <Timer since={facts.started} />
      ) : (
        <span className={`chip ${facts.phase === "break" ? "signal" : ""}`}>{t(`phase.${facts.phase}`)}</span>
      )}
      {facts.recorded ? (
        <span className="chip recorded" role="status">
          <Icon name="rec" className="i14" />
          {t("class.recorded")}
        </span>
      ) : null}
      {facts.inspected ? (
        <span className="chip inspected">
          <Icon name="eye" className="i14" />
          <span className="label">{t("class.inspectorOnline")}</span>
        </span>
      ) : null}
      {facts.locked ? (
        <span className="chip hide-s">
          <Icon name="lock" className="i14" />
          {t("class.locked")}
        </span>
      ) : null}
      {facts.frozen ? (
        <span className="chip signal hide-s">
          <Icon name="snow" className="i14" />
          {t("class.frozen")}
        </span>
      ) : null}
      <div className="grow" />
      <span className="chip num hide-s">{t("common.people", { count: facts.present })}</span>
      <Connection />
      <button type="button" className="btn danger sm" onClick={() => desk.set({ dialog: "leave" })}>
        {t("class.leave")}
      </button>
    </header>
  );
}
