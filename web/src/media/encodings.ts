/**
 * What a sender encodes of each source: one layer, or several (simulcast, RFC 8853) named by RID (RFC 8852), lowest first, each twice as
 * tall as the one below it, which is what the node takes for granted. How many are offered is fixed when the m-line is made; how many of
 * them are used, their sizes and rates follow the picture that is really captured. Pure.
 */
import type { Source } from "../protocol/types";

export interface Picture {
  width: number;
  height: number;
}

export type VideoSource = "camera" | "screen";

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
/** Chromium sends this many layers of a picture of so many pixels, the lowest ones, whatever else is asked for. */
const MOST_LAYERS: readonly (readonly [pixels: number, layers: number])[] = [
  [960 * 540, 3],
  [480 * 270, 2],
];

const layersOf = (source: VideoSource, large: boolean): number => (source === "camera" && large ? 3 : 2);

function usedLayers({ width, height }: Picture, offered: number): number {
  return Math.min(offered, MOST_LAYERS.find(([pixels]) => width * height >= pixels)?.[1] ?? 1);
}

/** A phone held upright sends no more than one held across: the shorter side counts. */
function cameraLayer(picture: Picture, scale: number) {
  const lines = Math.round(Math.min(picture.width, picture.height) / scale);
  return { maxBitrate: CAMERA_BITS.find(([most]) => lines <= most)?.[1] ?? MOST_CAMERA_BITS };
}

/** Without a rate of its own Chromium holds the upper layer to the lower one's. */
function screenLayer(scale: number) {
  return scale > 1
    ? { maxBitrate: LOW_SCREEN_BITS, maxFramerate: LOW_SCREEN_RATE }
    : { maxBitrate: SCREEN_BITS, maxFramerate: SCREEN_RATE };
}

function layers(source: VideoSource, picture: Picture, offered: number): RTCRtpEncodingParameters[] {
  const used = usedLayers(picture, offered);
  return Array.from({ length: offered }, (_, i) => {
    const scale = 2 ** Math.max(0, used - 1 - i);
    const bounds = source === "camera" ? cameraLayer(picture, scale) : screenLayer(scale);
    return { active: i < used, scaleResolutionDownBy: scale, ...bounds };
  });
}

/** `sendEncodings` of a source; a camera's picture for the whole class (`large`) comes in three layers, others in two. */
export function encodingsOf(source: Source, picture: Picture, large: boolean): RTCRtpEncodingParameters[] {
  if (source === "microphone") return [{ maxBitrate: VOICE_BITS }];
  if (source === "screen_audio") return [{ maxBitrate: SOUND_BITS }];
  const offered = layersOf(source, large);
  // All are offered as active: one that rests now may be used for another picture, and `~rid` in an offer says less. Nothing here drops
  // temporal layers, and without them the same bits make a better picture.
  return layers(source, picture, offered).map((layer, i) => ({
    ...layer,
    rid: RIDS[offered]?.[i] ?? "",
    scalabilityMode: "L1T1",
    active: true,
  }));
}

/** Pixels, as tall as the highest offered layer is or would be, were it used. */
export function tallestLayer(source: VideoSource, picture: Picture, large: boolean): number {
  const offered = layersOf(source, large);
  return picture.height * 2 ** (offered - usedLayers(picture, offered));
}

/**
 * The same encodings as this picture needs them; null when nothing changes. An answer may have left fewer than were offered (RFC 8829
 * section 5.10): what is left shares out the picture anew.
 */
export function refitted(
  source: VideoSource,
  now: readonly RTCRtpEncodingParameters[],
  picture: Picture,
): RTCRtpEncodingParameters[] | null {
  const wanted = layers(source, picture, now.length);
  const same = wanted.every((layer, i) => {
    const { active = true, scaleResolutionDownBy = 1, maxBitrate } = now[i] ?? {};
    return layer.active === active && layer.scaleResolutionDownBy === scaleResolutionDownBy && layer.maxBitrate === maxBitrate;
  });
  return same ? null : now.map((each, i) => ({ ...each, ...wanted[i] }));
}
