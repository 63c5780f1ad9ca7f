// Five minutes of a busy node, from sines so that every run draws the same.
const NOW = Date.UTC(2026, 3, 18, 2, 42, 18);
const wave = (i, period, low, high) => low + ((high - low) * (1 + Math.sin(i / period))) / 2;

function row(i) {
  const rise = Math.min(1, i / 220);
  const people = Math.round(8164 * rise * 0.96 + wave(i, 9, 0, 120));
  const kbitOut = people * wave(i, 17, 740, 790);
  return {
    at: NOW - (299 - i) * 1000,
    classes: 208,
    people,
    connections: Math.round(people * 1.06),
    joins: wave(i, 5, 0, 14) * (1 - rise * 0.8),
    commands: wave(i, 7, 40, 180),
    loop_late_ms: wave(i, 3, 1.2, 8) + (i % 71 === 0 ? 22 : 0),
    journal_ms: wave(i, 11, 1.5, 4),
    packets_in: people * wave(i, 13, 9, 11),
    packets_out: people * wave(i, 17, 86, 92),
    kbit_in: people * 142,
    kbit_out: kbitOut,
    media_people: people * 2,
    nacks: wave(i, 4, 20, 210) * rise,
    key_frame_requests: wave(i, 6, 2, 12),
    queue_drops: 0,
  };
}

const CLASSES = [
  ["乡村教师信息技术应用提升 2.0", "live", 486, 12, 0],
  ["师德师风专题报告会", "live", 452, 4, 0],
  ["数字化教研平台实操", "break", 300, 8, 0],
  ["高中物理实验教学创新", "live", 212, 6, 3],
  ["双师型教师教学能力提升", "lobby", 164, 2, 0],
  ["小学数学“问题链”课堂设计 · 第 3 讲", "live", 38, 37, 1],
].map(([title, phase, present, on_stage, waiting], i) => ({
  session: `c-${(i * 7919 + 1234).toString(36)}`,
  title,
  phase,
  present,
  on_stage,
  waiting,
}));

export const overview = () => ({
  version: "0.1.0",
  started_at: NOW - 93_784_000,
  now: NOW,
  draining: false,
  store: "ok",
  media: "ok",
  rows: Array.from({ length: 300 }, (_, i) => row(i)),
  classes: CLASSES,
  class_count: 208,
});
