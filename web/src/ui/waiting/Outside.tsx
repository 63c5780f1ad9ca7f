import { useTranslation } from "react-i18next";
import { useClassroom } from "../class/context";
import { MessagePage } from "../parts/MessagePage";

const ICON = { declined: "door", removed: "exit", banned: "ban" } as const;

/** Sent away: kindly, clearly, and with the way back where there is one. */
export function Outside({ seat }: { seat: "declined" | "removed" | "banned" }) {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const title = classroom.store.get().view?.session.title;
  return (
    <MessagePage
      icon={ICON[seat]}
      tone={seat === "banned" ? "bad" : "warn"}
      heading={title}
      title={t(`waiting.${seat}Title`)}
      text={t(`waiting.${seat}Lead`)}
    >
      <div className="acts">
        {seat === "removed" ? (
          <button type="button" className="btn primary" onClick={() => location.reload()}>
            {t("waiting.knock")}
          </button>
        ) : null}
        <a className="btn" href="/">
          {t("ended.home")}
        </a>
      </div>
    </MessagePage>
  );
}
