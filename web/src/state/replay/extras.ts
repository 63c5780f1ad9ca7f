/** What a recording gets after it is published, and what of it is loaded only when somebody wants it: download, thumbnails, captions. */
import type { CaptionInfo, ReplayInfo, Span } from "../../protocol/replay";
import { parseThumbnails, type Thumbnail } from "./thumbnails";
import { type Cue, parseCues } from "./vtt";

export interface Extras {
  /** addresses begin with it; it is of the version these were found in */
  base: string;
  download: Span | null;
  /** name of the WebVTT file */
  thumbnails: string | null;
  captions: CaptionInfo[];
}

/** When to look for what is not there yet, ms after the last look. */
export const LOOKS_MS: readonly number[] = [10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000];

export const extrasOf = ({ base, content }: ReplayInfo): Extras => ({
  base: base ?? "",
  download: content?.download ?? null,
  thumbnails: content?.thumbnails ?? null,
  captions: content?.captions ?? [],
});

/** Whether something may come yet. */
export const awaits = (extras: Extras, pictures: boolean): boolean => pictures && (extras.download === null || extras.thumbnails === null);

/** The captions that fit a viewer's language best, else the first. */
export function bestCaptions(captions: readonly CaptionInfo[], language: string): CaptionInfo | null {
  const first = (tag: string) => tag.split("-")[0]?.toLowerCase();
  return (
    captions.find((each) => each.language === language) ??
    captions.find((each) => first(each.language) === first(language)) ??
    captions[0] ??
    null
  );
}

async function text(address: string): Promise<string> {
  const response = await fetch(address, { credentials: "same-origin" });
  return response.ok ? await response.text() : "";
}

export const loadCues = async (address: string): Promise<Cue[]> => parseCues(await text(address));
export const loadThumbnails = async (address: string): Promise<Thumbnail[]> => parseThumbnails(await text(address));
