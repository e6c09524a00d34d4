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

interface Armed {
  /** In this node's monotonic time. */
  readonly dueMs: number;
  readonly callback: () => void;
  event: ScheduledEvent;
}

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
    const dueMs = this.monotonicMs() + Math.max(0, delayMs);
    const armed: Armed = { dueMs, callback, event: this.#scheduleAt(dueMs, () => this.#fire(armed)) };
    this.#armed.add(armed);
    return {
      cancel: () => {
        armed.event.cancel();
        this.#armed.delete(armed);
      },
    };
  }

  endOfTurn(callback: () => void): void {
    if (this.#random.below(busyTurns) > 0 && this.#scheduler.finishWith(this.#process, callback)) return;
    this.#scheduler.schedule(this.#random.below(turnUsMax), eventKind.turn, this.#process, callback);
  }

  #fire(armed: Armed): void {
    this.#armed.delete(armed);
    armed.callback();
  }

  #scheduleAt(dueMs: number, run: () => void): ScheduledEvent {
    const realMs = (dueMs - this.monotonicMs()) / this.#hardware.monotonicRate;
    return this.#scheduler.schedule(Math.max(0, Math.ceil(realMs * 1000)), eventKind.timer, this.#process, run);
  }

  #rearm(): void {
    for (const armed of this.#armed) {
      armed.event.cancel();
      armed.event = this.#scheduleAt(armed.dueMs, () => this.#fire(armed));
    }
  }
}
