import type { Access, Sessions } from './sessions.ts';
import type { Seen } from './visible.ts';

/** The four session guarantees (Terry et al. 1994), by what a step inside a session leads from and to. */
export const GUARANTEES = ['read-your-writes', 'monotonic-reads', 'monotonic-writes', 'writes-follow-reads'] as const;
export type Guarantee = (typeof GUARANTEES)[number];

/** A step on the way from a write to where it must be visible: inside a session, or from a write to its read. */
export interface Step {
  readonly from: Access;
  readonly to: Access;
  readonly by: Guarantee | 'reads-from';
}

function guaranteeOf(from: Access, to: Access): Guarantee {
  if (to.isRead) return from.isRead ? 'monotonic-reads' : 'read-your-writes';
  return from.isRead ? 'writes-follow-reads' : 'monotonic-writes';
}

/** All sets of guarantees, the smallest first. */
const SETS: readonly (readonly Guarantee[])[] = Array.from({ length: 2 ** GUARANTEES.length - 1 }, (_, bits) =>
  GUARANTEES.filter((_, at) => ((bits + 1) >> at) & 1),
).sort((a, b) => a.length - b.length);

/** Why writes must have been visible, by as few guarantees as are enough for all of them. */
export interface Explanation {
  readonly guarantees: readonly Guarantee[];
  /** The way of each, in the order in which they were asked for. */
  readonly ways: readonly (readonly Step[])[];
}

export function explain(sessions: Sessions, seen: readonly Seen[]): Explanation {
  for (const guarantees of SETS) {
    const ways = seen.map(({ write, by }) => way(sessions, write, by, guarantees));
    if (ways.every((one) => one !== undefined)) return { guarantees, ways };
  }
  throw new Error('what is visible by all guarantees is not visible by any set of them');
}

/** The shortest way from a write to an access, by steps of some guarantees and from writes to their reads. */
function way(
  { byProcess }: Sessions,
  write: Access,
  by: Access,
  guarantees: readonly Guarantee[],
): readonly Step[] | undefined {
  // Backwards. The step that leads on from each access that was reached.
  const onward = new Map<Access, Step | undefined>([[by, undefined]]);
  // By session, and by whether a step leads to a read: up to where the accesses have been looked at.
  const lookedTo = new Map<string, number>();
  const queue = [by];
  const reach = (from: Access, step: Step): void => {
    if (onward.has(from)) return;
    onward.set(from, step);
    queue.push(from);
  };
  for (const to of queue) {
    if (to === write) break;
    if (to.from !== undefined) reach(to.from, { from: to.from, to, by: 'reads-from' });
    const session = byProcess.get(to.process)!;
    const name = `${to.process} ${to.isRead}`;
    for (let place = lookedTo.get(name) ?? 0; place < to.place; place++) {
      const from = session[place]!;
      const guarantee = guaranteeOf(from, to);
      if (guarantees.includes(guarantee)) reach(from, { from, to, by: guarantee });
    }
    lookedTo.set(name, Math.max(lookedTo.get(name) ?? 0, to.place));
  }
  if (!onward.has(write)) return undefined;
  const steps: Step[] = [];
  for (let step = onward.get(write); step !== undefined; step = onward.get(step.to)) steps.push(step);
  return steps;
}
