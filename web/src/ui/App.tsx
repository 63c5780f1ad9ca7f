import { Component, lazy, type ReactNode, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { Home } from "./home/Home";
import { Join } from "./join/Join";
import { SeatPage } from "./join/SeatPage";
import { MessagePage } from "./parts/MessagePage";
import { Toasts } from "./parts/Toasts";
import { useRoute } from "./route";

const ReportPage = lazy(() => import("./report/ReportPage"));
const ReplayPage = lazy(() => import("./replay/ReplayPage"));
const OperatorPage = lazy(() => import("./operator/OperatorPage"));

/** The last resort: a defect shows a page that can be reloaded instead of nothing. */
class Boundary extends Component<{ fallback: ReactNode; children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };
  static getDerivedStateFromError() {
    return { broken: true };
  }
  override render() {
    return this.state.broken ? this.props.fallback : this.props.children;
  }
}

function Broken() {
  const { t } = useTranslation();
  return (
    <MessagePage icon="warn" tone="bad" title={t("errors.title")} text={t("errors.internal")}>
      <div className="acts">
        <button type="button" className="btn primary" onClick={() => location.reload()}>
          {t("common.retry")}
        </button>
      </div>
    </MessagePage>
  );
}

export function Loading({ text }: { text?: string }) {
  const { t } = useTranslation();
  return (
    <div className="empty" role="status" style={{ minHeight: "100%" }}>
      <div className="spin" />
      <span>{text ?? t("common.loading")}</span>
    </div>
  );
}

function Page() {
  const { t } = useTranslation();
  const route = useRoute();
  switch (route.page) {
    case "home":
      return <Home />;
    case "join":
      return <Join />;
    case "class":
      return <SeatPage key={route.seat} seat={route.seat} />;
    case "report":
      return <ReportPage key={route.session} session={route.session} seat={new URLSearchParams(location.search).get("seat")} />;
    case "replay":
      return <ReplayPage key={location.pathname} session={route.session} recording={route.recording} />;
    case "operator":
      return <OperatorPage />;
    default:
      return <MessagePage icon="search" tone="warn" title={t("errors.not_found")} text={t("errors.not_foundHint")} />;
  }
}

export function App() {
  return (
    <Boundary fallback={<Broken />}>
      <Suspense fallback={<Loading />}>
        <Page />
      </Suspense>
      <Toasts />
    </Boundary>
  );
}
