import { type FormEvent, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type DemoInfo } from "../../protocol/api";
import { Icon, type IconName } from "../parts/Icon";
import { LanguageButton, ThemeButton } from "../parts/Look";
import { classAddress } from "./link";
import "./home.css";

const ROLES = ["trainer", "assistant", "trainee", "inspector", "operator"] as const;
const ICONS: Record<(typeof ROLES)[number], IconName> = {
  trainer: "user",
  assistant: "people",
  trainee: "hand",
  inspector: "eye",
  operator: "poll",
};

function Demo({ demo }: { demo: DemoInfo }) {
  const { t } = useTranslation();
  return (
    <section className="card demo" aria-labelledby="demo-title">
      <header>
        <div>
          <h2 id="demo-title">{t("home.demoTitle")}</h2>
          <p className="muted s">{t("home.demoLead")}</p>
        </div>
        <span className="chip accent ellipsis">{demo.title}</span>
      </header>
      <ul>
        {ROLES.filter((role) => demo.links[role]).map((role) => (
          <li key={role}>
            <a href={demo.links[role]} target="_blank" rel="noopener">
              <span className="ico ok">
                <Icon name={ICONS[role]} />
              </span>
              <span className="t">
                <b>{t(`role.${role}`)}</b>
                <span>{t(`home.roles.${role}`)}</span>
              </span>
              <Icon name="right" className="i16" />
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function Home() {
  const { t } = useTranslation();
  const [demo, setDemo] = useState<DemoInfo | null>(null);
  const [text, setText] = useState("");
  const [bad, setBad] = useState(false);
  useEffect(() => {
    api.demo().then(setDemo, () => setDemo(null));
  }, []);
  const open = (event: FormEvent) => {
    event.preventDefault();
    const address = classAddress(text);
    if (address) location.assign(address);
    else setBad(true);
  };
  return (
    <div className="home">
      <header className="top">
        <div className="brand">{t("app.badge")}</div>
        <h1>{t("app.name")}</h1>
        <span className="muted s hide-s">{t("app.tagline")}</span>
        <div className="grow" />
        <ThemeButton />
        <LanguageButton />
      </header>
      <main>
        <section className="hero">
          <h2>{t("home.title")}</h2>
          <p className="muted">{t("home.lead")}</p>
          <form onSubmit={open} noValidate>
            <label className="field">
              <span>{t("home.label")}</span>
              <input
                className="in"
                value={text}
                placeholder={t("home.placeholder")}
                aria-invalid={bad}
                aria-describedby={bad ? "link-bad" : undefined}
                autoComplete="off"
                spellCheck={false}
                onChange={(event) => {
                  setText(event.target.value);
                  setBad(false);
                }}
              />
            </label>
            <button type="submit" className="btn primary big">
              {t("home.enter")}
            </button>
          </form>
          {bad ? (
            <p id="link-bad" className="bad-link s" role="alert">
              <Icon name="warn" className="i16" />
              {t("home.bad")}
            </p>
          ) : null}
        </section>
        {demo ? <Demo demo={demo} /> : null}
      </main>
    </div>
  );
}
