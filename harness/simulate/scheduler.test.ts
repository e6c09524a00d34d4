import t from 'tap';
import { eventKind, SimProcess } from './scheduler.ts';
import { HardwareClock, SimClock } from './sim-clock.ts';
import { emptyWorld, second } from './testing-world.ts';

t.test('the scheduler', async (t) => {
  t.test('runs events in the order of time, then of scheduling', async (t) => {
    const { scheduler } = emptyWorld();
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
    const { scheduler } = emptyWorld();
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
    const { scheduler } = emptyWorld();
    const process = new SimProcess('1', 1);
    const seen: string[] = [];
    scheduler.afterEvent = () => seen.push('over') > 0;
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
    const { scheduler } = emptyWorld();
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
      const { scheduler, log } = emptyWorld();
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
      const { log } = emptyWorld();
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
      const { scheduler } = emptyWorld();
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
    const { scheduler, random } = emptyWorld();
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
    const { scheduler, random } = emptyWorld();
    const hardware = new HardwareClock(scheduler, 0);
    const clock = new SimClock(scheduler, new SimProcess('1', 1), hardware, random);
    const before = [clock.wallMs(), clock.monotonicMs()] as const;
    hardware.bend({ wallOffsetMs: -60_000, wallRate: 1, monotonicRate: 1 });
    t.strictSame([clock.wallMs() - before[0], clock.monotonicMs() - before[1]], [-60_000, 0]);
  });
});
