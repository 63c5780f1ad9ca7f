import type { Reaction } from "../../protocol/types";

const FACE = "M16 3a13 13 0 1 0 0 26 13 13 0 0 0 0-26z";
const HAND =
  "M6 15.500h4.500L15 5.500c2.200 0 3.500 1.500 3.100 3.700L17.300 13H24c1.900 0 3.100 1.700 2.700 3.400l-2 8.100C24.300 26 23 27 21.500 27H13l-2.500-1.500H6z";

type Shape = { d: string; fill?: string; stroke?: string };
const INK = "#5b3a06";
const SUN = "#f7c34b";

/** Small pictures of our own: every machine shows the same, with or without a colour font. */
const SHAPES: Record<Reaction, Shape[]> = {
  thumbs_up: [{ d: HAND, fill: SUN, stroke: "#b97b12" }],
  clap: [
    {
      d: "M9 13.500 14.500 19l1.800-1.800-5.600-5.600a1.900 1.900 0 0 1 2.700-2.700l6 6 1-4.800a2 2 0 0 1 3.900.6l-.6 8.300a8.500 8.500 0 0 1-14.400 5.500L4 20.200a1.900 1.900 0 0 1 2.700-2.700l.9.900-1.500-1.500A1.900 1.900 0 0 1 9 13.500z",
      fill: SUN,
      stroke: "#b97b12",
    },
    { d: "M18 3v3.500M24.500 4.500l-2 3M29 9.500l-3 1.600", stroke: "#f29d38" },
  ],
  heart: [
    { d: "M16 27.500S4 20.500 4 12a6.500 6.500 0 0 1 12-3.500A6.500 6.500 0 0 1 28 12c0 8.500-12 15.500-12 15.500z", fill: "#e5484d" },
  ],
  laugh: [
    { d: FACE, fill: SUN },
    { d: "M9 17h14a7 7 0 0 1-14 0z", fill: "#fff", stroke: INK },
    { d: "M8.500 12.500c.8-1.600 3.200-1.600 4 0M19.500 12.500c.8-1.600 3.200-1.600 4 0", stroke: INK },
  ],
  surprise: [
    { d: FACE, fill: SUN },
    { d: "M11 11.500v1.500M21 11.500v1.500", stroke: INK },
    { d: "M16 17.500a3 3.500 0 1 0 0 7 3 3.500 0 0 0 0-7z", fill: INK },
  ],
  yes: [
    { d: FACE, fill: "#1f9d63" },
    { d: "m9.500 16.500 4.500 4.500 8.500-9", stroke: "#fff" },
  ],
  no: [
    { d: FACE, fill: "#d64545" },
    { d: "m11 11 10 10M21 11 11 21", stroke: "#fff" },
  ],
  slower: [
    { d: FACE, fill: "#5663b8" },
    { d: "m15 10-5.500 6 5.500 6M22 10l-5.500 6 5.500 6", stroke: "#fff" },
  ],
  faster: [
    { d: FACE, fill: "#27788c" },
    { d: "m17 10 5.500 6-5.500 6M10 10l5.500 6-5.500 6", stroke: "#fff" },
  ],
};

export function ReactionIcon({ kind }: { kind: Reaction }) {
  return (
    <svg className="reaction-icon" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      {SHAPES[kind].map((shape) => (
        <path
          key={shape.d}
          d={shape.d}
          fill={shape.fill ?? "none"}
          stroke={shape.stroke ?? "none"}
          strokeWidth={shape.stroke === "#fff" || shape.stroke === INK ? 2.4 : 1.6}
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      ))}
    </svg>
  );
}
