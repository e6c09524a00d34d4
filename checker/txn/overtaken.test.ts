import fc from 'fast-check';
import t from 'tap';
import { GraphBuilder, RW, RW_LINK } from './graph.ts';
import { overtakenBy } from './overtaken.ts';
import { Search } from './search.ts';

t.test('junctions stand for exactly the edges from every reader to every other writer', (t) => {
  const some = fc.uniqueArray(fc.nat(11), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(some, some, (readers, writers) => {
      const builder = new GraphBuilder(12);
      overtakenBy(builder, readers, writers);
      const graph = builder.build();
      const search = new Search(graph);
      for (let a = 0; a < 12; a++) {
        for (let b = 0; b < 12; b++) {
          const expected = readers.includes(a) && writers.includes(b) && a !== b;
          const found = search.path(
            a,
            (v) => v === b,
            RW | RW_LINK,
            (v) => v >= 12,
            10_000,
          );
          if ((found !== undefined) !== expected) return false;
          // However long the way through junctions, it is one edge.
          if (found !== undefined && found !== 'bound' && found.kinds.filter((kind) => kind === RW).length !== 1)
            return false;
        }
      }
      return true;
    }),
  );
  t.end();
});
