import t from 'tap';
import type { Event } from '../generator/generator.ts';
import { seededRandom } from '../generator/random.ts';
import { watch } from './watch.ts';

t.test('a watcher goes on where it ended, and begins anew where that is no longer kept', async (t) => {
  const context = {
    time: 0,
    random: seededRandom(1, 'test'),
    threads: [0],
    free: [0],
    process: () => 0,
  };
  let generator = watch.generator({ keys: 2, opsPerKey: 100 });
  const next = () => {
    for (;;) {
      const step = generator.op(context);
      if (step.kind !== 'op') throw new Error('it never ends');
      generator = step.next;
      const { f, value } = step.op;
      tell('invoke', f, value);
      if (f === 'watch') return value;
    }
  };
  const tell = (type: Event['type'], f: string, value: Event['value'], error?: string) => {
    generator = generator.update(context, { type, f, value, error, time: 0, thread: 0, process: 0 });
  };
  const first = next();
  t.same(first, { watcher: 'watcher 0', from: null, prefix: 'w' });
  t.match(next(), { watcher: 'watcher 1' }, 'not one that listens');
  tell('ok', 'watch', {
    ...(first as object),
    events: [
      [4, 'w0', 1],
      [6, 'w1', 2],
    ],
  });
  t.match(next(), { watcher: 'watcher 0', from: 7 });
  tell('fail', 'watch', first, 'timeout');
  t.match(next(), { watcher: 'watcher 0', from: 7 }, 'what was not answered is asked again');
  tell('ok', 'watch', { ...(first as object), events: [] });
  t.match(next(), { watcher: 'watcher 0', from: 7 }, 'nothing was told');
  tell('fail', 'watch', first, 'compacted');
  t.match(next(), { watcher: 'watcher 0, again', from: null });
});
