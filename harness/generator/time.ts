import { andThen, type Context, exhausted, type Generator, type Step } from './generator.ts';

/**
 * Ends after `durationNs`, counted from when it is first asked. Nothing begins at or after the end; what is under
 * way goes on.
 */
export function timeLimit(durationNs: number, inner: Generator): Generator {
  return {
    op: (context) => until(context.time + durationNs, inner).op(context),
    update: (context, event) => timeLimit(durationNs, inner.update(context, event)),
  };
}

function until(end: number, inner: Generator): Generator {
  return {
    op(context) {
      if (context.time >= end) return exhausted;
      const step = inner.op(context);
      if (step.kind === 'op' && step.op.time >= end) {
        return { kind: 'pending', next: until(end, inner), at: end };
      }
      return notAfter(
        end,
        andThen(step, (next) => until(end, next)),
      );
    },
    update: (context, event) => until(end, inner.update(context, event)),
  };
}

/**
 * How far a schedule may fall behind, because every thread was busy, before what was missed is given up. Within
 * it the missed operations follow at once, each with the time at which it was meant to begin.
 */
const arrearsMaxNs = 1_000_000_000;

/** On average one operation in `intervalNs`, at random distances, uniform in [0, 2 × interval). */
export function stagger(intervalNs: number, inner: Generator): Generator {
  return paced((context) => context.random.below(2 * intervalNs), inner, undefined);
}

/** One operation every `intervalNs`. */
export function delay(intervalNs: number, inner: Generator): Generator {
  return paced(() => intervalNs, inner, undefined);
}

/** @param due when the next operation is to begin; undefined before the first */
function paced(gap: (context: Context) => number, inner: Generator, due: number | undefined): Generator {
  return {
    op(context) {
      const start = due === undefined ? context.time : Math.max(due, context.time - arrearsMaxNs);
      const step = inner.op(context);
      if (step.kind !== 'op') return andThen(step, (next) => paced(gap, next, start));
      const time = step.op.time > context.time ? Math.max(start, step.op.time) : start;
      const { f, key, value, thread, process } = step.op;
      const op = { f, key, value, time, thread, process };
      return { kind: 'op', op, next: paced(gap, step.next, time + gap(context)) };
    },
    update: (context, event) => paced(gap, inner.update(context, event), due),
  };
}

/** Nothing for `durationNs`, counted from when it is first asked; then exhausted. */
export function sleep(durationNs: number): Generator {
  const self: Generator = {
    op: (context) => asleepUntil(context.time + durationNs).op(context),
    update: () => self,
  };
  return self;
}

function asleepUntil(end: number): Generator {
  const self: Generator = {
    op: (context) => (context.time >= end ? exhausted : { kind: 'pending', next: self, at: end }),
    update: () => self,
  };
  return self;
}

function notAfter(end: number, step: Step): Step {
  return step.kind === 'pending' ? { ...step, at: Math.min(end, step.at ?? end) } : step;
}
