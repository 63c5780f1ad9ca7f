import { useTranslation } from "react-i18next";
import { PAUSED } from "../../../media/slots";
import { Icon } from "../../parts/Icon";
import { useClass } from "../context";

/** Why a picture is not there just now, in its place. */
export function Held() {
  const { t } = useTranslation();
  return (
    <span className="held-note" title={t("class.pictureHeld")}>
      <Icon name="signal" className="i14" />
      <span className="words ellipsis">{t("class.pictureHeld")}</span>
    </span>
  );
}

/** The same in passing, once for all pictures, to whoever listens to the page. */
export function HeldAloud() {
  const { t } = useTranslation();
  const held = useClass((state) => state.media.slots.some((slot) => slot.participant !== null && slot.layer === PAUSED));
  return (
    <span className="sr" role="status">
      {held ? t("class.pictureHeld") : ""}
    </span>
  );
}
