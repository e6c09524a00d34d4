import { soonest } from './choice.ts';
import { andThen, type Context, exhausted, type Generator, type Thread } from './generator.ts';

/** Only the threads that `has` names ask `inner`, and only their events reach it. */
export function onThreads(has: (thread: Thread) => boolean, inner: Generator): Generator {
  const self: Generator = {
    op: (context) => andThen(inner.op(restrict(context, has)), (next) => onThreads(has, next)),
    update(context, event) {
      if (!has(event.thread)) return self;
      const next = inner.update(restrict(context, has), event);
      return next === inner ? self : onThreads(has, next);
    },
  };
  return self;
}

/** Only client threads. */
export function clients(inner: Generator): Generator {
  return onThreads((thread) => thread !== 'nemesis', inner);
}

/** Only the nemesis. */
export function nemesis(inner: Generator): Generator {
  return onThreads((thread) => thread === 'nemesis', inner);
}

/** Each thread has an `each` of its own. Exhausted when all of them are. */
export function eachThread(each: Generator): Generator {
  return eachThreadFrom(each, new Map());
}

function eachThreadFrom(fresh: Generator, own: ReadonlyMap<Thread, Generator>): Generator {
  return {
    op(context) {
      const steps = context.threads.map((thread) => {
        const alone = restrict(context, (other) => other === thread);
        return { key: thread, weight: 1, step: (own.get(thread) ?? fresh).op(alone) };
      });
      return soonest(steps, context.random, (changed) => eachThreadFrom(fresh, new Map([...own, ...changed])));
    },
    update(context, event) {
      const alone = restrict(context, (other) => other === event.thread);
      const next = (own.get(event.thread) ?? fresh).update(alone, event);
      return eachThreadFrom(fresh, new Map(own).set(event.thread, next));
    },
  };
}

/**
 * The first `count` threads of each part are for its generator alone, in order; all others for `rest`.
 * Of several that could go now, one is chosen with the odds of its number of threads.
 */
export function reserve(parts: readonly (readonly [count: number, inner: Generator])[], rest: Generator): Generator {
  const lanes: { readonly from: number; readonly to: number; readonly inner: Generator }[] = [];
  let from = 0;
  for (const [count, inner] of parts) {
    lanes.push({ from, to: from + count, inner });
    from += count;
  }
  lanes.push({ from, to: Number.POSITIVE_INFINITY, inner: rest });
  return reserveLanes(lanes);
}

function reserveLanes(
  lanes: readonly { readonly from: number; readonly to: number; readonly inner: Generator }[],
): Generator {
  return {
    op(context) {
      const steps = lanes.map(({ from, to, inner }, key) => {
        const own = restrict(context, (_, position) => position >= from && position < to);
        return { key, weight: own.threads.length, step: inner.op(own) };
      });
      return soonest(steps, context.random, (changed) =>
        reserveLanes(lanes.map((lane, key) => ({ ...lane, inner: changed.get(key) ?? lane.inner }))),
      );
    },
    update(context, event) {
      const position = context.threads.indexOf(event.thread);
      const next = lanes.map((lane) => {
        if (position < lane.from || position >= lane.to) return lane;
        const own = restrict(context, (_, at) => at >= lane.from && at < lane.to);
        return { ...lane, inner: lane.inner.update(own, event) };
      });
      return reserveLanes(next);
    },
  };
}

/** Waits until every thread in view has nothing to do, then goes on as `inner`. */
export function synchronize(inner: Generator): Generator {
  const self: Generator = {
    op: (context) =>
      context.free.length === context.threads.length ? inner.op(context) : { kind: 'pending', next: self },
    update: (context, event) => synchronize(inner.update(context, event)),
  };
  return self;
}

/** One after another, each as soon as the one before has nothing more to ask. */
export function sequence(...inner: readonly Generator[]): Generator {
  return {
    op(context) {
      for (const [at, now] of inner.entries()) {
        const step = now.op(context);
        if (step.kind !== 'exhausted') return andThen(step, (next) => sequence(next, ...inner.slice(at + 1)));
      }
      return exhausted;
    },
    update(context, event) {
      const [now, ...later] = inner;
      return now === undefined ? sequence() : sequence(now.update(context, event), ...later);
    },
  };
}

/** One after another, each when all of the one before has ended. */
export function phases(...inner: readonly Generator[]): Generator {
  return sequence(...inner.map(synchronize));
}

/** `first`, and when all of it has ended, `second`. */
export function then(first: Generator, second: Generator): Generator {
  return sequence(first, synchronize(second));
}

/** The context as only these threads see it. */
export function restrict(context: Context, has: (thread: Thread, position: number) => boolean): Context {
  const threads = context.threads.filter(has);
  const inView = new Set(threads);
  return {
    time: context.time,
    random: context.random,
    threads,
    free: context.free.filter((thread) => inView.has(thread)),
    process: (thread) => context.process(thread),
  };
}
