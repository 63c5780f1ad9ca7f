import "./ui/styles/tokens.css";
import "./ui/styles/base.css";
import "./ui/styles/parts.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./ui/App";
import { start } from "./ui/i18n";
import { prefs, watchTheme } from "./ui/prefs";

watchTheme();
const root = document.getElementById("root");
if (!root) throw new Error("no root element");
await start(prefs.get().language);
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
