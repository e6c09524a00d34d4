import { assign, type Generator } from '../generator/generator.ts';

/** `f` of this number, of the next, and so on without end. */
export function numbered(f: string, value: number): Generator {
  const self: Generator = {
    op(context) {
      const op = assign(context, { f, value });
      return op === undefined ? { kind: 'pending', next: self } : { kind: 'op', op, next: numbered(f, value + 1) };
    },
    update: () => self,
  };
  return self;
}
