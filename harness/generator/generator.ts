import type { OpType, Value } from '../../checker/history/op.ts';
import type { Random } from './random.ts';

/** Who carries out operations: client threads count from 0. */
export type Thread = number | 'nemesis';

/** What to do, before it is decided who does it and when. */
export interface Template {
  readonly f: string;
  readonly key?: Value | undefined;
  readonly value?: Value | undefined;
}

/** An operation that a generator asks for. */
export interface Invocation extends Template {
  readonly thread: Thread;
  readonly process: number | 'nemesis';
  /**
   * When it is meant to begin, in nanoseconds of the run's time. Later than now: wait. Earlier than now: it is
   * late, because no thread was free, and whoever measures latency should count from here.
   */
  readonly time: number;
}

/** Something that happened: an invocation was sent (`invoke`), or it came to an end. */
export interface Event extends Template {
  readonly type: OpType;
  readonly time: number;
  readonly thread: Thread;
  readonly process: number | 'nemesis';
  readonly error?: string | undefined;
}

/** What a generator can know when it is asked. */
export interface Context {
  /** Nanoseconds since the start of the run. */
  readonly time: number;
  readonly random: Random;
  /** The threads in view, and those of them that have nothing to do, both in a fixed order. */
  readonly threads: readonly Thread[];
  readonly free: readonly Thread[];
  /** The process that a thread now is. */
  process(thread: Thread): number | 'nemesis';
}

/** What a generator answers. */
export type Step =
  /** While waiting for the operation's time: ask again at `at`, where that is given; another may be sooner then. */
  | { readonly kind: 'op'; readonly op: Invocation; readonly next: Generator; readonly at?: number | undefined }
  /** Nothing now: ask again after the next event, and at `at` at the latest, where that is given. */
  | { readonly kind: 'pending'; readonly next: Generator; readonly at?: number | undefined }
  /** Nothing ever again. */
  | { readonly kind: 'exhausted' };

/**
 * A schedule of operations, as Jepsen's pure generators: an immutable value that is asked for the next operation
 * and told of everything that happens; both give the generator to go on with. An operation that was asked for
 * may be thrown away (another was sooner, or something happened while waiting for its time): only then `next` is
 * not used, and nothing has changed but the numbers drawn.
 */
export interface Generator {
  op(context: Context): Step;
  /** An event of a thread in view. */
  update(context: Context, event: Event): Generator;
}

export const exhausted: Step = { kind: 'exhausted' };

/** The generator that has nothing to do. */
export const nothing: Generator = { op: () => exhausted, update: () => nothing };

/** Rewraps what is to be asked next, whether or not there was an operation. */
export function andThen(step: Step, wrap: (next: Generator) => Generator): Step {
  // Field by field, here and wherever each operation passes: an object that is spread costs the engine much more.
  switch (step.kind) {
    case 'op':
      return { kind: 'op', op: step.op, next: wrap(step.next), at: step.at };
    case 'pending':
      return { kind: 'pending', next: wrap(step.next), at: step.at };
    case 'exhausted':
      return step;
  }
}

/** Gives a template to a free thread chosen at random, to begin now; undefined when none is free. */
export function assign(context: Context, template: Template): Invocation | undefined {
  const { free } = context;
  if (free.length === 0) return undefined;
  const thread = free[context.random.below(free.length)]!;
  const { f, key, value } = template;
  return { f, key, value, time: context.time, thread, process: context.process(thread) };
}
