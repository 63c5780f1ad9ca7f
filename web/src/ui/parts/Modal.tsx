import type { ReactNode } from "react";
import { Modal as AriaModal, Dialog, Heading, ModalOverlay } from "react-aria-components";
import { useTranslation } from "react-i18next";
import { Icon } from "./Icon";
import "../styles/modal.css";

interface Props {
  title: string;
  open: boolean;
  onClose: () => void;
  children: ReactNode;
  alert?: boolean;
  wide?: boolean;
}

/** A dialog in the middle of the page, a sheet from below on a phone. Focus stays inside and returns to where it was. */
export function Modal({ title, open, onClose, children, alert, wide }: Props) {
  const { t } = useTranslation();
  return (
    <ModalOverlay className="overlay" isOpen={open} onOpenChange={(next) => !next && onClose()} isDismissable={!alert}>
      <AriaModal className={`modal ${wide ? "wide" : ""}`}>
        <Dialog className="dialog" role={alert ? "alertdialog" : "dialog"}>
          <header>
            <Heading slot="title">{title}</Heading>
            <button type="button" className="btn ghost icon-only" aria-label={t("common.close")} onClick={onClose}>
              <Icon name="cross" className="i18" />
            </button>
          </header>
          {children}
        </Dialog>
      </AriaModal>
    </ModalOverlay>
  );
}

/** Asks before something that cannot be taken back. */
export function Confirm(props: {
  title: string;
  text?: string;
  action: string;
  open: boolean;
  onClose: () => void;
  onConfirm: () => void;
  extra?: ReactNode;
}) {
  const { t } = useTranslation();
  return (
    <Modal title={props.title} open={props.open} onClose={props.onClose} alert>
      {props.text ? <p className="dialog-text">{props.text}</p> : null}
      <footer>
        <button type="button" className="btn" onClick={props.onClose}>
          {t("common.cancel")}
        </button>
        {props.extra}
        <button
          type="button"
          className="btn danger solid"
          onClick={() => {
            props.onClose();
            props.onConfirm();
          }}
        >
          {props.action}
        </button>
      </footer>
    </Modal>
  );
}
