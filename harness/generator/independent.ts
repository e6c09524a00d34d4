import type { Value } from '../../checker/history/op.ts';
import { invariant } from '../invariant.ts';
import { map } from './basic.ts';
import { soonest } from './choice.ts';
import { andThen, exhausted, type Generator, nothing, type Step } from './generator.ts';
import { restrict } from './threads.ts';

/** The key of each number from 0; undefined when there are no more. */
type KeyAt = (number: number) => Value | undefined;

/** Every operation of `each(key)` on that key, one key after another. */
export function sequentialKeys(keyAt: KeyAt, each: (key: Value) => Generator): Generator {
  return sequentialFrom(keyAt, each, 0, nothing);
}

function sequentialFrom(keyAt: KeyAt, each: (key: Value) => Generator, keyNext: number, now: Generator): Generator {
  return {
    op(context) {
      let current = now;
      for (let number = keyNext; ; number++) {
        const step = current.op(context);
        if (step.kind !== 'exhausted') return andThen(step, (next) => sequentialFrom(keyAt, each, number, next));
        const key = keyAt(number);
        if (key === undefined) return exhausted;
        current = onKey(key, each(key));
      }
    },
    update: (context, event) => sequentialFrom(keyAt, each, keyNext, now.update(context, event)),
  };
}

/**
 * Threads in groups of `size`; each group works on a key of its own, and takes the next when it is done with it.
 * Jepsen's independent/concurrent-generator. The number of threads must be a multiple of `size`.
 */
export function concurrentKeys(size: number, keyAt: KeyAt, each: (key: Value) => Generator): Generator {
  return concurrentFrom({ size, keyAt, each }, 0, []);
}

interface Groups {
  readonly size: number;
  readonly keyAt: KeyAt;
  readonly each: (key: Value) => Generator;
}

function concurrentFrom(groups: Groups, keyFirst: number, now: readonly Generator[]): Generator {
  const { size, keyAt, each } = groups;
  const member = (group: number) => (_: unknown, position: number) => Math.floor(position / size) === group;
  return {
    op(context) {
      const { threads } = context;
      invariant(threads.length % size === 0, 'threads cannot be grouped', { threads: threads.length, size });
      let keyNext = keyFirst;
      const asked: Generator[] = [];
      const steps: { key: number; weight: number; step: Step }[] = [];
      for (let group = 0; group < threads.length / size; group++) {
        const own = restrict(context, member(group));
        let current = now[group] ?? nothing;
        let step = current.op(own);
        for (let key = keyAt(keyNext); step.kind === 'exhausted' && key !== undefined; key = keyAt(keyNext)) {
          keyNext++;
          current = onKey(key, each(key));
          step = current.op(own);
        }
        asked.push(current);
        steps.push({ key: group, weight: 1, step });
      }
      // A group whose operation was not the chosen one is asked for it again: it stays as it was asked.
      const rebuild = (changed: ReadonlyMap<number, Generator>) =>
        concurrentFrom(
          groups,
          keyNext,
          asked.map((generator, group) => changed.get(group) ?? generator),
        );
      return soonest(steps, context.random, rebuild);
    },
    update(context, event) {
      const group = Math.floor(context.threads.indexOf(event.thread) / size);
      const own = restrict(context, member(group));
      return concurrentFrom(
        groups,
        keyFirst,
        now.map((generator, at) => (at === group ? generator.update(own, event) : generator)),
      );
    },
  };
}

export interface Rotation {
  /** How many keys are in use at a time. */
  readonly slots: number;
  /** How many operations a key gets before the next key takes its place. */
  readonly opsPerKey: number;
  readonly keyAt: (number: number) => Value;
  /** The operations on the key of that number, without end. */
  readonly each: (number: number) => Generator;
}

/** Any thread on any of a few keys, each operation on one at random; keys are left after some time for fresh ones. */
export function rotatingKeys(rotation: Rotation): Generator {
  const slots = Array.from({ length: rotation.slots }, (_, number) => fresh(rotation, number));
  return rotatingFrom(rotation, slots, rotation.slots);
}

interface Slot {
  readonly key: Value;
  readonly left: number;
  readonly inner: Generator;
}

function fresh({ opsPerKey, keyAt, each }: Rotation, number: number): Slot {
  const key = keyAt(number);
  return { key, left: opsPerKey, inner: onKey(key, each(number)) };
}

function rotatingFrom(rotation: Rotation, slots: readonly Slot[], keyNext: number): Generator {
  const self: Generator = {
    op(context) {
      if (context.free.length === 0) return { kind: 'pending', next: self };
      const at = context.random.below(slots.length);
      const slot = slots[at]!;
      const step = slot.inner.op(context);
      if (step.kind !== 'op') return andThen(step, (inner) => withSlot(at, { ...slot, inner }));
      if (slot.left > 1) return andThen(step, (inner) => withSlot(at, { ...slot, inner, left: slot.left - 1 }));
      return andThen(step, () => rotatingFrom(rotation, slots.with(at, fresh(rotation, keyNext)), keyNext + 1));
    },
    update(context, event) {
      const at = slots.findIndex(({ key }) => key === event.key);
      const slot = slots[at];
      if (slot === undefined) return self;
      const inner = slot.inner.update(context, event);
      return inner === slot.inner ? self : withSlot(at, { ...slot, inner });
    },
  };
  function withSlot(at: number, slot: Slot): Generator {
    return rotatingFrom(rotation, slots.with(at, slot), keyNext);
  }
  return self;
}

function onKey(key: Value, inner: Generator): Generator {
  return map(({ f, value }) => ({ f, key, value }), inner);
}
