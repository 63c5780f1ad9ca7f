/**
 * What a sender encodes of each source: one layer, or several (simulcast, RFC 8853) named by RID (RFC 8852), lowest first, each twice as
 * tall as the one below it, which is what the node takes for granted.
 * How many there are is fixed when the m-line is made; their sizes and rates follow the picture that is really captured. Pure.
 */
import type { Source } from "../protocol/types";

/** Bit/s; upper bounds, congestion control finds what fits below. */
const VOICE_BITS = 40_000;
const SOUND_BITS = 96_000;
/** The most a camera layer up to this many lines is worth, bit/s. */
const CAMERA_BITS: readonly (readonly [lines: number, bits: number])[] = [
  [120, 100_000],
  [200, 150_000],
  [300, 300_000],
  [400, 500_000],
  [560, 900_000],
];
const MOST_CAMERA_BITS = 1_600_000;
/** A shared screen: the whole of it, and a half that is still read over a bad link because it moves little. */
const SCREEN_BITS = 2_200_000;
const SCREEN_RATE = 30;
const LOW_SCREEN_BITS = 300_000;
const LOW_SCREEN_RATE = 5;

/** The layers' names by how many there are. */
const RIDS: readonly (readonly string[])[] = [[], [], ["q", "f"], ["q", "h", "f"]];

type Layer = Required<Pick<RTCRtpEncodingParameters, "scaleResolutionDownBy" | "maxBitrate">> & { maxFramerate?: number };

function cameraBits(lines: number): number {
  return CAMERA_BITS.find(([most]) => lines <= most)?.[1] ?? MOST_CAMERA_BITS;
}

function cameraLayers(lines: number, count: number): Layer[] {
  return [4, 2, 1].slice(-count).map((scale) => ({ scaleResolutionDownBy: scale, maxBitrate: cameraBits(Math.round(lines / scale)) }));
}

function screenLayers(count: number): Layer[] {
  // Without a rate of its own Chromium holds the upper layer to the lower one's.
  const whole = { scaleResolutionDownBy: 1, maxBitrate: SCREEN_BITS, maxFramerate: SCREEN_RATE };
  return count >= 2 ? [{ scaleResolutionDownBy: 2, maxBitrate: LOW_SCREEN_BITS, maxFramerate: LOW_SCREEN_RATE }, whole] : [whole];
}

export type VideoSource = "camera" | "screen";

/** `lines`: the shorter side of the picture, pixels. */
const layers = (source: VideoSource, lines: number, count: number): Layer[] =>
  source === "camera" ? cameraLayers(lines, count) : screenLayers(count);

/** `sendEncodings` of a source; a camera's picture for the whole class (`large`) comes in three layers, others in two. */
export function encodingsOf(source: Source, lines: number, large: boolean): RTCRtpEncodingParameters[] {
  if (source === "microphone") return [{ maxBitrate: VOICE_BITS }];
  if (source === "screen_audio") return [{ maxBitrate: SOUND_BITS }];
  const count = source === "camera" && large ? 3 : 2;
  // Nothing here drops temporal layers, and without them the same bits make a better picture.
  return layers(source, lines, count).map((layer, i) => ({ rid: RIDS[count]?.[i] ?? "", scalabilityMode: "L1T1", ...layer }));
}

/**
 * The same encodings with sizes and rates for a picture of so many lines; null when nothing changes. An answer may have left fewer than were
 * offered (RFC 8829 section 5.10): what is left shares out the picture anew.
 */
export function refitted(source: VideoSource, now: readonly RTCRtpEncodingParameters[], lines: number): RTCRtpEncodingParameters[] | null {
  const wanted = layers(source, lines, now.length);
  const same = wanted.every(
    (layer, i) => layer.scaleResolutionDownBy === (now[i]?.scaleResolutionDownBy ?? 1) && layer.maxBitrate === now[i]?.maxBitrate,
  );
  return same ? null : now.map((each, i) => ({ ...each, ...wanted[i] }));
}
