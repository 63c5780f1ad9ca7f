// The attendance of a class as the node tells it: a usual one, a large one, one before its start. Fixed: no clock, no randomness.
const MINUTE = 60_000;
const STARTED = Date.UTC(2026, 3, 18, 1, 0, 0);
const ENDED = STARTED + 100 * MINUTE;
const NAMES =
  "马建军 林秀云 孙丽娟 黄志强 何文静 郑伟 唐雪 许红梅 赵一鸣 陈晓兰 欧阳慧敏（石河区第三实验小学数学教研组） 周海燕 吴志远 李国强 冯雅琴 褚卫东 蒋欣怡 沈建平 韩冰 杨柳青".split(
    " ",
  );
const BREAK = [STARTED + 55 * MINUTE, STARTED + 65 * MINUTE];
const CHECKS = [14, 48, 82];

function cut(from, to, more = {}) {
  const parts = [
    [from, Math.min(to, BREAK[0])],
    [Math.max(from, BREAK[1]), to],
  ].filter(([start, end]) => start < end);
  return parts.map(([start, end], i) => ({ start, end, bridged: false, recovered: false, ...(i === parts.length - 1 ? more : {}) }));
}

function person(i) {
  const round = Math.floor(i / NAMES.length);
  const name = `${NAMES[i % NAMES.length]}${round > 0 ? ` ${round + 1}` : ""}`;
  const kind = i % NAMES.length;
  let segments = cut(STARTED, ENDED);
  let computed = "present";
  if (kind < 2) {
    segments = [];
    computed = "absent";
  } else if (kind < 5) {
    segments = cut(STARTED + (20 - kind * 3) * MINUTE, ENDED);
    computed = "late";
  } else if (kind < 7) {
    segments = cut(STARTED, STARTED + (72 + kind) * MINUTE);
    computed = "left_early";
  } else if (kind === 7) {
    segments = cut(STARTED + 6 * MINUTE, ENDED);
    computed = "late";
  } else if (kind === 8) {
    segments = [
      { start: STARTED, end: STARTED + 20 * MINUTE, bridged: false, recovered: true },
      { start: STARTED + 20 * MINUTE, end: STARTED + 21 * MINUTE, bridged: true, recovered: false },
      ...cut(STARTED + 21 * MINUTE, ENDED),
    ];
  }
  const connected = segments.reduce((sum, each) => sum + each.end - each.start, 0);
  const answered = computed === "absent" ? 0 : computed === "present" ? 3 : 2;
  const hours = [85, 65, 40, 20].findIndex((least) => connected >= least * MINUTE);
  const override =
    kind === 7 ? { status: "present", minutes: null, reason: "停电，已出示证明", by: "王敏", at: ENDED + 20 * MINUTE } : null;
  return {
    participant: `u${i}`,
    name: kind === 1 && round === 1 ? NAMES[2] : name,
    subject: `lms:2026${String(i).padStart(3, "0")}`,
    came: kind >= 2,
    expected: i !== 12,
    connected_ms: connected,
    delivered_ms: kind === 8 ? connected * 0.7 : Math.max(0, connected - (kind % 3) * MINUTE),
    bridged_ms: kind === 8 ? MINUTE : 0,
    ratio: connected / (90 * MINUTE),
    first_at: segments[0]?.start ?? null,
    last_at: segments.at(-1)?.end ?? null,
    segments,
    checks_asked: computed === "absent" ? 0 : 3,
    checks_answered: answered,
    computed,
    status: override?.status ?? computed,
    minutes: Math.floor(connected / MINUTE),
    hours: hours < 0 || computed === "absent" ? 0 : 2 - hours * 0.5,
    override,
  };
}

function counted(people, at) {
  return people.filter((each) => each.segments.some(({ start, end }) => start <= at && at <= end)).length;
}

const POLICIES = [
  { id: "standard", version: 1 },
  { id: "continuing", version: 1 },
];

export function report(session) {
  const begun = session !== "soon";
  const people = begun ? Array.from({ length: session === "large" ? 300 : 38 }, (_, i) => person(i)) : [];
  const curve = Array.from({ length: 120 }, (_, i) => {
    const at = STARTED + ((ENDED - STARTED) * i) / 119;
    const here = at >= BREAK[0] && at <= BREAK[1] ? counted(people, BREAK[0]) - 5 : counted(people, at);
    return [at, here, Math.max(0, here - (i % 7 === 3 ? 3 : 1))];
  });
  return {
    session,
    title: "小学数学“问题链”课堂设计 · 第 3 讲",
    now: ENDED + 40 * MINUTE,
    started_at: begun ? STARTED : null,
    ended_at: begun ? ENDED : null,
    countable_ms: begun ? 90 * MINUTE : 0,
    policy: POLICIES[0],
    stamped: POLICIES[0],
    policies: POLICIES,
    rules: {
      late_s: 300,
      early_s: 300,
      absent_below: 0.2,
      grace_s: 60,
      credits: [20, 40, 65, 85].map((minutes, i) => ({ minutes, hours: (i + 1) / 2 })),
    },
    replay: session === "large" ? "nobody" : "participants",
    expected: people.length,
    staff: ["王敏", "何静"],
    idle: begun ? [BREAK] : [],
    curve: begun ? curve : [],
    checks: begun
      ? CHECKS.map((minute, i) => ({
          at: STARTED + minute * MINUTE,
          automatic: i > 0,
          asked: counted(people, STARTED + minute * MINUTE),
          answered: counted(people, STARTED + minute * MINUTE) - (i === 2 ? 4 : 1),
        }))
      : [],
    people,
    hold: session === "held" ? "法院通知书（2026）0318 号" : null,
  };
}

/** The own record: in a class that goes on for 42 minutes ("live"), before anything is counted ("demo"), or after a class. */
export function own(session) {
  const over = session !== "live" && session !== "demo";
  const now = over ? ENDED + 40 * MINUTE : STARTED + 42 * MINUTE + 18_000;
  const from = STARTED + 8 * MINUTE;
  const attendance = over
    ? person(8)
    : {
        ...person(9),
        connected_ms: now - from,
        delivered_ms: 32 * MINUTE,
        first_at: from,
        last_at: now,
        segments: [{ start: from, end: now, bridged: false, recovered: false }],
        checks_asked: 2,
        checks_answered: 2,
        hours: 0.5,
      };
  return {
    now,
    started_at: STARTED,
    ended_at: over ? ENDED : null,
    countable_ms: over ? 90 * MINUTE : now - STARTED,
    policy: POLICIES[0],
    attendance: session === "demo" ? null : attendance,
  };
}
