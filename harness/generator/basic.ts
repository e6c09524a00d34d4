import { invariant } from '../invariant.ts';
import {
  andThen,
  assign,
  type Context,
  type Event,
  exhausted,
  type Generator,
  type Invocation,
  nothing,
  type Template,
} from './generator.ts';

/** One operation, once. */
export function one(template: Template): Generator {
  return once(from(() => template));
}

/** Operations without end, each from a call of `make`; ends when that gives none. */
export function from(make: (context: Context) => Template | undefined): Generator {
  const self: Generator = {
    op(context) {
      if (context.free.length === 0) return { kind: 'pending', next: self };
      const template = make(context);
      const op = template && assign(context, template);
      return op === undefined ? exhausted : { kind: 'op', op, next: self };
    },
    update: () => self,
  };
  return self;
}

/** At most `count` operations. */
export function limit(count: number, inner: Generator): Generator {
  if (count <= 0) return nothing;
  const self: Generator = {
    op(context) {
      const step = inner.op(context);
      return andThen(step, (next) => limit(step.kind === 'op' ? count - 1 : count, next));
    },
    update(context, event) {
      const next = inner.update(context, event);
      return next === inner ? self : limit(count, next);
    },
  };
  return self;
}

export function once(inner: Generator): Generator {
  return limit(1, inner);
}

/** What `inner` asks for first, again and again, without end or `count` times. Combine with `cycle` for the whole. */
export function repeat(inner: Generator, count = Number.POSITIVE_INFINITY): Generator {
  if (count <= 0) return nothing;
  const self: Generator = {
    op(context) {
      const step = inner.op(context);
      if (step.kind === 'op') return { ...step, next: repeat(inner, count - 1) };
      return andThen(step, (next) => repeat(next, count));
    },
    update(context, event) {
      const next = inner.update(context, event);
      return next === inner ? self : repeat(next, count);
    },
  };
  return self;
}

/** The whole of `whole`, from its beginning again when it is exhausted, without end or `count` times. */
export function cycle(whole: Generator, count = Number.POSITIVE_INFINITY): Generator {
  return cycleFrom(whole, whole, count);
}

function cycleFrom(whole: Generator, now: Generator, left: number): Generator {
  if (left <= 0) return nothing;
  return {
    op(context) {
      const step = now.op(context);
      if (step.kind !== 'exhausted') return andThen(step, (next) => cycleFrom(whole, next, left));
      // Fresh and exhausted at once: it will never ask for anything.
      const again = left > 1 ? whole.op(context) : exhausted;
      return andThen(again, (next) => cycleFrom(whole, next, left - 1));
    },
    update: (context, event) => cycleFrom(whole, now.update(context, event), left),
  };
}

/** Changes each operation on its way out; who and when stay as they are. */
export function map(change: (template: Template, context: Context) => Template, inner: Generator): Generator {
  const self: Generator = {
    op(context) {
      const step = inner.op(context);
      if (step.kind !== 'op') return andThen(step, (next) => map(change, next));
      const { time, thread, process } = step.op;
      const { f, key, value } = change(step.op, context);
      const op: Invocation = { f, key, value, time, thread, process };
      return { kind: 'op', op, next: map(change, step.next), at: step.at };
    },
    update(context, event) {
      const next = inner.update(context, event);
      return next === inner ? self : map(change, next);
    },
  };
  return self;
}

const filterTriesMax = 10_000;

/** Leaves out operations that `keep` refuses. */
export function filter(keep: (op: Invocation) => boolean, inner: Generator): Generator {
  return {
    op(context) {
      let now = inner;
      for (let tries = 0; tries < filterTriesMax; tries++) {
        const step = now.op(context);
        if (step.kind !== 'op' || keep(step.op)) return andThen(step, (next) => filter(keep, next));
        now = step.next;
      }
      invariant(false, 'a filter refused every operation', { tries: filterTriesMax });
    },
    update: (context, event) => filter(keep, inner.update(context, event)),
  };
}

/** Asks until one of its own operations ended `ok`. */
export function untilOk(inner: Generator, mine: ReadonlySet<number | 'nemesis'> = new Set()): Generator {
  return {
    op(context) {
      const step = inner.op(context);
      const open = step.kind === 'op' ? new Set(mine).add(step.op.process) : mine;
      return andThen(step, (next) => untilOk(next, open));
    },
    update(context, event) {
      if (event.type === 'ok' && mine.has(event.process)) return nothing;
      return untilOk(inner.update(context, event), mine);
    },
  };
}

/** Ends when one more process than `count` would be used. */
export function processLimit(count: number, inner: Generator): Generator {
  return processLimitFrom(count, new Set(), inner);
}

function processLimitFrom(count: number, seen: ReadonlySet<number | 'nemesis'>, inner: Generator): Generator {
  return {
    op(context) {
      const step = inner.op(context);
      if (step.kind !== 'op') return andThen(step, (next) => processLimitFrom(count, seen, next));
      if (seen.has(step.op.process)) return andThen(step, (next) => processLimitFrom(count, seen, next));
      if (seen.size >= count) return exhausted;
      return andThen(step, (next) => processLimitFrom(count, new Set(seen).add(step.op.process), next));
    },
    update: (context, event) => processLimitFrom(count, seen, inner.update(context, event)),
  };
}

/** Tells `see` of every operation and event on its way. */
export function trace(see: (what: Invocation | Event) => void, inner: Generator): Generator {
  return {
    op(context) {
      const step = inner.op(context);
      if (step.kind === 'op') see(step.op);
      return andThen(step, (next) => trace(see, next));
    },
    update(context, event) {
      see(event);
      return trace(see, inner.update(context, event));
    },
  };
}
