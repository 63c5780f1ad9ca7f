// Serves a folder as the node would: same content security policy, so that what it forbids fails here too.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { overview } from "./overview.mjs";
import { own, report } from "./report.mjs";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const DEMO = {
  session: "demo",
  title: "问题链课堂设计",
  links: {
    trainer: "/join#invite=a",
    assistant: "/join#invite=b",
    trainee: "/join#invite=c",
    inspector: "/join#invite=d",
    operator: "/operator#login=e",
  },
};
const HOLDS = [
  {
    number: 2,
    session: "",
    issuer: "lms.example",
    subject: "u-20417",
    reason: "Inquiry of the education authority, letter 2026/118; asked for by the legal office",
    by: "operator",
    at: Date.UTC(2026, 3, 12),
  },
  { number: 1, session: "c-6n4k2f9x", issuer: "", subject: "", reason: "法院通知书（2026）0318 号", by: "cli", at: Date.UTC(2026, 2, 20) },
];
let polls = 0;
const ANSWERS = {
  "/api/v1/demo": () => DEMO,
  "/api/v1/classes/demo/recordings": () => ({
    access: "participants",
    title: DEMO.title,
    recordings: [{ recording: "r1", state: "ready", started_at: 0, duration_ms: 1 }],
  }),
  "/api/v1/holds": () => ({ holds: HOLDS, next: null }),
  "/api/v1/operator/overview": () => overview(polls++),
};

/** Attendance by class: "denied" refuses the report, so that the page shows the own record; "broken" fails. */
function attendance(path) {
  const found = /^\/api\/v1\/classes\/(\w+)\/attendance(\/own)?$/.exec(path);
  if (!found) return null;
  const [, session, mine] = found;
  if (mine) return { status: 200, body: own(session) };
  if (session === "denied") return { status: 403, body: { error: { code: "not_allowed", retry: "never" } } };
  if (session === "broken") return { status: 503, body: { error: { code: "journal_unavailable", retry: "later" } } };
  return { status: 200, body: report(session) };
}

const SEAT = { seat: "boss", session: "demo", title: "", profile: "small", phase: "ended", name: "王敏", role: "trainer" };

export function serve(folder) {
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    const told = attendance(path);
    if (told) {
      response.writeHead(told.status, { "content-type": "application/json" });
      return response.end(JSON.stringify(told.body));
    }
    const seat = /^\/api\/v1\/seats\/(boss|pupil)$/.exec(path)?.[1];
    const answer = seat ? () => ({ ...SEAT, seat, role: seat === "boss" ? "trainer" : "trainee" }) : ANSWERS[path];
    if (answer) {
      response.writeHead(200, { "content-type": "application/json" });
      return response.end(JSON.stringify(answer()));
    }
    const file = normalize(join(folder, path === "/" ? "index.html" : path));
    if (!file.startsWith(normalize(folder)) || !existsSync(file) || statSync(file).isDirectory()) {
      response.writeHead(404, { "content-type": "application/json" });
      return response.end('{"error":{"code":"not_found","retry":"never"}}');
    }
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream", "content-security-policy": POLICY });
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve({ origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }));
  });
}
