/** Small pictures of a recording: pieces of sheets, told by a WebVTT file whose cues are `<file>#xywh=x,y,w,h`. Pure. */
import { type Cue, cuesAt, parseCues } from "./vtt";

export interface Thumbnail extends Cue {
  file: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

const PIECE = /^([\w.-]+)#xywh=(\d+),(\d+),(\d+),(\d+)$/;

export function parseThumbnails(text: string): Thumbnail[] {
  return parseCues(text).flatMap((cue) => {
    const found = PIECE.exec(cue.text.trim());
    if (!found) return [];
    const [x = 0, y = 0, width = 0, height = 0] = found.slice(2).map(Number);
    return [{ ...cue, file: found[1] ?? "", x, y, width, height }];
  });
}

export const thumbnailAt = (thumbnails: readonly Thumbnail[], ms: number): Thumbnail | null => cuesAt(thumbnails, ms).at(-1) ?? null;
