/** Which pictures of a recording are shown at a moment, and which is the large one. Pure. */
import type { Content, RecordedTrack, Span, TimelineState } from "../../protocol/replay";

/** A picture is made ready this long before it begins. */
export const AHEAD_MS = 3_000;

export interface Tile {
  key: string;
  track: string;
  participant: string;
  source: "camera" | "screen";
  span: Span;
  place: "main" | "side" | "ready";
}

/** At most one large picture and `side` beside it; `pinned` is a track somebody chose. Broken files are left out. */
export function tilesAt(
  content: Pick<Content, "tracks">,
  position: number,
  view: TimelineState | null,
  { pinned, side, broken }: { pinned: string | null; side: number; broken: ReadonlySet<string> },
): Tile[] {
  const found = content.tracks.flatMap((track) => {
    const span = track.spans.find((each) => position >= each.from_ms - AHEAD_MS && position < each.to_ms && !broken.has(each.file));
    return span && (track.source === "camera" || track.source === "screen") ? [{ track, span }] : [];
  });
  const begun = found.filter(({ span }) => position >= span.from_ms);
  const large = main(begun, view, pinned);
  const rest = begun.filter((each) => each !== large).sort((a, b) => rank(a.track, view) - rank(b.track, view));
  const ready = found.filter((each) => !begun.includes(each)).slice(0, 2);
  const tile = (place: Tile["place"]) => (each: Found) => ({
    key: `${each.track.id}/${each.span.file}`,
    track: each.track.id,
    participant: each.track.participant,
    source: each.track.source as Tile["source"],
    span: each.span,
    place,
  });
  return [...(large ? [tile("main")(large)] : []), ...rest.slice(0, side).map(tile("side")), ...ready.map(tile("ready"))];
}

interface Found {
  track: RecordedTrack;
  span: Span;
}

function main(begun: Found[], view: TimelineState | null, pinned: string | null): Found | undefined {
  const camera = (id: string | undefined) =>
    begun.find(({ track }) => id !== undefined && track.participant === id && track.source === "camera");
  return (
    begun.find(({ track }) => track.id === pinned) ??
    begun.find(({ track }) => track.source === "screen") ??
    camera(view?.scene.main) ??
    [...begun].sort((a, b) => rank(a.track, view) - rank(b.track, view))[0]
  );
}

/** Who is large in class comes first, then the trainer, other staff, everybody else in the order of the recording. */
function rank(track: RecordedTrack, view: TimelineState | null): number {
  if (track.source === "screen") return 0;
  if (view?.scene.main === track.participant) return 1;
  const role = view?.people[track.participant]?.role;
  return role === "trainer" ? 2 : role === "assistant" ? 3 : 4;
}
