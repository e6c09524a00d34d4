import { textOf } from '../utf8.ts';
import type { ExchangeResult } from './exchange.ts';

/**
 * What a failed request may have done: `none`: it did not take effect and never will; `unknown`: it may have, or may
 * yet. A read has no effect, so its failures are always `none`.
 */
export type Outcome = 'none' | 'unknown';

export interface Failure {
  readonly ok: false;
  readonly outcome: Outcome;
  /** The name in the node's error body (`no-leader`, `cas-mismatch`, `timeout` …) or the exchange's. */
  readonly error: string;
  readonly message: string;
  /** The HTTP status, when there was an answer. */
  readonly status?: number;
}

export type Result<T> = { readonly ok: true; readonly value: T } | Failure;

/** Answers after which a write certainly did not happen (docs/ARCHITECTURE.md, HTTP). Everything else is unknown. */
const refusals: ReadonlySet<number> = new Set([400, 404, 405, 411, 412, 413, 414, 429, 431, 503]);

/** Judges an answer that is not a success, or a request without an answer. */
export function failureOf(result: ExchangeResult, isWrite: boolean): Failure {
  if (result.type === 'failure') {
    const outcome = isWrite && result.sent ? 'unknown' : 'none';
    return { ok: false, outcome, error: result.error, message: result.message };
  }
  const outcome = isWrite && !refusals.has(result.status) ? 'unknown' : 'none';
  return { ok: false, outcome, ...errorBody(result.status, result.body), status: result.status };
}

/** An answer of success whose body cannot be understood: the write took effect or may have, what it said is lost. */
export function unintelligible(status: number, isWrite: boolean): Failure {
  const message = `the body of an answer with status ${status} cannot be understood`;
  return { ok: false, outcome: isWrite ? 'unknown' : 'none', error: 'unintelligible-answer', message, status };
}

function errorBody(status: number, body: Uint8Array): { error: string; message: string } {
  try {
    const parsed: unknown = JSON.parse(textOf(body));
    if (typeof parsed === 'object' && parsed !== null && 'error' in parsed && typeof parsed.error === 'string') {
      const message = 'message' in parsed && typeof parsed.message === 'string' ? parsed.message : parsed.error;
      return { error: parsed.error, message };
    }
  } catch {
    // Not JSON: the status alone speaks.
  }
  return { error: `http-${status}`, message: `status ${status}` };
}
