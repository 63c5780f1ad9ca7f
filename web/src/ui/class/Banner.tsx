import { useTranslation } from "react-i18next";
import { isStaff, may } from "../../state/select";
import { Icon } from "../parts/Icon";
import { useClass, useClassroom, useView } from "./context";

/** What holds for the whole page right now: connection lost, class frozen, sound waiting for a tap. */
export function Banner() {
  const { t } = useTranslation();
  const classroom = useClassroom();
  const status = useClass((state) => state.status);
  const media = useClass((state) => state.media);
  const frozen = useView((view) => view.session.settings.frozen);
  const staff = useView(isStaff);
  const runs = useView((view) => may(view, "run_class"));
  if (status === "reconnecting") {
    return (
      <div className="banner signal" role="status">
        <span className="spin small" />
        <span>{t("class.reconnecting")}</span>
        <button type="button" className="btn sm" onClick={() => classroom.reconnect()}>
          {t("class.tryNow")}
        </button>
      </div>
    );
  }
  if (media.soundBlocked) {
    return (
      <div className="banner accent" role="status">
        <Icon name="speaker" className="i18" />
        <button type="button" className="btn primary sm" onClick={() => void classroom.media.unlockSound()}>
          {t("class.tapToHear")}
        </button>
      </div>
    );
  }
  if (frozen) {
    return (
      <div className="banner signal" role="status">
        <Icon name="snow" className="i18" />
        <span>{staff ? t("class.frozenBannerStaff") : t("class.frozenBanner")}</span>
        {runs ? (
          <button type="button" className="btn sm" onClick={() => void classroom.send({ type: "change_settings", frozen: false })}>
            {t("class.unfreeze")}
          </button>
        ) : null}
      </div>
    );
  }
  if (media.subscribe === "failed" || media.publish === "failed") {
    return (
      <div className="banner signal" role="status">
        <Icon name="warn" className="i18" />
        <span>{t("class.mediaFailed")}</span>
      </div>
    );
  }
  return null;
}
