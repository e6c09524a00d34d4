import type { Clock, Timer } from '../../system/ports.ts';
import type { Random } from '../generator/random.ts';
import { eventKind, type ScheduledEvent, type Scheduler, type SimProcess } from './scheduler.ts';

/**
 * One turn in so many gathers input for a while, at most that long, as a busy process does. The others end with the
 * event that began them, as those of a process that has nothing else to do.
 */
const busyTurns = 4;
const turnUsMax = 200;

/** 2026-01-01, so that wall times look like wall times. */
export const wallOriginMs = 1_767_225_600_000;

/**
 * A node's hardware clock: it goes on while the process is dead, so it outlives processes. Rates are those of
 * quartz gone bad; monotonic time never jumps.
 */
export class HardwareClock {
  readonly #scheduler: Scheduler;
  #sinceUs = 0;
  #monotonicMs: number;
  #monotonicRate = 1;
  #wallMs = wallOriginMs;
  #wallRate = 1;
  onRateChange: (() => void) | undefined;

  /** @param bootMs how long ago the machine booted, so that no two nodes' monotonic clocks agree */
  constructor(scheduler: Scheduler, bootMs: number) {
    this.#scheduler = scheduler;
    this.#monotonicMs = bootMs;
  }

  get monotonicRate(): number {
    return this.#monotonicRate;
  }

  monotonicMs(): number {
    return this.#monotonicMs + ((this.#scheduler.nowUs - this.#sinceUs) * this.#monotonicRate) / 1000;
  }

  wallMs(): number {
    return Math.floor(this.#wallMs + ((this.#scheduler.nowUs - this.#sinceUs) * this.#wallRate) / 1000);
  }

  /** Wall time becomes true time plus the offset and goes on at its rate; monotonic time only changes its rate. */
  bend(fault: { readonly wallOffsetMs: number; readonly wallRate: number; readonly monotonicRate: number }): void {
    this.#monotonicMs = this.monotonicMs();
    this.#wallMs = wallOriginMs + this.#scheduler.nowUs / 1000 + fault.wallOffsetMs;
    this.#sinceUs = this.#scheduler.nowUs;
    this.#wallRate = fault.wallRate;
    this.#monotonicRate = fault.monotonicRate;
    this.onRateChange?.();
  }
}

/** The Clock port of one process over its node's hardware. */
export class SimClock implements Clock {
  readonly #scheduler: Scheduler;
  readonly #process: SimProcess;
  readonly #hardware: HardwareClock;
  readonly #random: Random;
  readonly #armed = new Set<Armed>();

  constructor(scheduler: Scheduler, process: SimProcess, hardware: HardwareClock, random: Random) {
    this.#scheduler = scheduler;
    this.#process = process;
    this.#hardware = hardware;
    this.#random = random;
    hardware.onRateChange = () => this.#rearm();
  }

  monotonicMs(): number {
    return this.#hardware.monotonicMs();
  }

  wallMs(): number {
    return this.#hardware.wallMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const armed = new Armed(this.#armed, this.monotonicMs() + Math.max(0, delayMs), callback);
    this.#arm(armed);
    this.#armed.add(armed);
    return armed;
  }

  endOfTurn(callback: () => void): void {
    if (this.#random.below(busyTurns) > 0 && this.#scheduler.finishWith(this.#process, callback)) return;
    this.#scheduler.schedule(this.#random.below(turnUsMax), eventKind.turn, this.#process, callback);
  }

  #arm(armed: Armed): void {
    const realMs = (armed.dueMs - this.monotonicMs()) / this.#hardware.monotonicRate;
    const delayUs = Math.max(0, Math.ceil(realMs * 1000));
    armed.event = this.#scheduler.schedule(delayUs, eventKind.timer, this.#process, armed.fire);
  }

  #rearm(): void {
    for (const armed of this.#armed) {
      armed.event?.cancel();
      this.#arm(armed);
    }
  }
}

/** A timer that has not fired. */
class Armed implements Timer {
  /** In this node's monotonic time. */
  readonly dueMs: number;
  event: ScheduledEvent | undefined;
  readonly fire: () => void;
  readonly #among: Set<Armed>;

  constructor(among: Set<Armed>, dueMs: number, callback: () => void) {
    this.#among = among;
    this.dueMs = dueMs;
    this.fire = () => {
      among.delete(this);
      callback();
    };
  }

  cancel(): void {
    this.event?.cancel();
    this.#among.delete(this);
  }
}
