import { andThen, exhausted, type Generator, nothing, type Step } from './generator.ts';
import type { Random } from './random.ts';

/** One of several generators' answers. */
interface Candidate<K> {
  readonly key: K;
  /** The odds against other candidates that could begin at the same time. */
  readonly weight: number;
  readonly step: Step;
}

/**
 * The answer that can begin first; of several at the same time one by the odds of its weight. Only the chosen
 * generator moves on when there is an operation; when all are pending, all of them do; exhausted when all are.
 * @param rebuild gives the whole with the generators that moved on
 */
export function soonest<K>(
  candidates: readonly Candidate<K>[],
  random: Random,
  rebuild: (changed: ReadonlyMap<K, Generator>) => Generator,
): Step {
  let first: Candidate<K> | undefined;
  let firstTime = Number.POSITIVE_INFINITY;
  let odds = 0;
  const waiting = new Map<K, Generator>();
  let at = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const { step, key, weight } = candidate;
    if (step.kind === 'exhausted') {
      waiting.set(key, nothing);
    } else if (step.kind === 'pending') {
      waiting.set(key, step.next);
      at = Math.min(at, step.at ?? at);
    } else if (step.op.time < firstTime) {
      [first, firstTime, odds] = [candidate, step.op.time, weight];
      at = Math.min(at, step.at ?? at);
    } else if (step.op.time === firstTime) {
      odds += weight;
      if (random.below(odds) < weight) first = candidate;
      at = Math.min(at, step.at ?? at);
    }
  }
  if (first !== undefined) {
    const { key, step } = first;
    const chosen = andThen(step, (next) => rebuild(new Map(waiting).set(key, next)));
    return chosen.kind === 'op' && at < firstTime ? { ...chosen, at } : chosen;
  }
  if (candidates.every(({ step }) => step.kind === 'exhausted')) return exhausted;
  const next = rebuild(waiting);
  return Number.isFinite(at) ? { kind: 'pending', next, at } : { kind: 'pending', next };
}

/** Whichever can begin first; every event reaches all. */
export function any(...inner: readonly Generator[]): Generator {
  return {
    op(context) {
      const steps = inner.map((generator, key) => ({ key, weight: 1, step: generator.op(context) }));
      return soonest(steps, context.random, (changed) => any(...inner.map((now, key) => changed.get(key) ?? now)));
    },
    update: (context, event) => any(...inner.map((now) => now.update(context, event))),
  };
}

/** One of these at random for each operation, with these odds; every event reaches all. Ends when all have. */
export function mix(parts: readonly (readonly [weight: number, inner: Generator])[]): Generator {
  return {
    op(context) {
      let left = parts;
      while (left.length > 0) {
        const chosen = weighted(context.random, left);
        const [weight, inner] = left[chosen]!;
        const step = inner.op(context);
        if (step.kind !== 'exhausted') {
          const rest = left;
          return andThen(step, (next) => mix(rest.with(chosen, [weight, next])));
        }
        left = left.toSpliced(chosen, 1);
      }
      return exhausted;
    },
    update: (context, event) => mix(parts.map(([weight, inner]) => [weight, inner.update(context, event)])),
  };
}

/** Each in turn for one operation; ends when the one whose turn it is has ended. */
export function flipFlop(...inner: readonly Generator[]): Generator {
  return flipFlopFrom(inner, 0);
}

function flipFlopFrom(inner: readonly Generator[], turn: number): Generator {
  return {
    op(context) {
      const step = inner[turn]!.op(context);
      const after = step.kind === 'op' ? (turn + 1) % inner.length : turn;
      return andThen(step, (next) => flipFlopFrom(inner.with(turn, next), after));
    },
    update: (context, event) =>
      flipFlopFrom(
        inner.map((now) => now.update(context, event)),
        turn,
      ),
  };
}

function weighted(random: Random, parts: readonly (readonly [weight: number, inner: Generator])[]): number {
  let point = random.below(parts.reduce((sum, [weight]) => sum + weight, 0));
  for (const [at, [weight]] of parts.entries()) {
    point -= weight;
    if (point < 0) return at;
  }
  return parts.length - 1;
}
