// The official client, as a browser page would use it: `node client.cjs <web/node_modules> <url> <session> <participant> <role> <scenario>`.
// Prints one JSON line with what it saw.
const { createRequire } = require("node:module");
const [, , modules, url, session, participant, role, scenario] = process.argv;
const load = createRequire(`${modules}/`);
const { io } = load("socket.io-client");
const parser = load("socket.io-msgpack-parser");

const seen = { welcomes: [], events: [], bye: null, errors: [], disconnects: [], gaps: 0, acks: {}, connects: 0 };
let epoch;
let last = 0;

const socket = io(url, {
  path: "/rt/",
  transports: ["websocket"],
  parser,
  reconnectionDelay: 20,
  reconnectionDelayMax: 50,
  extraHeaders: { Cookie: `person=${session}.${participant}.${role}`, Origin: url },
  auth: (give) => give({ seat: participant, tab: "tab-1", view: "full", resume: epoch ? { epoch, seq: last } : undefined }),
});

socket.on("connect", () => { seen.connects += 1; });
socket.on("connect_error", (error) => seen.errors.push({ message: error.message, data: error.data }));
socket.on("disconnect", (reason) => seen.disconnects.push(reason));
socket.on("bye", (bye) => { seen.bye = bye; });
socket.on("welcome", (welcome) => {
  epoch = welcome.epoch;
  if (welcome.snapshot) last = welcome.snapshot.seq;
  seen.welcomes.push({ resumed: Boolean(welcome.resumed), seq: welcome.snapshot?.seq, phase: welcome.snapshot?.session.phase });
});
socket.on("events", ({ after, upto, events }) => {
  if (after > last) {
    seen.gaps += 1;
    socket.disconnect().connect();
    return;
  }
  for (const entry of events) if (entry.seq > last) seen.events.push([entry.seq, entry.event.type]);
  last = Math.max(last, upto);
});

const welcomed = () => new Promise((done) => socket.once("welcome", done));
const send = (message) => new Promise((done) => socket.timeout(2000).emit("command", { v: 1, ...message }, (error, reply) => done(error ? null : reply)));

/** Resend unchanged until answered. */
async function surely(message) {
  for (;;) {
    const reply = await send(message);
    if (reply && reply.error?.retry !== "later") return reply;
    await new Promise((done) => setTimeout(done, 50));
  }
}

function finish() {
  seen.last = last;
  process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
}

const scenarios = {
  async talk() {
    await welcomed();
    seen.acks.start = await send({ ref: "one", type: "start_class" });
    seen.acks.again = await send({ ref: "one", type: "start_class" });
    seen.acks.chat = await send({ ref: "two", type: "post_chat", text: "你好 👋" });
    seen.acks.bad = await send({ ref: "three", type: "post_chat", text: "" });
    seen.acks.unknown = await send({ ref: "four", type: "fly" });
    setTimeout(finish, 300);
  },
  async toggle() {
    await welcomed();
    for (let n = 0; n < 60; n += 1) seen.acks[n] = await surely({ ref: `toggle-${n}`, type: n % 2 ? "lower_hand" : "raise_hand" });
    setTimeout(finish, 500);
  },
  async listen() {
    socket.on("disconnect", (reason) => setTimeout(finish, reason === "io server disconnect" ? 300 : 60_000));
    await welcomed();
  },
  async refused() {
    socket.on("connect_error", () => setTimeout(finish, 300));
  },
};

setTimeout(finish, 50_000);
scenarios[scenario]();
