import t from 'tap';
import type { Clock } from '../ports.ts';
import { Deadlines, Waiting } from './deadlines.ts';

/** A clock that goes from timer to timer. */
function steppedClock() {
  let nowMs = 0;
  const armed = new Map<object, { readonly dueMs: number; readonly callback: () => void }>();
  const clock: Clock = {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    setTimer(delayMs, callback) {
      const timer = { cancel: () => void armed.delete(timer) };
      armed.set(timer, { dueMs: nowMs + delayMs, callback });
      return timer;
    },
    endOfTurn: (callback) => callback(),
  };
  /** Each timer goes off so much too late. @returns how many did until then */
  function runUntil(endMs: number, lateMs = 0): number {
    for (let fired = 0; ; fired++) {
      const [next] = [...armed].sort(([, a], [, b]) => a.dueMs - b.dueMs);
      if (next === undefined || next[1].dueMs > endMs) return fired;
      armed.delete(next[0]);
      nowMs = next[1].dueMs + lateMs;
      next[1].callback();
    }
  }
  return { clock, runUntil };
}

class Noted extends Waiting {
  readonly #expired: (deadlineMs: number) => void;
  constructor(deadlineMs: number, expired: (deadlineMs: number) => void) {
    super(deadlineMs);
    this.#expired = expired;
  }
  expire(): void {
    this.#expired(this.deadlineMs);
  }
}

t.test('whoever still waits at its deadline is told within 20 ms, the earliest first', async (t) => {
  const { clock, runUntil } = steppedClock();
  const deadlines = new Deadlines(clock);
  const expired: { readonly deadlineMs: number; readonly atMs: number }[] = [];
  const note = (deadlineMs: number) => void expired.push({ deadlineMs, atMs: clock.monotonicMs() });
  for (const deadlineMs of [505, 100, 101, 990]) deadlines.add(new Noted(deadlineMs, note));
  runUntil(2000);
  t.same(
    expired.map(({ deadlineMs }) => deadlineMs),
    [100, 101, 505, 990],
  );
  for (const { deadlineMs, atMs } of expired) t.ok(atMs >= deadlineMs && atMs <= deadlineMs + 20, `${deadlineMs}`);
});

t.test('those that were answered before cost no timers', async (t) => {
  const { clock, runUntil } = steppedClock();
  const deadlines = new Deadlines(clock);
  const answered: Waiting[] = [];
  for (let at = 1; at <= 50; at++) {
    const waiting = new Noted(at * 20, () => t.fail('it was answered'));
    deadlines.add(waiting);
    answered.push(waiting);
  }
  for (const waiting of answered) waiting.leave();
  t.equal(runUntil(5000), 1, 'the timer that was armed for the first');
});

t.test('one that expires may answer another that is due, too', async (t) => {
  const { clock, runUntil } = steppedClock();
  const deadlines = new Deadlines(clock);
  const second = new Noted(40, () => t.fail('it was answered'));
  let told = 0;
  const first = new Noted(20, () => {
    told++;
    second.leave();
  });
  deadlines.add(first);
  deadlines.add(second);
  runUntil(1000, 100);
  t.equal(told, 1);
});
