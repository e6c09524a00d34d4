import { checkWatch } from '../../checker/durability/watch.ts';
import type { Value } from '../../checker/history/op.ts';
import { assign, type Event, type Generator, type Step } from '../generator/generator.ts';
import { finalWritesAndReads } from './final-reads.ts';
import type { Workload } from './workload.ts';

const watchersCount = 3;
/** One operation of so many is a watch, when a watcher is free. */
const watchEvery = 5;

/** A watcher listens for a while, ends, and is resumed by whatever process comes next, on whatever node. */
interface Watcher {
  /** A new one takes the place of one whose next revision is no longer kept. */
  readonly name: string;
  readonly from: number | null;
  readonly busy: boolean;
}

/** Writes that tell their revisions, and watchers that must be told of each of them once, in order. */
export const watch: Workload = {
  name: 'watch',
  about: 'watches: every change in order, once, none missed, resumed on any node',
  generator: ({ keys }) =>
    watching(
      keys,
      1,
      Array.from({ length: watchersCount }, (_, at) => ({ name: `watcher ${at}`, from: null, busy: false })),
    ),
  final: finalWritesAndReads('write'),
  check: (history) => ({ watch: checkWatch(history) }),
};

function watching(keys: number, valueNext: number, watchers: readonly Watcher[]): Generator {
  const self: Generator = {
    op(context): Step {
      const { random } = context;
      const free = watchers.find(({ busy }) => !busy);
      const isWatch = free !== undefined && random.below(watchEvery) === 0;
      const op = assign(
        context,
        isWatch
          ? { f: 'watch', value: { watcher: free.name, from: free.from, prefix: 'w' } }
          : { f: 'write', key: `w${random.below(keys)}`, value: valueNext },
      );
      if (op === undefined) return { kind: 'pending', next: self };
      return { kind: 'op', op, next: isWatch ? self : watching(keys, valueNext + 1, watchers) };
    },
    update(_, event) {
      if (event.f !== 'watch') return self;
      const { watcher: name } = fieldsOf(event.value);
      return watching(
        keys,
        valueNext,
        watchers.map((one) => (one.name === name ? after(one, event) : one)),
      );
    },
  };
  return self;
}

function after(watcher: Watcher, { type, value, error }: Event): Watcher {
  if (type === 'invoke') return { ...watcher, busy: true };
  if (error === 'compacted') return { name: `${watcher.name}, again`, from: null, busy: false };
  const { events } = fieldsOf(value);
  const last = type === 'ok' && Array.isArray(events) ? (events as readonly Value[]).at(-1) : undefined;
  const revision = Array.isArray(last) ? last[0] : undefined;
  return { ...watcher, from: typeof revision === 'number' ? revision + 1 : watcher.from, busy: false };
}

function fieldsOf(value: Value | undefined): { readonly [name: string]: Value } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as { readonly [name: string]: Value })
    : {};
}
