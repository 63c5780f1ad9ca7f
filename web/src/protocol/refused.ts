import type { Problem, Retry } from "./types";

/** A command or HTTP call was refused; `code` names the reason in every catalogue under `errors`. */
export class Refused extends Error {
  readonly code: string;
  readonly retry: Retry;

  constructor(problem: Problem) {
    super(problem.code);
    this.code = problem.code;
    this.retry = problem.retry;
  }
}

/** The error code of anything thrown by this layer; `offline` for what never reached the server. */
export function codeOf(error: unknown): string {
  return error instanceof Refused ? error.code : "offline";
}
