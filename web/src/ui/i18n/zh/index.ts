import { zhAttendance } from "./attendance";
import { zhClass } from "./class";
import { zhEntry } from "./entry";
import { zhHolds } from "./holds";
import { zhReplay } from "./replay";
import { zhRest } from "./rest";

/** 简体中文 catalogue; the shape every other catalogue must have. */
export const zh = { ...zhEntry, ...zhClass, ...zhRest, ...zhAttendance, ...zhReplay, ...zhHolds };
