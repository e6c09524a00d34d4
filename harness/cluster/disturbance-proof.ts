import type { Disturbance, Effect, Link } from '../../nemesis/world.ts';
import type { LinkCounts, LinkTable } from './links.ts';

const proofTimeoutMs = 5000;

/** What is counted when that part of a disturbance takes effect. */
const counters = {
  delayMs: 'delayed',
  jitterMs: 'delayed',
  lossPercent: 'lost',
  duplicatePercent: 'duplicated',
  reorderPercent: 'overtaken',
  bytesPerS: 'delayed',
} as const;

/**
 * Disturbs links and proves it by the frames that the proxies counted: each thing that was asked for must be seen to
 * happen on some of the links. Links with an end that is down or paused carry nothing: when all are such, it is moot.
 */
export class DisturbanceProver {
  readonly #links: LinkTable;
  readonly #isUp: (node: string) => boolean;
  #disturbed: readonly Link[] = [];
  /** The counts of the disturbed links when that began: the record of its end has the whole. */
  #began: LinkCounts | undefined;

  constructor(links: LinkTable, isUp: (node: string) => boolean) {
    this.#links = links;
    this.#isUp = isUp;
  }

  async disturb(links: readonly Link[], disturbance: Disturbance, mechanism: string): Promise<Effect> {
    const ended = links.length === 0;
    const watched = ended ? this.#disturbed : links;
    this.#disturbed = links;
    this.#links.disturb(links, disturbance);
    const before = this.#sum(watched);
    if (!ended) this.#began = before;
    const began = this.#began ?? before;
    const asked = ended
      ? (['passed'] as const)
      : (Object.keys(counters) as (keyof Disturbance)[])
          .filter((part) => disturbance[part] > 0)
          .map((part) => counters[part]);
    const unseen = (): readonly string[] => {
      const now = this.#sum(watched);
      return asked.filter((what) => now[what] === before[what]);
    };
    const canShow = (): boolean => watched.some(({ from, to }) => this.#isUp(from) && this.#isUp(to));
    const waitedMs = await this.#links.until(() => unseen().length === 0 || !canShow(), proofTimeoutMs);

    const missing = unseen();
    const now = this.#sum(watched);
    const happened = Object.entries(now).map(([what, count]) => [what, count - began[what as keyof LinkCounts]]);
    return {
      effect: missing.length === 0 ? (asked.length > 0 ? 'proven' : 'moot') : canShow() ? 'ineffective' : 'moot',
      mechanism,
      proof: {
        links: links.length,
        ...(ended ? {} : disturbance),
        ...Object.fromEntries(happened),
        waitedMs: Math.round(waitedMs),
        ...(missing.length > 0 && { missing: missing.join(' ') }),
      },
    };
  }

  #sum(links: readonly Link[]): LinkCounts {
    const sum = { passed: 0, dropped: 0, delayed: 0, lost: 0, duplicated: 0, overtaken: 0 };
    for (const { from, to } of links) {
      const counts = this.#links.counts(from, to);
      for (const what of Object.keys(sum) as (keyof LinkCounts)[]) sum[what] += counts[what];
    }
    return sum;
  }
}
