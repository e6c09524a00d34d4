import type { Value } from '../../checker/history/op.ts';
import { exhausted, type Generator } from './generator.ts';

/** An operation that a client thread is to begin at a given time, in nanoseconds of the run. */
export interface ScriptedOp {
  readonly time: number;
  readonly thread: number;
  readonly f: string;
  readonly key?: Value;
  readonly value?: Value;
}

/** Exactly these operations, each by its thread at its time, or as soon as the thread is free. In order of time. */
export function scripted(ops: readonly ScriptedOp[]): Generator {
  const self: Generator = {
    op(context) {
      if (ops.length === 0) return exhausted;
      const at = ops.findIndex(({ thread }) => context.free.includes(thread));
      const op = ops[at];
      if (op === undefined) return { kind: 'pending', next: self };
      return { kind: 'op', op: { ...op, process: context.process(op.thread) }, next: scripted(ops.toSpliced(at, 1)) };
    },
    update: () => self,
  };
  return self;
}
