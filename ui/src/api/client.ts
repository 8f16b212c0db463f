/** Asking the server, with exact numbers and its one shape of errors. */

import { noteTime } from "./clock";
import { type Json, parseJson, writeJson } from "./json";

/** What went wrong and what to do, in the server's words wherever it answered. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    message: string,
    /** HTTP's status; 0 where no server answered. */
    readonly status: number,
    /** The server's stable name of the reason, or `unreachable` or `unreadable`. */
    readonly code: string,
    /** What to write, run or change instead; may be empty. */
    readonly hint: string,
  ) {
    super(message);
  }
}

export type Parameters = Record<string, string | number | boolean | readonly string[] | undefined>;

export interface RequestOptions {
  signal?: AbortSignal;
}

/** The address of an answer: empty parameters are left out, lists become repeated parameters. */
export function address(path: string, parameters: Parameters = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
  }
  return query.size === 0 ? path : `${path}?${query}`;
}

/** @throws ApiError; an aborted request rejects with the signal's own reason. */
export function get<T>(url: string, options: RequestOptions = {}): Promise<T> {
  return ask<T>(url, options);
}

/** @throws ApiError; an aborted request rejects with the signal's own reason. */
export function post<T>(url: string, body: unknown, options: RequestOptions = {}): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  return ask<T>(url, { ...options, method: "POST", headers, body: writeJson(body) });
}

/** The head of an answer that is OK. @throws ApiError; an aborted request rejects with the signal's own reason. */
export async function request(url: string, init: RequestInit): Promise<Response> {
  const sent = Date.now();
  const response = await fetch(url, init).catch((reason: unknown) => {
    if (init.signal?.aborted) throw init.signal.reason;
    throw unreachable(reason);
  });
  noteTime(response, sent);
  if (!response.ok) throw await errorOf(response);
  return response;
}

/** The error in an answer that is not OK, whoever wrote it. */
async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const { error } = parseJson(text) as { error: { code: string; message: string; hint: string } };
    return new ApiError(error.message, response.status, error.code, error.hint);
  } catch {
    return unreadable(response.status);
  }
}

/** The error to show for whatever was thrown. */
export function asApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  return new ApiError(thrown instanceof Error ? thrown.message : String(thrown), 0, "page", "Reload the page.");
}

async function ask<T>(url: string, init: RequestInit): Promise<T> {
  return read(await request(url, init)) as Promise<T>;
}

async function read(response: Response): Promise<Json> {
  const text = await response.text();
  try {
    return parseJson(text);
  } catch {
    throw unreadable(response.status);
  }
}

function unreachable(reason: unknown): ApiError {
  const detail = reason instanceof Error ? ` (${reason.message})` : "";
  return new ApiError(`The server does not answer${detail}.`, 0, "unreachable", "Is `dynalens up` still running?");
}

function unreadable(status: number): ApiError {
  return new ApiError(
    `The answer (status ${status}) is not from Dynalens.`,
    status,
    "unreadable",
    "Does something stand between this page and the server?",
  );
}
