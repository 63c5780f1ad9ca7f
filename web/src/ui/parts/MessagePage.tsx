import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Icon, type IconName } from "./Icon";
import { LanguageButton, ThemeButton } from "./Look";
import "../styles/message.css";

/** A whole page that says one thing: refused, over, gone; with what can be done about it. */
export function MessagePage(props: {
  icon: IconName;
  tone?: "ok" | "warn" | "bad";
  title: string;
  text?: string;
  children?: ReactNode;
  heading?: string;
}) {
  const { t } = useTranslation();
  return (
    <div className="message-page">
      <header className="top">
        <div className="brand">{t("app.badge")}</div>
        <h1>{props.heading ?? t("app.name")}</h1>
        <div className="grow" />
        <ThemeButton />
        <LanguageButton />
      </header>
      <main className="message">
        <section className="card" role="status">
          <div className={`ico ${props.tone ?? "ok"}`}>
            <Icon name={props.icon} />
          </div>
          <h2>{props.title}</h2>
          {props.text ? <p className="muted">{props.text}</p> : null}
          {props.children}
        </section>
      </main>
    </div>
  );
}
