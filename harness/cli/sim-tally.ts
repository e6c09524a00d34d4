import type { Outcome } from '../simulate/worker.ts';

/** Adds up seeds. */
export class Tally {
  seeds = 0;
  invalid = 0;
  unknown = 0;
  #events = 0;
  #operations = 0;
  #virtualMs = 0;
  #lastHash = '';
  readonly #coverage = new Map<string, number>();

  add({ valid, events, operations, virtualMs, eventHash, coverage }: Outcome): void {
    for (const [name, count] of Object.entries(coverage)) {
      this.#coverage.set(name, (this.#coverage.get(name) ?? 0) + count);
    }
    this.seeds++;
    if (valid === false) this.invalid++;
    if (valid === 'unknown') this.unknown++;
    this.#events += events;
    this.#operations += operations;
    this.#virtualMs += virtualMs;
    this.#lastHash = eventHash;
  }

  get lastHash(): string {
    return this.#lastHash;
  }

  facts(elapsedMs: number) {
    const { seeds, invalid, unknown } = this;
    const seconds = elapsedMs / 1000;
    return {
      seeds,
      invalid,
      unknown,
      operations: this.#operations,
      virtualS: Math.round(this.#virtualMs / 1000),
      realS: Number(seconds.toFixed(1)),
      seedsPerS: Number((seeds / seconds).toFixed(2)),
      virtualPerReal: Math.round(this.#virtualMs / elapsedMs),
      eventsPerS: Math.round(this.#events / seconds),
      coverage: Object.fromEntries(this.#coverage),
    };
  }

  /** What the seeds went through, and what none of them did. */
  coverageLines(): string[] {
    const all = [...this.#coverage];
    const reached = all.filter(([, count]) => count > 0).map(([name, count]) => `${count} ${name}`);
    const missed = all.filter(([, count]) => count === 0).map(([name]) => name);
    return [
      `went through: ${reached.join(', ')}`,
      ...(missed.length > 0 ? [`no seed came to: ${missed.join(', ')}`] : []),
    ];
  }

  line(elapsedMs: number): string {
    const f = this.facts(elapsedMs);
    return `${f.realS} s  ${f.seeds} seeds (${f.seedsPerS}/s)  ${f.virtualS} s virtual (${f.virtualPerReal} x)  ${f.eventsPerS} events/s  ${f.operations} ok  ${f.invalid} invalid, ${f.unknown} unknown`;
  }
}
