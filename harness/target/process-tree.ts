import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { processStat } from '../cluster/proc.ts';

const pollMs = 2;

/** A process and all that descend from it, itself first. A server may have one process a connection, as PostgreSQL. */
export function treeOf(root: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? parentOf(name) : undefined;
    if (parent === undefined) continue;
    const siblings = children.get(parent) ?? [];
    siblings.push(Number(name));
    children.set(parent, siblings);
  }
  const tree = [root];
  // Grows as it is walked: children come after their parents.
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/**
 * Sends a signal to a whole tree until it has no member that was not sent it: one that was being forked is found the
 * next time.
 * @returns all that were signalled
 */
export function signalTree(root: number, signal: NodeJS.Signals): readonly number[] {
  const signalled = new Set<number>();
  for (;;) {
    const fresh = treeOf(root).filter((pid) => !signalled.has(pid));
    if (fresh.length === 0) return [...signalled];
    for (const pid of fresh) {
      signalled.add(pid);
      try {
        process.kill(pid, signal);
      } catch {
        // It ended by itself in between.
      }
    }
  }
}

/** Waits, bounded, until no process has a state but these: what is gone has none. @returns the states left, in short */
export async function untilStates(
  pids: readonly number[],
  isExpected: (state: string | undefined) => boolean,
  timeoutMs: number,
): Promise<{ readonly reached: boolean; readonly states: string }> {
  const startedAt = performance.now();
  for (;;) {
    const states = pids.map((pid) => processStat(pid)?.state);
    const reached = states.every(isExpected);
    const told = [...new Set(states.map((state) => state ?? '-'))].join('');
    if (reached || performance.now() - startedAt > timeoutMs) return { reached, states: told };
    await delay(pollMs);
  }
}

/** undefined when there is no such process */
function parentOf(pid: string): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}
