import type { History, Op, Value } from '../history/op.ts';

type Mop = readonly Value[];

/** What of time a serial order must keep: nothing, the order of each process, or real time. */
export type KeptOrder = 'none' | 'process' | 'realtime';

/**
 * Whether a history of lists or registers follows from running its transactions one after the other, sharing no code
 * with the checker that gave the order: every transaction that completed is in it once, none that failed, each reads
 * what those before it had appended or written, and none stands before one that had to come first. A register that
 * nobody has written yet holds whatever is read from it first.
 *
 * @param order positions of completions, or of invocations that never completed
 * @returns what is wrong with it, or `undefined`
 */
export function verifySerialOrder(history: History, order: readonly number[], kept: KeptOrder): string | undefined {
  const placed = new Set(order);
  if (placed.size !== order.length) return 'a transaction is in the order twice';
  const missing = history.findIndex((op, at) => op.type === 'ok' && op.process !== 'nemesis' && !placed.has(at));
  if (missing >= 0) return `operation ${missing} is not in the order`;
  const lists = new Map<string, Value[]>();
  const registers = new Map<string, Value>();
  const isRegisters = history.some(({ value }) => Array.isArray(value) && value.some((mop) => (mop as Mop)[0] === 'w'));
  const last = new Map<Op['process'], number>();
  let latest = -1;
  for (const at of order) {
    const op = history[at]!;
    if (op.type === 'fail') return `operation ${at} failed`;
    const invoked = invocationOf(history, at);
    if (kept === 'realtime' && op.type === 'ok' && at < latest)
      return `operation ${at} completed before ${latest} began`;
    if (kept === 'process' && (last.get(op.process) ?? -1) > at) return `operation ${at} comes too late in its process`;
    latest = Math.max(latest, invoked);
    last.set(op.process, at);
    for (const [f, key, value = null] of (op.value ?? history[invoked]?.value ?? []) as readonly Mop[]) {
      const name = JSON.stringify(key);
      if (isRegisters) {
        if (f === 'r' && op.type !== 'ok') continue;
        const held = registers.get(name);
        if (f === 'r' && held !== undefined && JSON.stringify(value) !== JSON.stringify(held))
          return `operation ${at} read ${JSON.stringify(value)} where ${JSON.stringify(held)} had been written`;
        registers.set(name, value);
        continue;
      }
      const list = lists.get(name) ?? [];
      if (f === 'append') lists.set(name, [...list, value]);
      else if (op.type === 'ok' && JSON.stringify(value ?? []) !== JSON.stringify(list)) {
        return `operation ${at} read ${JSON.stringify(value)} where ${JSON.stringify(list)} had been appended`;
      }
    }
  }
  return undefined;
}

/** Where the operation at a position was invoked; -1 when the history does not say. */
function invocationOf(history: History, at: number): number {
  if (history[at]!.type === 'invoke') return at;
  const before = history.findLastIndex((op, i) => i < at && op.process === history[at]!.process);
  return before >= 0 && history[before]!.type === 'invoke' ? before : -1;
}
