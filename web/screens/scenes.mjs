// Every state of every page that has its own look: name, address, widths, languages, themes, and what to press first.
const ALL = [1440, 768, 390];
const BOTH = ["zh-CN", "en"];

export const SCENES = [
  { name: "home", at: "page=home" },
  { name: "join", at: "page=join", dark: true },
  { name: "join-invite", at: "page=join&info=0&devices=NotAllowedError", widths: [1440, 390] },
  { name: "refusal", at: "page=refusal&code=token_used", widths: [1440, 390] },
  { name: "waiting", at: "role=trainee&seat=waiting&phase=lobby&net=fair", dark: true },
  { name: "declined", at: "role=trainee&seat=declined", widths: [1440, 390], languages: ["zh-CN"] },
  { name: "lobby-trainer", at: "role=trainer&phase=lobby&people=3&chat=0", widths: [1440, 390] },
  { name: "class-trainer", at: "role=trainer&people=30&hands=2&screen=p0&poll=staff&inspector=1", dark: true },
  { name: "class-gallery", at: "role=trainee&people=30&hands=2", dark: true },
  { name: "class-three", at: "role=trainee&people=3&chat=0", widths: [1440, 390] },
  { name: "held-gallery", at: "role=trainee&people=30&held=p0%20p3", dark: true },
  { name: "held-speaker", at: "role=trainee&people=3&layout=speaker&held=p0&chat=0", widths: [1440, 390] },
  { name: "held-screen", at: "role=trainee&people=30&screen=p0&held=screen%20p1%20p3", dark: true },
  { name: "class-large", at: "role=trainee&profile=large&people=300&poll=open" },
  { name: "people", at: "role=trainer&people=300&profile=large&hands=5&waiting=3&panel=people", widths: [1440, 390] },
  { name: "polls", at: "role=trainer&people=30&poll=revealed&panel=polls", widths: [1440, 390] },
  { name: "inspector", at: "role=inspector&people=30&poll=staff", widths: [1440, 390] },
  { name: "break", at: "role=trainee&people=30&phase=break", widths: [1440, 390] },
  { name: "frozen", at: "role=trainee&people=30&settings=%7B%22frozen%22:true%7D", widths: [1440, 390], languages: ["zh-CN"] },
  { name: "reconnecting", at: "role=trainee&people=30&status=reconnecting", widths: [1440, 390], languages: ["zh-CN"] },
  { name: "ended", at: "phase=ended&role=trainee", widths: [1440, 390], wait: 4500 },
  { name: "ended-trainer", at: "phase=ended&role=trainer", widths: [1440, 390], wait: 4500 },
  { name: "settings", at: "role=trainer&people=30", open: ["more", "settings"], widths: [1440, 390], dark: true },
  { name: "more-menu", at: "role=trainer&people=30", open: ["more"], widths: [1440, 390] },
  { name: "poll-new", at: "role=trainer&people=30&panel=polls", open: ["poll-new"], widths: [1440, 390] },
  { name: "check-trainee", at: "role=trainee&people=30&check=open&own=1", dark: true, wait: 3000 },
  { name: "check-trainer", at: "role=trainer&people=30&check=open", widths: [1440, 390] },
  { name: "own-dialog", at: "role=trainee&people=30&own=1", open: ["more", "own"], widths: [1440, 390], wait: 600 },
  { name: "report", at: "page=report&seat=boss", dark: true, wait: 300 },
  { name: "report-person", at: "page=report&seat=boss", open: ["report-person"], widths: [1440, 390], wait: 300 },
  { name: "report-override", at: "page=report&seat=boss", open: ["report-person", "report-override"], widths: [1440, 390], wait: 300 },
  { name: "report-rules", at: "page=report&seat=boss", open: ["report-rules"], widths: [1440, 390], wait: 300 },
  { name: "report-large", at: "page=report&session=large", widths: [1440, 390], wait: 300 },
  { name: "report-held", at: "page=report&session=held&seat=boss", widths: [1440, 390], wait: 300 },
  { name: "report-soon", at: "page=report&session=soon", widths: [1440, 390], wait: 300 },
  { name: "report-own", at: "page=report&session=denied&seat=pupil", widths: [1440, 390], wait: 300 },
  { name: "report-broken", at: "page=report&session=broken", widths: [390], wait: 300, expected: "503" },
  { name: "replay", at: "page=replay", dark: true },
  { name: "replay-cameras", at: "page=replay&look=cameras", widths: [1440, 390], open: ["replay-people"] },
  { name: "replay-audio", at: "page=replay&look=audio", widths: [1440, 390], open: ["replay-chapters"] },
  { name: "replay-polls", at: "page=replay", widths: [1440, 390], open: ["replay-polls"] },
  { name: "replay-search", at: "page=replay&look=silent", widths: [1440, 390], open: ["replay-search"] },
  { name: "replay-keys", at: "page=replay", widths: [1440], languages: ["zh-CN"], open: ["replay-keys"] },
  { name: "replay-seek", at: "page=replay", widths: [1440, 390], open: ["replay-seek"] },
  { name: "replay-captions", at: "page=replay&look=captions", widths: [1440, 390] },
  { name: "replay-list", at: "page=replay-list", widths: [1440, 390] },
  { name: "replay-processing", at: "page=replay-state", widths: [1440, 390] },
  { name: "replay-failed", at: "page=replay-state&state=failed", widths: [390], languages: ["zh-CN"] },
  { name: "replay-deleted", at: "page=replay-state&state=deleted", widths: [1440], languages: ["en"] },
  { name: "replay-closed", at: "page=refusal&code=replay_closed", widths: [1440, 390] },
  { name: "operator", at: "page=operator", dark: true, wait: 2500 },
  { name: "operator-holds", at: "page=operator", widths: [1440, 390], open: ["holds"], wait: 2500, dark: true },
  { name: "operator-hold-add", at: "page=operator", widths: [1440, 390], open: ["holds", "hold-add"], wait: 2500 },
  { name: "operator-hold-lift", at: "page=operator", widths: [1440, 390], open: ["holds", "hold-lift"], wait: 2500 },
  { name: "no-longer-kept", at: "page=refusal&code=no_longer_kept", widths: [1440, 390] },
];

/** One picture per entry: {id, address, width, language, theme, open}. */
export function pictures() {
  return SCENES.flatMap((scene) =>
    (scene.widths ?? ALL).flatMap((width) =>
      (scene.languages ?? BOTH).flatMap((language) => {
        const themes = scene.dark && language === "zh-CN" ? ["light", "dark"] : ["light"];
        return themes.map((theme) => ({
          id: `${scene.name}-${width}-${language === "en" ? "en" : "zh"}${theme === "dark" ? "-dark" : ""}`,
          address: `/?${scene.at}&lang=${language}&theme=${theme}`,
          width,
          language,
          theme,
          open: scene.open ?? [],
          wait: scene.wait ?? 0,
          /** What the browser may complain about in this scene. */
          expected: scene.expected,
        }));
      }),
    ),
  );
}
