import type { Op } from './op.ts';

/** One line of `history.ndjson`, with its newline. */
export function encodeOp(op: Op): string {
  return `${JSON.stringify(op)}\n`;
}
