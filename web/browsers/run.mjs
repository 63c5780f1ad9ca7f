// Publishes in layers from real browsers and judges what arrives, decoded: Chromium and Firefox, the product's own publisher.
//   node browsers/run.mjs [--only chromium|firefox] [--keep <folder for the offers>]
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const here = dirname(fileURLToPath(import.meta.url));
const folder = join(here, "../dist/browsers");
const option = (name) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined);
const LIMIT_MS = 180_000;

const PREFERENCES = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.autoplay.default": 0,
  "media.gmp-manager.updateEnabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "toolkit.telemetry.enabled": false,
};
const BROWSERS = {
  chromium: (profile, url) => [
    process.env.CHROMIUM ?? "/usr/bin/chromium",
    ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"],
    ["--disable-sync", "--disable-dev-shm-usage", "--mute-audio", "--autoplay-policy=no-user-gesture-required"],
    ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--allow-loopback-in-peer-connection"],
    ["--disable-features=WebRtcHideLocalIpsWithMdns", `--user-data-dir=${profile}`, url],
  ],
  firefox: (profile, url) => {
    const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
    writeFileSync(join(profile, "user.js"), lines.join("\n"));
    return [process.env.FIREFOX ?? "/usr/bin/firefox-esr", ["--headless", "--no-remote", "--profile", profile, url]];
  },
};

/** The page, and what it reports in the end. */
function serve() {
  const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript" };
  let told;
  const report = new Promise((tell) => {
    told = tell;
  });
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    if (request.method === "POST") {
      let body = "";
      for await (const part of request) body += part;
      response.end();
      return told(JSON.parse(body));
    }
    const file = normalize(join(folder, path === "/" ? "index.html" : path));
    if (!file.startsWith(normalize(folder)) || !(extname(file) in types)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": types[extname(file)] }).end(readFileSync(file));
  });
  return new Promise((ready) =>
    server.listen(0, "127.0.0.1", () => ready({ server, report, url: `http://127.0.0.1:${server.address().port}/` })),
  );
}

async function run(name) {
  const profile = mkdtempSync(join(tmpdir(), `${name}-`));
  const { server, report, url } = await serve();
  const [command, ...parts] = BROWSERS[name](profile, url);
  // With a process group of its own: its helpers outlive it by a moment, and write into the profile.
  const browser = spawn(command, parts.flat(), { stdio: "ignore", detached: true });
  const ended = new Promise((done) => browser.once("exit", done));
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${name} reported nothing in ${LIMIT_MS / 1000} s`)), LIMIT_MS);
  });
  try {
    return await Promise.race([report, late]);
  } finally {
    clearTimeout(timer);
    browser.kill("SIGTERM");
    const hard = setTimeout(() => browser.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(hard);
    await gone(browser.pid);
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** End what is left of a process group and wait until nothing is. */
async function gone(group) {
  for (let turn = 0; turn < 200; turn++) {
    try {
      process.kill(-group, "SIGKILL");
    } catch (error) {
      assert.equal(error.code, "ESRCH");
      return;
    }
    await new Promise((next) => setTimeout(next, 50));
  }
  throw new Error("a browser does not end");
}

/** Every layer is offered, arrives in its size and goes on. */
function judge(results) {
  assert.equal(results.error, undefined);
  const sizes = {
    large: { q: 180, h: 360, f: 720 },
    tile: { q: 180, f: 360 },
    small: { q: 180, h: 360, f: 0 },
    screen: { q: 540, f: 1080 },
    window: { q: 220, f: 0 },
  };
  for (const [name, wanted] of Object.entries(sizes)) {
    const { rids, simulcast, offers, told, captured, layers } = results[name];
    const names = Object.keys(wanted);
    assert.deepEqual(rids, names, `${name}: offered layers`);
    assert.equal(simulcast, `a=simulcast:send ${names.join(";")}`, `${name}: their order`);
    assert.equal(offers, 1, `${name}: one negotiation`);
    const tallest = Math.max(...Object.values(wanted)) * 2 ** names.filter((rid) => wanted[rid] === 0).length;
    assert.equal(told, tallest, `${name}: the height the node is told; ${captured} lines are captured`);
    for (const [rid, height] of Object.entries(wanted).filter(([, height]) => height > 0)) {
      assert.equal(layers[rid]?.height, height, `${name}: height of ${rid}`);
      assert.ok(layers[rid].rate > (name === "screen" ? 1 : 5), `${name}: ${rid} moves (${layers[rid].rate}/s)`);
    }
  }
  const { q, f } = results.screen.layers;
  assert.ok(q.rate < 6.5 && f.rate > 1.4 * q.rate, `screen: the lower layer is slow (${q.rate}/s), the upper one is not (${f.rate}/s)`);
  assert.deepEqual(
    results.plain.encodings.map((each) => [each.scaleResolutionDownBy, each.maxBitrate]),
    [[1, 1_600_000]],
    "plain: the one layer an old node takes is the whole picture",
  );
}

await build({ configFile: join(here, "vite.config.ts"), logLevel: "warn" });
const keep = option("--keep");
if (keep) mkdirSync(keep, { recursive: true });
for (const name of Object.keys(BROWSERS).filter((each) => (option("--only") ?? each) === each)) {
  const results = await run(name);
  for (const [what, result] of Object.entries(results)) {
    if (keep && result.sdp) writeFileSync(join(keep, `${name}-${what}.sdp`), result.sdp);
    const line = Object.entries(result.layers ?? {}).map(([rid, { height, rate }]) => `${rid} ${height}p ${rate}/s`);
    console.log(`${name} ${what}: ${line.join("; ")}${result.took === undefined ? result : `; all after ${result.took} ms`}`);
  }
  judge(results);
}
console.log("every layer as expected");
