/** Publishes each source through the product's own publisher and reports what was offered, encoded and decoded; run.mjs judges. */
import { openCamera } from "../../src/media/devices";
import type { Picture } from "../../src/media/encodings";
import { Publisher } from "../../src/media/publisher";
import { type Layer, Receiver, ridsOf, sectionsOf } from "./receiver";

const SETTLE_MS = 3_000;
const WINDOW_MS = 4_000;
const LIMIT_MS = 30_000;
const later = (ms: number) => new Promise((go) => setTimeout(go, ms));

/** A full page that changes a little all the time, and a lot now and then. */
function page({ width, height }: Picture, hint: string): MediaStreamTrack {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  let n = 0;
  const paint = () => {
    if (!context) return;
    n += 1;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    context.fillStyle = "#123";
    context.font = "28px sans-serif";
    for (let i = 0; i < 34; i++)
      context.fillText(`${i}: ${((i * 7919 + Math.floor(n / 100) * 104_729) % 99_991) ** 3}`.repeat(4), 40, 40 + i * 30);
    context.fillRect(width - 80, height - 90 + (n % 20), 40, 40);
  };
  paint();
  setInterval(paint, 66);
  const track = canvas.captureStream(15).getVideoTracks()[0];
  if (!track) throw new Error("no track");
  track.contentHint = hint;
  return track;
}

interface Case {
  source: "camera" | "screen";
  large: boolean;
  simulcast: boolean;
  /** Captured in this size; without, what the product opens. */
  size?: Picture;
}

async function publish({ source, large, simulcast, size }: Case) {
  const receiver = new Receiver(source, simulcast);
  const publisher = new Publisher(
    receiver.answer,
    () => undefined,
    () => large,
  );
  const track = size ? page(size, source === "screen" ? "detail" : "motion") : await openCamera(null, large);
  await publisher.send(source, track);
  const began = performance.now();
  let from: Record<string, Layer> = {};
  const encodings = () =>
    publisher.connection
      ?.getSenders()
      .find((each) => each.track === track)
      ?.getParameters().encodings ?? [];
  const moving = (layers: Record<string, Layer>) => Object.values(layers).filter((layer) => layer.frames > 0).length;
  // First every layer has to come up, then it has to keep going.
  do {
    await later(250);
    from = await receiver.layers();
  } while (performance.now() - began < LIMIT_MS && moving(from) < encodings().filter((each) => each.active !== false).length);
  const took = performance.now() - began;
  await later(SETTLE_MS);
  from = await receiver.layers();
  await later(WINDOW_MS);
  const to = await receiver.layers();
  const [offer] = receiver.offers;
  const mid = offer?.tracks.find((each) => each.source === source)?.mid;
  const section = sectionsOf(offer?.sdp ?? "").find((each) => each.includes(`a=mid:${mid}`)) ?? [];
  const report = {
    rids: ridsOf(section),
    simulcast: section.find((line) => line.startsWith("a=simulcast:")) ?? null,
    offers: receiver.offers.length,
    told: offer?.tracks.find((each) => each.source === source)?.height ?? null,
    captured: track.getSettings().height ?? null,
    took: Math.round(took),
    encodings: encodings().map(({ rid, scaleResolutionDownBy, maxBitrate }) => ({ rid, scaleResolutionDownBy, maxBitrate })),
    layers: Object.fromEntries(
      Object.entries(to).map(([rid, layer]) => [
        rid,
        { height: layer.height, rate: ((layer.frames - (from[rid]?.frames ?? 0)) * 1000) / WINDOW_MS },
      ]),
    ),
    sdp: offer?.sdp ?? "",
  };
  publisher.close();
  receiver.close();
  track.stop();
  return report;
}

const CASES: Record<string, Case> = {
  large: { source: "camera", large: true, simulcast: true },
  tile: { source: "camera", large: false, simulcast: true },
  small: { source: "camera", large: true, simulcast: true, size: { width: 640, height: 360 } },
  screen: { source: "screen", large: true, simulcast: true, size: { width: 1920, height: 1080 } },
  window: { source: "screen", large: true, simulcast: true, size: { width: 400, height: 220 } },
  plain: { source: "camera", large: true, simulcast: false },
};

const results: Record<string, unknown> = {};
try {
  for (const [name, each] of Object.entries(CASES)) results[name] = await publish(each);
} catch (error) {
  results.error = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
await fetch("/report", { method: "POST", body: JSON.stringify(results) });
