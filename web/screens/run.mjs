// Draws every picture of scenes.mjs in Chromium and compares it with the committed one.
//   node screens/run.mjs [--update] [--only <part of a name>] [--keep <folder>]
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import pixelmatch from "pixelmatch";
import { chromium } from "playwright-core";
import sharp from "sharp";
import { build } from "vite";
import { pictures } from "./scenes.mjs";
import { serve } from "./serve.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const baseline = join(here, "baseline");
const arguments_ = process.argv.slice(2);
const update = arguments_.includes("--update");
const option = (name) => (arguments_.includes(name) ? arguments_[arguments_.indexOf(name) + 1] : undefined);
const only = option("--only");
const keep = option("--keep");
/** Share of pixels that may differ: text antialiasing and the encoder, not a moved button. */
const TOLERANCE = 0.004;
const AXE = readFileSync(join(here, "../node_modules/axe-core/axe.min.js"), "utf8");
const NOW = Date.UTC(2026, 3, 18, 2, 42, 18);

const BROWSER = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
  ],
};

const openers = {
  more: (page) => page.locator(".ctl .c[aria-haspopup]").last().click(),
  settings: (page) => page.locator('[data-key="settings"]').click(),
  own: (page) => page.locator('[data-key="own"]').click(),
  "report-person": (page) => page.locator(".report .who", { hasText: "赵一鸣" }).first().click(),
  "report-override": (page) => page.locator(".report .more .btn").click(),
  "report-rules": (page) => page.locator(".report .said summary").click(),
  "replay-people": (page) => page.locator("#rp-tab-people").click(),
  "replay-chapters": (page) => page.locator("#rp-tab-chapters").click(),
  "replay-polls": (page) => page.locator("#rp-tab-polls").click(),
  "replay-search": (page) => page.locator(".rp-find input").fill(page.url().includes("lang=en") ? "question" : "问题"),
  "replay-seek": async (page) => {
    await page.locator(".rp-seek").hover({ position: { x: (await page.locator(".rp-seek").boundingBox()).width * 0.4, y: 12 } });
    await page.locator(".rp-seek .th").waitFor();
  },
  "replay-keys": (page) => page.keyboard.press("?"),
  holds: (page) => page.locator(".holds").scrollIntoViewIfNeeded(),
  "hold-add": (page) => page.locator('[data-key="hold-add"]').click(),
  "hold-lift": (page) => page.locator(".holds li .btn").first().click(),
  "poll-new": (page) => page.locator(".polls-new .btn").click(),
};

async function draw(browser, origin, picture) {
  const height = picture.width === 390 ? 844 : picture.width === 768 ? 1024 : 900;
  const context = await browser.newContext({
    viewport: { width: picture.width, height },
    locale: picture.language,
    timezoneId: "Asia/Shanghai",
    reducedMotion: "reduce",
    colorScheme: picture.theme,
    hasTouch: picture.width === 390,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(90_000);
  const complaints = [];
  page.on("console", (message) => {
    const expected = picture.expected !== undefined && message.text().includes(picture.expected);
    if (message.type() === "error" && !expected) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.clock.install({ time: NOW - 60_000 });
  await page.clock.pauseAt(NOW);
  await page.goto(origin + picture.address);
  await page.waitForFunction(() => document.querySelector("#root > *"));
  for (let i = 0; i < 6; i++) {
    await page.clock.runFor(120);
    await page.waitForTimeout(60);
  }
  for (const name of picture.open) {
    await openers[name](page);
    await page.clock.runFor(400);
    await page.waitForTimeout(80);
  }
  if (picture.wait) {
    await page.clock.runFor(picture.wait);
    await page.waitForTimeout(250);
  }
  const bytes = await page.screenshot({ animations: "disabled", caret: "hide" });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 0) complaints.push(`page is ${wide} px wider than the window`);
  complaints.push(...(await barriers(page)));
  await context.close();
  return { bytes, complaints };
}

/** Serious and critical accessibility faults as axe sees them. */
async function barriers(page) {
  await page.clock.resume();
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations } = await window.axe.run(document, {
      resultTypes: ["violations"],
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    });
    return violations
      .filter((each) => each.impact === "serious" || each.impact === "critical")
      .map(
        (each) =>
          `${each.id}: ${each.nodes
            .map((node) => `${node.target.join(" ")} ${node.any[0]?.data?.contrastRatio ?? ""}`)
            .slice(0, 3)
            .join("; ")}`,
      );
  });
}

async function compare(bytes, file) {
  const [now, before] = await Promise.all(
    [sharp(bytes), sharp(readFileSync(file))].map((image) => image.ensureAlpha().raw().toBuffer({ resolveWithObject: true })),
  );
  if (now.info.width !== before.info.width || now.info.height !== before.info.height) return 1;
  const changed = pixelmatch(now.data, before.data, undefined, now.info.width, now.info.height, { threshold: 0.22 });
  return changed / (now.info.width * now.info.height);
}

await build({ configFile: join(here, "vite.config.ts"), logLevel: "warn" });
const server = await serve(join(here, "../dist/screens"));
const browser = await chromium.launch(BROWSER);
const output = keep ?? mkdtempSync(join(tmpdir(), "screens-"));
mkdirSync(output, { recursive: true });
mkdirSync(baseline, { recursive: true });
let bad = 0;
const queue = pictures().filter((each) => !only || each.id.includes(only));
async function worker() {
  for (let picture = queue.shift(); picture; picture = queue.shift()) {
    const { bytes, complaints } = await draw(browser, server.origin, picture);
    const file = join(baseline, `${picture.id}.webp`);
    if (update) writeFileSync(file, await sharp(bytes).webp({ quality: 82, effort: 6 }).toBuffer());
    if (keep) writeFileSync(join(output, `${picture.id}.png`), bytes);
    const share = existsSync(file) ? await compare(bytes, file) : 1;
    const wrong = complaints.length > 0 || share > TOLERANCE;
    if (wrong) {
      bad += 1;
      writeFileSync(join(output, `${picture.id}.png`), bytes);
      console.error(`${picture.id}: ${(share * 100).toFixed(2)}% changed ${complaints.join(" | ")}`);
    }
  }
}
await Promise.all([worker(), worker()]);
await browser.close();
server.close();
console.log(bad === 0 ? "all pictures as expected" : `${bad} pictures differ; see ${output}`);
process.exitCode = bad === 0 ? 0 : 1;
