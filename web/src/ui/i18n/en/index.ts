import { enAttendance } from "./attendance";
import { enClass } from "./class";
import { enEntry } from "./entry";
import { enHolds } from "./holds";
import { enReplay } from "./replay";
import { enRest } from "./rest";

/** English catalogue; tests hold it to the keys of the Chinese one. */
export const en = { ...enEntry, ...enClass, ...enRest, ...enAttendance, ...enReplay, ...enHolds };
