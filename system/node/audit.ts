import type { Effect } from '../kv/index.ts';

/**
 * Takes one or more whole lines, each with its newline, and has written them when it returns: no answer may leave
 * before the record of what it tells.
 */
export type AuditSink = (lines: string) => void;

/** The audit file's records (docs/ARCHITECTURE.md), gathered over a turn and written before its answers. */
export class Audit {
  readonly #sink: AuditSink;
  #lines = '';

  constructor(sink: AuditSink) {
    this.#sink = sink;
  }

  start(node: string, incarnation: string, applied: number): void {
    this.#lines += `${JSON.stringify({ type: 'start', node, incarnation, applied })}\n`;
  }

  leader(node: string, term: number): void {
    this.#lines += `${JSON.stringify({ type: 'leader', node, term })}\n`;
  }

  apply(index: number, term: number, op: string | undefined, effect: Effect, hash: string): void {
    const operation = op === undefined ? '' : `"op":${JSON.stringify(op)},`;
    this.#lines += `{"type":"apply","index":${index},"term":${term},${operation}"effect":"${effect}","hash":"${hash}"}\n`;
  }

  /** A peer's snapshot begins to arrive: from here on this node may start with it, be it killed before it is installed. */
  receive(index: number, term: number): void {
    this.#lines += `${JSON.stringify({ type: 'receive', index, term })}\n`;
  }

  snapshot(index: number, term: number, hash: string): void {
    this.#lines += `${JSON.stringify({ type: 'snapshot', index, term, hash })}\n`;
  }

  flush(): void {
    if (this.#lines === '') return;
    const lines = this.#lines;
    this.#lines = '';
    this.#sink(lines);
  }
}
