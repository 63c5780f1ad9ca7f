// Runs before the first paint so that a dark page never flashes white; the rest of the preferences is read by src/ui/prefs.ts.
(() => {
  let theme = null;
  try {
    theme = JSON.parse(localStorage.getItem("jiangtai.prefs") || "{}").theme;
  } catch {}
  const dark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
