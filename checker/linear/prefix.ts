import type { CrashedCalls } from './crashed-calls.ts';
import type { Prefix } from './problem.ts';
import { hasBit, NOT } from './slots.ts';

/** Where in a row the parts begin that follow the movers that are placed. */
interface Places {
  readonly hiddenAt: number;
  readonly placedAt: number;
  readonly countsAt: number;
}

/** The calls that are open, by slot. */
interface OpenCalls {
  readonly movers: readonly number[];
  readonly observers: readonly number[];
  readonly crashed: CrashedCalls;
}

/** What a row of a set of configurations says of the calls that are open. */
export function prefixOf(
  row: Int32Array,
  { hiddenAt, placedAt, countsAt }: Places,
  { movers, observers, crashed }: OpenCalls,
): Prefix {
  const ahead: number[] = [];
  const hidden: number[] = [];
  const pending: number[] = [];
  for (const [slot, call] of movers.entries()) {
    if (call === NOT) continue;
    (hasBit(row, 1, slot) ? ahead : hasBit(row, hiddenAt, slot) ? hidden : pending).push(call);
  }
  for (const [slot, call] of observers.entries()) {
    if (call !== NOT) (hasBit(row, placedAt, slot) ? ahead : pending).push(call);
  }
  for (const [crash, calls] of crashed.calls.entries()) {
    const used = row[countsAt + crash]!;
    ahead.push(...calls.slice(0, used));
    pending.push(...calls.slice(used, crashed.invoked[crash]));
  }
  return { state: row[0]!, ahead, hidden, pending };
}
