import t from 'tap';
import { type File, PortError } from '../../system/ports.ts';
import { seededRandom } from '../generator/random.ts';
import { Coverage } from './coverage.ts';
import { EventLog } from './event-log.ts';
import { Escape, guarded } from './guard.ts';
import { eventKind, Scheduler, SimProcess } from './scheduler.ts';
import { HardwareClock, SimClock } from './sim-clock.ts';
import { SimDisk } from './sim-disk.ts';
import { calmNetwork, SimNetwork } from './sim-network.ts';

const second = 1_000_000;

function world(seed = 1) {
  const lines: string[] = [];
  const log = new EventLog((line) => lines.push(line));
  const scheduler = new Scheduler(log);
  const random = seededRandom(seed, 'test');
  return { lines, log, scheduler, random };
}

t.test('the scheduler', async (t) => {
  t.test('runs events in the order of time, then of scheduling', async (t) => {
    const { scheduler } = world();
    const process = new SimProcess('1', 1);
    const seen: string[] = [];
    const at = (delay: number, name: string) =>
      scheduler.schedule(delay, eventKind.timer, process, () => seen.push(`${name}@${scheduler.nowUs}`));
    at(20, 'c');
    at(10, 'a');
    at(10, 'b');
    at(15, 'never').cancel();
    await scheduler.run(second);
    t.strictSame(seen, ['a@10', 'b@10', 'c@20']);
  });

  t.test('drains every microtask that an event set off before the next event', async (t) => {
    const { scheduler } = world();
    const process = new SimProcess('1', 1);
    const seen: number[] = [];
    scheduler.schedule(1, eventKind.timer, process, async () => {
      for (let i = 0; i < 50; i++) await null;
      seen.push(1);
    });
    scheduler.schedule(2, eventKind.timer, process, () => seen.push(2));
    await scheduler.run(second);
    t.strictSame(seen, [1, 2]);
  });

  t.test('does the last part of an event after all that the event set off, unless its process died', async (t) => {
    const { scheduler } = world();
    const process = new SimProcess('1', 1);
    const seen: string[] = [];
    scheduler.afterEvent = () => seen.push('over');
    scheduler.schedule(1, eventKind.timer, process, async () => {
      t.ok(scheduler.finishWith(process, () => seen.push(`last: ${scheduler.finishWith(process, () => {})}`)));
      t.notOk(
        scheduler.finishWith(process, () => {}),
        'one last part an event',
      );
      t.notOk(
        scheduler.finishWith(new SimProcess('2', 2), () => {}),
        'nor of another process',
      );
      await null;
      seen.push('microtask');
    });
    scheduler.schedule(2, eventKind.timer, process, () => {
      scheduler.finishWith(process, () => seen.push('never'));
      process.alive = false;
    });
    await scheduler.run(second);
    t.notOk(
      scheduler.finishWith(process, () => {}),
      'there is no event now',
    );
    t.strictSame(seen, ['microtask', 'last: false', 'over', 'over']);
  });

  t.test('holds back what comes to a paused process, and drops what comes to a dead one', async (t) => {
    const { scheduler } = world();
    const process = new SimProcess('1', 1);
    const harness = new SimProcess('harness', 0);
    const seen: string[] = [];
    const at = (delay: number, name: string) =>
      scheduler.schedule(delay, eventKind.timer, process, () => seen.push(`${name}@${scheduler.nowUs}`));
    process.paused = true;
    at(10, 'a');
    const cancelled = at(20, 'cancelled while held back');
    at(30, 'b');
    scheduler.schedule(100, eventKind.harness, harness, () => {
      cancelled.cancel();
      scheduler.resume(process);
      at(50, 'c');
    });
    scheduler.schedule(120, eventKind.harness, harness, () => {
      process.alive = false;
    });
    await scheduler.run(second);
    t.strictSame(seen, ['a@100', 'b@100']);
  });

  t.test('gives the same hash for the same events and another for others', async (t) => {
    const hashOf = async (delay: number) => {
      const { scheduler, log } = world();
      scheduler.schedule(delay, eventKind.timer, new SimProcess('1', 1), () => {});
      await scheduler.run(second);
      return log.hash();
    };
    t.equal(await hashOf(5), await hashOf(5));
    t.not(await hashOf(5), await hashOf(6));
  });

  t.test('takes all of a record into the hash: values, names, order and where a list ends', async (t) => {
    const records: object[] = [
      { value: 1 },
      { value: 2 },
      { value: 1.5 },
      { value: 2 ** 32 + 1 },
      { value: '1' },
      { value: null },
      { value: true },
      { value: false },
      { value: {} },
      { value: [] },
      { value: [1, [2]] },
      { value: [[1], 2] },
      { value: [[1, 2]] },
      { other: 1 },
      { value: { a: 1, b: 2 } },
      { value: { b: 2, a: 1 } },
      { value: { a: 1 }, b: 2 },
    ];
    const hashOf = (record: object) => {
      const { log } = world();
      log.record(record);
      return log.hash();
    };
    t.equal(new Set(records.map(hashOf)).size, records.length);
    t.equal(hashOf({ value: 1, other: undefined }), hashOf({ value: 1 }), 'a field that is not there');
  });

  t.test('gives what was thrown in a tick or a microtask to whoever minds the process', async (t) => {
    const rejecting = (act: () => void) => void Promise.resolve().then(act);
    const ticking = (act: () => void) => process.nextTick(act);
    const queueing = (act: () => void) => queueMicrotask(act);
    for (const defer of [rejecting, ticking, queueing]) {
      const { scheduler } = world();
      const failed: unknown[] = [];
      scheduler.onError = (owner, error) => failed.push(owner.node, error);
      scheduler.schedule(1, eventKind.timer, new SimProcess('1', 1), () =>
        defer(() => {
          throw new RangeError('later');
        }),
      );
      scheduler.schedule(2, eventKind.timer, new SimProcess('2', 2), () => failed.push('next event'));
      await scheduler.run(second);
      t.same(failed, ['1', new RangeError('later'), 'next event']);
    }
  });
});

t.test('a clock', async (t) => {
  t.test('runs at its rate, and armed timers follow a change of it', async (t) => {
    const { scheduler, random } = world();
    const hardware = new HardwareClock(scheduler, 1000);
    const clock = new SimClock(scheduler, new SimProcess('1', 1), hardware, random);
    const harness = new SimProcess('harness', 0);
    const seen: number[] = [];
    clock.setTimer(100, () => seen.push(scheduler.nowUs, clock.monotonicMs()));
    scheduler.schedule(50_000, eventKind.harness, harness, () =>
      hardware.bend({ wallOffsetMs: 0, wallRate: 1, monotonicRate: 2 }),
    );
    await scheduler.run(second);
    t.strictSame(seen, [75_000, 1100], '50 ms at the true rate, then 50 ms twice as fast');
  });

  t.test('jumps in wall time only', async (t) => {
    const { scheduler, random } = world();
    const hardware = new HardwareClock(scheduler, 0);
    const clock = new SimClock(scheduler, new SimProcess('1', 1), hardware, random);
    const before = [clock.wallMs(), clock.monotonicMs()] as const;
    hardware.bend({ wallOffsetMs: -60_000, wallRate: 1, monotonicRate: 1 });
    t.strictSame([clock.wallMs() - before[0], clock.monotonicMs() - before[1]], [-60_000, 0]);
  });
});

t.test('a disk', async (t) => {
  const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);
  const open = () => {
    const { scheduler, random } = world();
    const disk = new SimDisk(random);
    const process = new SimProcess('1', 1);
    return { scheduler, disk, fileSystem: disk.portOf(process, scheduler) };
  };
  const run = async (scheduler: Scheduler, act: () => Promise<void>) => {
    let failure: unknown;
    scheduler.schedule(0, eventKind.harness, new SimProcess('harness', 0), () => {
      act().catch((error: unknown) => {
        failure = error;
      });
    });
    await scheduler.run(10 * second);
    if (failure !== undefined) throw failure;
  };

  /** Writes durably and gives the error's code, `fine`, or `silence` when nothing came back within a second. */
  const durably = (scheduler: Scheduler, file: File, position: number, data: Uint8Array) =>
    new Promise<string>((resolve) => {
      file.writeDurably(position, [data], (error) => resolve(error?.code ?? 'fine'));
      scheduler.schedule(second, eventKind.harness, new SimProcess('harness', 0), () => resolve('silence'));
    });

  t.test('keeps what was synced and loses only what was not', async (t) => {
    let lostSomething = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const { scheduler, random } = world(seed);
      const disk = new SimDisk(random);
      const fileSystem = disk.portOf(new SimProcess('1', 1), scheduler);
      await run(scheduler, async () => {
        const file = await fileSystem.open('log', 'create');
        await fileSystem.syncDirectory('.');
        await new Promise<void>((resolve) => file.writeDurably(0, [bytes(6000, 1), bytes(6000, 2)], () => resolve()));
        await file.write(4000, [bytes(8000, 9)]);
      });
      lostSomething += disk.losePower().bytes;
      const { bytes: content, length } = disk.file('log');
      t.equal(length, 12_000);
      t.ok(
        content.subarray(0, 4000).every((byte) => byte === 1),
        'synced and never overwritten',
      );
      t.ok(content.subarray(4000, 12_000).every((byte, i) => byte === 9 || byte === (i < 2000 ? 1 : 2)));
    }
    t.ok(lostSomething > 0);
  });

  t.test('tears a page only between two sectors, whatever was written in it and when', async (t) => {
    const seams = new Set<number>();
    for (let seed = 1; seed <= 40; seed++) {
      const { scheduler, random } = world(seed);
      const disk = new SimDisk(random);
      const fileSystem = disk.portOf(new SimProcess('1', 1), scheduler);
      await run(scheduler, async () => {
        const file = await fileSystem.open('log', 'create');
        await fileSystem.syncDirectory('.');
        t.equal(await durably(scheduler, file, 0, bytes(4096, 1)), 'fine');
        for (let at = 0; at < 4096; at += 64) await file.write(at, [bytes(64, 2)]);
      });
      disk.losePower();
      const content = disk.file('log').bytes.subarray(0, 4096);
      const seam = content.indexOf(1);
      seams.add(seam);
      t.ok(seam < 0 || (seam % 512 === 0 && content.subarray(seam).every((byte) => byte === 1)), `seam at ${seam}`);
    }
    t.ok(seams.size > 4, 'lost, kept, and torn in several places');
  });

  t.test('loses names whose directory was not synced, and brings replaced files back', async (t) => {
    let gone = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const { scheduler, random } = world(seed);
      const disk = new SimDisk(random);
      const fileSystem = disk.portOf(new SimProcess('1', 1), scheduler);
      await run(scheduler, async () => {
        await fileSystem.open('a', 'create');
        await fileSystem.syncDirectory('.');
        await fileSystem.open('b', 'create');
        await fileSystem.rename('b', 'a');
      });
      disk.losePower();
      t.ok(disk.paths().includes('a'), 'synced');
      if (!disk.paths().includes('b')) gone++;
    }
    t.ok(gone > 0 && gone < 20);
  });

  t.test('is full: only what grows a file is refused, and there is room again', async (t) => {
    const { scheduler, disk, fileSystem } = open();
    await run(scheduler, async () => {
      const file = await fileSystem.open('log', 'create');
      t.equal(await durably(scheduler, file, 0, bytes(1000, 1)), 'fine');
      disk.fail({ type: 'full' });
      t.equal(await durably(scheduler, file, 500, bytes(501, 1)), 'ENOSPC');
      t.equal(await durably(scheduler, file, 500, bytes(500, 1)), 'fine');
      t.equal(disk.met, 1);
      disk.heal();
      t.equal(await durably(scheduler, file, 500, bytes(501, 1)), 'fine');
      await t.rejects(fileSystem.open('missing', 'read'), PortError);
    });
  });

  t.test('fails the sync that was meant; what it covered is in the cache, and may never be more', async (t) => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= 20; seed++) {
      const { scheduler, random } = world(seed);
      const disk = new SimDisk(random);
      const fileSystem = disk.portOf(new SimProcess('1', 1), scheduler);
      await run(scheduler, async () => {
        const file = await fileSystem.open('log', 'create');
        await fileSystem.syncDirectory('.');
        disk.fail({ type: 'sync-error', after: 2 });
        t.equal(await durably(scheduler, file, 0, bytes(4096, 1)), 'fine');
        t.equal(await durably(scheduler, file, 4096, bytes(4096, 2)), 'EIO');
        t.equal(disk.file('log').bytes[4096], 2, 'still in the cache');
        t.equal(await durably(scheduler, file, 8192, bytes(4096, 3)), 'fine', 'and a later sync says that all is well');
      });
      disk.losePower();
      const { bytes: content } = disk.file('log');
      t.same([content[0], content[8192]], [1, 3]);
      outcomes.add(String(content[4096]));
    }
    t.same([...outcomes].sort(), ['0', '2']);
  });

  t.test('a failed sync takes nothing back that another has made durable meanwhile', async (t) => {
    for (let seed = 1; seed <= 20; seed++) {
      const { scheduler, random } = world(seed);
      const disk = new SimDisk(random);
      const fileSystem = disk.portOf(new SimProcess('1', 1), scheduler);
      await run(scheduler, async () => {
        const file = await fileSystem.open('log', 'create');
        await fileSystem.syncDirectory('.');
        disk.fail({ type: 'sync-error', after: 2 });
        const first = durably(scheduler, file, 0, bytes(4096, 1));
        const second = durably(scheduler, file, 4096, bytes(4096, 2));
        const codes = await Promise.all([first, second]);
        t.same(codes.toSorted(), ['EIO', 'fine']);
        disk.losePower();
        if (codes[0] === 'fine') t.equal(disk.file('log').bytes[0], 1);
        else t.same([disk.file('log').bytes[0], disk.file('log').bytes[4096]], [1, 2], 'the second sync covered both');
      });
    }
  });

  t.test('a page that is written to again after a failed sync is durable with the next', async (t) => {
    for (let seed = 1; seed <= 20; seed++) {
      const { scheduler, random } = world(seed);
      const disk = new SimDisk(random);
      const fileSystem = disk.portOf(new SimProcess('1', 1), scheduler);
      await run(scheduler, async () => {
        const file = await fileSystem.open('log', 'create');
        await fileSystem.syncDirectory('.');
        disk.fail({ type: 'sync-error', after: 1 });
        t.equal(await durably(scheduler, file, 0, bytes(100, 1)), 'EIO');
        t.equal(await durably(scheduler, file, 100, bytes(100, 2)), 'fine');
      });
      disk.losePower();
      t.same([disk.file('log').bytes[0], disk.file('log').bytes[100]], [1, 2]);
    }
  });

  t.test('is slow, hangs until it is healed, or lies', async (t) => {
    const { scheduler, disk, fileSystem } = open();
    await run(scheduler, async () => {
      const file = await fileSystem.open('log', 'create');
      await fileSystem.syncDirectory('.');
      disk.fail({ type: 'slow', delayMs: 300 });
      const began = scheduler.nowUs;
      t.equal(await durably(scheduler, file, 0, bytes(10, 1)), 'fine');
      t.ok(scheduler.nowUs - began >= 300_000);
      disk.fail({ type: 'hung' });
      let over = false;
      file.datasync().then(() => {
        over = true;
      });
      t.equal(await durably(scheduler, file, 0, bytes(10, 2)), 'silence');
      t.notOk(over);
      disk.fail({ type: 'lying' });
      t.equal(await durably(scheduler, file, 0, bytes(10, 3)), 'fine');
      t.ok(over, 'what hung went on when that fault ended');
    });
    disk.losePower();
    t.not(disk.file('log').bytes[0], 0);
  });

  for (const at of ['write', 'sync'] as const) {
    t.test(`ends the process in its second ${at}, which hears nothing more`, async (t) => {
      const lengths = new Set<number>();
      for (let seed = 1; seed <= 20; seed++) {
        const { scheduler, random } = world(seed);
        const disk = new SimDisk(random);
        const process = new SimProcess('1', 1);
        const fileSystem = disk.portOf(process, scheduler);
        disk.onDeath = (dying) => {
          dying.alive = false;
        };
        await run(scheduler, async () => {
          const file = await fileSystem.open('log', 'create');
          disk.fail({ type: 'crash', at, after: 2 });
          t.equal(await durably(scheduler, file, 0, bytes(100, 1)), 'fine');
          const second = durably(scheduler, file, 100, bytes(10_000, 2));
          t.ok(process.alive, 'not in the turn that asked for it');
          t.equal(await second, 'silence');
          t.notOk(process.alive);
        });
        lengths.add(disk.file('log').length);
      }
      const sorted = [...lengths].sort((a, b) => a - b);
      t.same(sorted, at === 'sync' ? [10_100] : [100, 4096, 8192, 10_100], 'all of it, or some pages of it');
    });
  }
});

t.test('the network', async (t) => {
  /** Dials from node 1 to node 2 and sends `count` writes; gives what arrived and how it ended. */
  const exchange = async (seed: number, count: number, prepare: (network: SimNetwork) => void) => {
    const { scheduler, random } = world(seed);
    const network = new SimNetwork(scheduler, random);
    const [one, two] = [new SimProcess('1', 1), new SimProcess('2', 2)];
    const arrived: number[] = [];
    const ends: string[] = [];
    const data = (chunk: Uint8Array) => arrived.push(...chunk);
    const closed = (error: PortError | undefined) => ends.push(error?.code ?? 'orderly');
    const listening = network.portOf(two).listen({ host: '2', port: 1 }, (c) => c.handle({ data, closed }));
    await listening;
    prepare(network);
    const connection = network.portOf(one).connect({ host: '2', port: 1 }, { data() {}, closed });
    for (let i = 0; i < count; i++) {
      scheduler.schedule(10_000 * i, eventKind.timer, one, () => connection.write([Uint8Array.of(i)]));
    }
    await scheduler.run(10 * second);
    return { arrived, ends, network };
  };
  const sent = Array.from({ length: 100 }, (_, i) => i);

  t.test('delivers in order', async (t) => {
    t.strictSame((await exchange(1, 100, () => {})).arrived, sent);
  });
  t.test('loses, repeats and reorders whole writes when told to', async (t) => {
    const under = (conditions: object) =>
      exchange(1, 100, (network) => {
        network.conditions = { ...calmNetwork, ...conditions };
      });
    const lossy = (await under({ lose: 2000 })).arrived;
    t.ok(lossy.length < 100 && lossy.length > 50);
    const repeated = (await under({ duplicate: 2000 })).arrived;
    t.ok(repeated.length > 100);
    t.strictSame(
      [...new Set(repeated)].sort((a, b) => a - b),
      sent,
    );
    const reordered = (await under({ reorder: 2000 })).arrived;
    t.notSame(reordered, sent);
    t.strictSame(
      reordered.toSorted((a, b) => a - b),
      sent,
    );
  });
  t.test('a cut link swallows what is sent over it and only that', async (t) => {
    const cut = await exchange(1, 3, (network) => network.cut(new Set(['1>2'])));
    t.strictSame(cut.arrived, []);
    t.strictSame(cut.ends, ['ETIMEDOUT']);
    t.match(cut.network.counters('1', '2'), { passed: 0, dropped: 1 });
    t.strictSame((await exchange(1, 3, (network) => network.cut(new Set(['2>1'])))).arrived, [0, 1, 2]);
  });
});

t.test('coverage tells a log that grew from one whose suffix was replaced', async (t) => {
  const coverage = new Coverage();
  const machine = { number: 1, incarnations: 1 };
  const look = (terms: readonly number[], snapshotIndex = 0) =>
    coverage.look(machine, {
      raft: { lastIndex: terms.length },
      readRounds: terms.length,
      snapshotIndex,
      termAt: (index) => (index > snapshotIndex ? terms[index - 1] : undefined),
    });
  look([1, 1]);
  look([1, 1, 1]);
  t.equal(coverage.counts['log suffixes replaced'], 0);
  look([1, 2, 2, 2]);
  t.equal(coverage.counts['log suffixes replaced'], 1, 'longer, with another term where the end was');
  look([1, 2]);
  t.equal(coverage.counts['log suffixes replaced'], 2, 'shorter');
  look([1, 2, 3, 3], 3);
  t.match(coverage.counts, { 'log suffixes replaced': 2, 'logs compacted': 1, 'read index rounds': 4 });
  coverage.logged('raft', { message: '1 became candidate at term 2' });
  coverage.logged('raft', { message: '1 became candidate at term 3' });
  coverage.logged('raft', { message: '1 became leader at term 3' });
  t.match(coverage.counts, { 'leaders elected': 1, 'elections lost or split': 1 });
});

t.test('the guard names what reached past the ports', async (t) => {
  const escapes: [string, () => unknown][] = [
    ['Date.now', () => Date.now()],
    ['new Date()', () => new Date()],
    ['Math.random', () => Math.random()],
    ['performance.now', () => performance.now()],
    ['setTimeout', () => setTimeout(() => {}, 1)],
    ['setImmediate', () => setImmediate(() => {})],
  ];
  for (const [name, act] of escapes) {
    const swallowing = guarded(async () => {
      try {
        act();
      } catch {
        // A system that swallows exceptions does not hide the escape.
      }
    });
    await t.rejects(swallowing, new Escape(name), name);
  }
  t.equal(await guarded(async () => new Date(0).getTime()), 0, 'arithmetic on dates is no escape');
  t.type(Date.now(), 'number', 'and the doors open again');
});
