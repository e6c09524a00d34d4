import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FileDamage } from './file-damage.ts';

const written = Buffer.concat([Buffer.alloc(512, 'a'), Buffer.alloc(512, 'b'), Buffer.alloc(512, 'c')]);
/** A log is laid out with zeros ahead. */
const log = Buffer.concat([written, Buffer.alloc(1000)]);

/** @param draws what is drawn, and then 0 */
function nodeWith(t: Test, draws: number[]) {
  const folder = t.testdir({ data: { wal: { '1.wal': log, 'next.tmp': 'not a log' }, snapshots: {} } });
  const path = join(folder, 'data', 'wal', '1.wal');
  return {
    damage: new FileDamage('1', folder, join(folder, 'data'), () => draws.shift() ?? 0),
    read: () => readFileSync(path),
    exists: () => existsSync(path),
  };
}

t.test('a bit, an end, a sector, each in what was written', async (t) => {
  const flipped = nodeWith(t, [0, 700, 3]);
  t.match(flipped.damage.apply({ file: 'log', how: 'flip' }), {
    effect: 'proven',
    proof: { file: 'wal/1.wal', offset: 700 },
  });
  t.same([...flipped.read()].filter((byte, at) => byte !== log[at]).length, 1);

  const truncated = nodeWith(t, [0, 700]);
  t.match(truncated.damage.apply({ file: 'log', how: 'truncate' }), { effect: 'proven', proof: { offset: 700 } });
  t.equal(truncated.read().length, 700);

  const misdirected = nodeWith(t, [0, 700, 2]);
  t.match(misdirected.damage.apply({ file: 'log', how: 'misdirect' }), { effect: 'proven', proof: { offset: 512 } });
  t.equal(misdirected.read().toString('latin1', 0, 1536), `${'a'.repeat(512)}${'c'.repeat(1024)}`);

  t.match(nodeWith(t, []).damage.apply({ file: 'snapshot', how: 'flip' }), { effect: 'moot' });
  t.match(
    nodeWith(t, [0, 700, 1]).damage.apply({ file: 'log', how: 'misdirect' }),
    { effect: 'moot' },
    'the same bytes',
  );
});

t.test('old snapshots are put back in place of newer ones, and the newer ones again', async (t) => {
  const folder = t.testdir({
    data: { wal: { '1.wal': log }, snapshots: { '1-10.snapshot': 'old', 'x.tmp': 'unfinished' } },
  });
  const snapshots = join(folder, 'data', 'snapshots');
  const damage = new FileDamage('1', folder, join(folder, 'data'), () => 0);
  const old = { file: 'snapshot', how: 'old' } as const;
  damage.served();
  t.match(damage.apply(old), { effect: 'moot' }, 'there are no newer ones yet');
  rmSync(join(snapshots, '1-10.snapshot'));
  writeFileSync(join(snapshots, '2-20.snapshot'), 'new');
  t.match(damage.apply(old), { effect: 'proven', proof: { putBack: '1-10.snapshot', gone: '2-20.snapshot' } });
  t.strictSame(readdirSync(snapshots), ['1-10.snapshot', 'x.tmp']);
  t.ok(damage.isRefusal('node 1 cannot start: snapshots at byte 0: the log begins after entry 19'));
  damage.apply({ file: 'snapshot', how: 'restore' });
  t.strictSame(readdirSync(snapshots), ['2-20.snapshot', 'x.tmp']);
});

t.test('what a node refuses because of it is known, and it can be taken back until the node serves', async (t) => {
  const { damage, read, exists } = nodeWith(t, [0, 10]);
  t.throws(() => damage.apply({ file: 'log', how: 'restore' }), /never was/);
  damage.apply({ file: 'log', how: 'truncate' });
  t.ok(damage.isRefusal('node 1 cannot start: wal/1.wal at byte 10: …'));
  t.notOk(damage.isRefusal('node 1 cannot start: wal/2.wal at byte 10: …'));
  t.match(damage.apply({ file: 'log', how: 'restore' }), { effect: 'proven' });
  t.same(read(), log);
  t.notOk(damage.isRefusal('node 1 cannot start: wal/1.wal at byte 10: …'));
  damage.apply({ file: 'log', how: 'flip' });
  damage.served();
  t.throws(() => damage.apply({ file: 'log', how: 'restore' }), /has served/);
  t.notOk(damage.isWiped);
  t.match(damage.wipe(), { effect: 'proven' });
  t.ok(damage.isWiped);
  t.notOk(exists());
});
