import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { execa } from 'execa';
import fc from 'fast-check';
import t from 'tap';
import type { ClockFault } from '../../nemesis/world.ts';
import { type ClockChange, type Instant, judgeClock } from './clock-proof.ts';
import { BentClock, type TrueClock } from './preload/bent-clock.ts';
import { PreloadControl } from './preload-control.ts';

const straight: ClockFault = { wallOffsetMs: 0, wallRate: 1, monotonicRate: 1 };
const anyFault: fc.Arbitrary<ClockFault> = fc.record({
  wallOffsetMs: fc.integer({ min: -7_200_000, max: 7_200_000 }),
  wallRate: fc.constantFrom(0.5, 0.8, 1, 1.25, 2),
  monotonicRate: fc.constantFrom(0.5, 0.8, 1, 1.25, 2),
});

/** True clocks that are wound by hand, and fire timers on the way. */
class Winder implements TrueClock {
  now = 0;
  #timers: { at: number; callback: () => void }[] = [];

  readonly wallMs = (): number => 1e12 + this.now;
  readonly monotonicMs = (): number => this.now;
  readonly setTimer: TrueClock['setTimer'] = (callback, delayMs) => {
    const timer = { at: this.now + delayMs, callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
      ref: () => {},
      unref: () => {},
    };
  };

  wind(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.now = Math.max(this.now, due.at);
      due.callback();
    }
    this.now = end;
  }
}

t.test('a bent clock', async (t) => {
  t.test('never lets monotonic time go back or jump, whatever is set', async (t) => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyFault, fc.nat(5000))), (steps) => {
        const real = new Winder();
        const clock = new BentClock(real);
        let expected = clock.monotonicMs();
        for (const [fault, ms] of steps) {
          clock.set(fault);
          if (Math.abs(clock.monotonicMs() - expected) > 1e-6) return false;
          real.wind(ms);
          expected += ms * fault.monotonicRate;
        }
        return Math.abs(clock.monotonicMs() - expected) < 1e-6;
      }),
    );
    t.pass();
  });

  t.test('loses no time to the setting itself, which may be interrupted anywhere', async (t) => {
    const real = new Winder();
    const clock = new BentClock({ ...real, monotonicMs: () => real.now++ });
    const behind = () => real.now - clock.monotonicMs();
    const before = behind();
    clock.set({ ...straight, wallOffsetMs: 2000 });
    t.equal(behind(), before);
  });

  t.test('jumps and drifts on the wall, against true time and not against an earlier fault', async (t) => {
    const real = new Winder();
    const clock = new BentClock(real);
    clock.set({ ...straight, wallOffsetMs: -60_000, wallRate: 2 });
    t.equal(clock.wallMs(), 1e12 - 60_000);
    real.wind(1000);
    t.equal(clock.wallMs(), 1e12 - 60_000 + 2000);
    clock.set(straight);
    t.equal(clock.wallMs(), 1e12 + 1000);
  });

  t.test('timers follow monotonic time, also those that were armed before its rate changed', async (t) => {
    const real = new Winder();
    const clock = new BentClock(real);
    const fired: number[] = [];
    clock.timer(() => fired.push(real.now), 100, false).refresh();
    const cancelled = clock.timer(() => fired.push(-1), 100, false).refresh();
    real.wind(50);
    clock.set({ ...straight, monotonicRate: 0.5 });
    cancelled.close();
    real.wind(1000);
    t.same(fired, [150]);
    clock.set({ ...straight, monotonicRate: 2 });
    const every = clock.timer(() => fired.push(real.now), 100, true).refresh();
    real.wind(150);
    every.close();
    real.wind(1000);
    t.same(fired, [150, 1100, 1150, 1200]);
  });
});

t.test('in a process, the Clock port of the system bends with it', async (t) => {
  const port = JSON.stringify(new URL('../../system/real/clock.js', import.meta.url).href);
  const script = `
    import { realClock } from ${port};
    import { createInterface } from 'node:readline';
    const cancelled = realClock.setTimer(10, () => console.log('cancelled'));
    cancelled.cancel();
    realClock.setTimer(3_600_000, () => console.log('an hour'));
    setTimeout(() => {}, 1e9).unref();
    createInterface({ input: process.stdin }).on('line', () => console.log(JSON.stringify({
      wallMs: realClock.wallMs(), monotonicMs: realClock.monotonicMs(), date: +new Date(), hrtime: process.hrtime()[0],
      text: new Date(0).toISOString(), isDate: new Date() instanceof Date && new Date().constructor === Date,
    })));`;
  const preload = new URL('preload/clock.js', import.meta.url).href;
  const child = execa(process.execPath, ['--import', preload, '--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
    buffer: false,
    reject: false,
    env: { NODE_OPTIONS: '', SPLITBRAIN_CLOCK: JSON.stringify({ ...straight, wallOffsetMs: 5000 }) },
  });
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const control = new PreloadControl(child.stdio[3] as unknown as Duplex);
  const read = async () => {
    child.stdin.write('\n');
    return JSON.parse((await lines.next()).value) as {
      [name in 'wallMs' | 'monotonicMs' | 'date' | 'hrtime']: number;
    } & { text: string; isDate: boolean };
  };

  const first = await read();
  t.ok(Math.abs(first.wallMs - Date.now() - 5000) < 2500, 'bent from the start');
  t.equal(first.text, '1970-01-01T00:00:00.000Z');
  t.ok(first.isDate);

  await control.tell('clock', { ...straight, wallOffsetMs: -3_600_000 }, 5000);
  const jumped = await read();
  t.ok(Math.abs(jumped.wallMs - Date.now() + 3_600_000) < 2500);
  t.ok(Math.abs(jumped.date - jumped.wallMs) < 1000);
  t.ok(jumped.monotonicMs - first.monotonicMs < 60_000, 'monotonic time did not jump');

  const hourBefore = process.hrtime.bigint();
  await control.tell('clock', { ...straight, monotonicRate: 36_000 }, 5000);
  t.equal((await lines.next()).value, 'an hour', 'a timer that was armed before fires early');
  t.ok(process.hrtime.bigint() - hourBefore < 30_000_000_000n);
  const late = await read();
  t.ok(late.monotonicMs - jumped.monotonicMs >= 3_500_000);
  t.ok(Math.abs(late.hrtime - late.monotonicMs / 1000) < 3600);
});

t.test('a judge of clocks', async (t) => {
  const delayMs = fc.double({ min: 0, max: 30, noNaN: true });
  /** A node whose clocks obey `actual` from the setting on, read with any delays; judged as if `asked` had been set. */
  const scenario = (asked: 'after' | 'before') =>
    fc
      .record({
        before: anyFault,
        after: anyFault,
        delays: fc.array(delayMs, { minLength: 8, maxLength: 8 }),
        gapMs: fc.nat(2000),
      })
      .map(({ before, after, delays, gapMs }) => {
        const d = (at: number): number => delays[at]!;
        const beforeSet = 1000;
        const referenceAt = beforeSet + 1000 + d(0);
        const setAt = referenceAt + d(1) + d(2);
        const readAt = setAt + d(3) + gapMs + d(4);
        const instant = (from: number, to: number): Instant => ({
          wallMs: [1e12 + from, 1e12 + to],
          monotonicMs: [from, to],
        });
        const actual = asked === 'after' ? after : before;
        const since = asked === 'after' ? setAt : beforeSet;
        const change: ClockChange = {
          before,
          beforeSetAt: instant(beforeSet, beforeSet),
          after,
          setAt: instant(setAt - d(5), setAt + d(3)),
          reference: {
            at: instant(referenceAt - d(0), referenceAt + d(1)),
            wallMs: 1e12 + referenceAt + before.wallOffsetMs + (before.wallRate - 1) * (referenceAt - beforeSet),
            monotonicMs: 500 + referenceAt * before.monotonicRate,
          },
        };
        const reading = {
          at: instant(readAt - d(6), readAt + d(7)),
          wallMs: 1e12 + readAt + actual.wallOffsetMs + (actual.wallRate - 1) * (readAt - since),
          monotonicMs:
            500 +
            (asked === 'after'
              ? setAt * before.monotonicRate + (readAt - setAt) * after.monotonicRate
              : readAt * before.monotonicRate),
        };
        return judgeClock(change, reading);
      });

  t.test('never refutes what was done', async (t) => {
    fc.assert(fc.property(scenario('after'), (verdict) => verdict !== 'refuted'));
    t.pass();
  });

  t.test('never proves what was not done', async (t) => {
    fc.assert(fc.property(scenario('before'), (verdict) => verdict !== 'proven'));
    t.pass();
  });
});
