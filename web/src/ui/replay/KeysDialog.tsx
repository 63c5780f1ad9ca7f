import { useTranslation } from "react-i18next";
import { Modal } from "../parts/Modal";

const SHEET = [
  ["Space / K", "play"],
  ["J / L", "jump"],
  ["← / →", "arrows"],
  ["↑ / ↓", "volume"],
  ["< / >", "speed"],
  ["1–9", "tenths"],
  ["M", "mute"],
  ["C", "captions"],
  ["A", "audio"],
  ["F", "full"],
  ["/", "search"],
  ["?", "sheet"],
] as const;

export function KeysDialog({ captions, open, onClose }: { captions: boolean; open: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Modal title={t("replay.keys")} open={open} onClose={onClose}>
      <div className="dialog-body flush">
        {SHEET.filter(([, name]) => captions || name !== "captions").map(([key, name]) => (
          <div key={key} className="line">
            <span className="t">
              <b>{t(`replay.key.${name}`)}</b>
            </span>
            <kbd>{key}</kbd>
          </div>
        ))}
      </div>
    </Modal>
  );
}
