import t from 'tap';
import { type File, PortError } from '../../system/ports.ts';
import { eventKind, type Scheduler, SimProcess } from './scheduler.ts';
import { SimDisk } from './sim-disk.ts';
import { emptyWorld, second } from './testing-world.ts';

t.test('a disk', async (t) => {
  const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);
  const open = (seed = 1) => {
    const { scheduler, random } = emptyWorld(seed);
    const disk = new SimDisk(random);
    const process = new SimProcess('1', 1);
    return { scheduler, disk, process, fileSystem: disk.portOf(process, scheduler) };
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
      const { scheduler, disk, fileSystem } = open(seed);
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
      const { scheduler, disk, fileSystem } = open(seed);
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
      const { scheduler, disk, fileSystem } = open(seed);
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
      const { scheduler, disk, fileSystem } = open(seed);
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
      const { scheduler, disk, fileSystem } = open(seed);
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
      const { scheduler, disk, fileSystem } = open(seed);
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
        const { scheduler, disk, process, fileSystem } = open(seed);
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
