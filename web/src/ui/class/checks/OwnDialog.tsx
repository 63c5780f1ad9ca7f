import { useTranslation } from "react-i18next";
import { Modal } from "../../parts/Modal";
import { OwnFacts } from "../../report/OwnFacts";
import { useDesk } from "../context";
import { useOwn } from "./useOwn";

/** The own record while the class goes on. */
export function OwnDialog() {
  const { t } = useTranslation();
  const desk = useDesk();
  const { own, failed } = useOwn();
  return (
    <Modal title={t("own.title")} open onClose={() => desk.set({ dialog: null })}>
      <div className="dialog-body">
        {own ? <OwnFacts own={own} /> : <p className="s muted">{failed ? t("own.failed") : t("common.loading")}</p>}
      </div>
    </Modal>
  );
}
