import type { zh } from "../zh";
import { enClass } from "./class";
import { enEntry } from "./entry";
import { enRest } from "./rest";

/** English catalogue. */
export const en = { ...enEntry, ...enClass, ...enRest };

/** Compile-time check that nothing of the reference catalogue is missing. */
type Missing<A, B> = { [K in keyof A as K extends keyof B ? never : K]: A[K] };
const complete: Missing<typeof zh, typeof en> = {};
void complete;
