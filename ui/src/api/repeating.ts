import type { ApiError } from "./client";

/** Whether asking again may help: a server that is busy, ending or away may answer later; a mistake stays one. */
export function isWorthRepeating({ status }: ApiError): boolean {
  return status === 0 || status >= 500;
}
