import type { Effect, Link } from '../../nemesis/world.ts';
import type { LinkCounts, LinkTable } from './links.ts';

/** Senders write a ping every 100 ms; a restarted one first has to dial again. */
const proofTimeoutMs = 5000;

/** A link that was cut, and its counts then. */
interface CutLink {
  readonly link: Link;
  readonly at: LinkCounts;
}

/**
 * Cuts links and proves it by the frames that the proxies counted: on a cut link some must be dropped and none
 * passed, on a healed one some must be passed. A link with an end that is down or paused cannot show it: moot. A link
 * that both ends should be writing on and that shows nothing at all is ineffective: the traffic goes another way.
 */
export class CutProver {
  readonly #links: LinkTable;
  readonly #isUp: (node: string) => boolean;
  #cut: readonly CutLink[] = [];

  constructor(links: LinkTable, isUp: (node: string) => boolean) {
    this.#links = links;
    this.#isUp = isUp;
  }

  async cut(links: readonly Link[], mechanism: string): Promise<Effect> {
    const leaked = this.#cut.filter(({ link, at }) => this.#counts(link).passed > at.passed);
    const healed = this.#cut.filter(({ link }) => !links.some((other) => isSame(link, other)));
    const droppedUntilHeal = healed.length > 0 ? { framesDroppedUntilHeal: this.#since(healed, 'dropped') } : {};
    this.#links.cut(links);
    const kept = this.#cut.filter(({ link }) => links.some((other) => isSame(link, other)));
    this.#cut = links.map((link) => kept.find((other) => isSame(other.link, link)) ?? { link, at: this.#counts(link) });
    const watched = [
      ...this.#cut.map(({ link }) => ({ link, cut: true, from: this.#counts(link) })),
      ...healed.map(({ link }) => ({ link, cut: false, from: this.#counts(link) })),
    ];
    const shows = ({ link, cut, from }: (typeof watched)[number]): boolean =>
      cut ? this.#counts(link).dropped > from.dropped : this.#counts(link).passed > from.passed;
    const isMoot = ({ link }: { readonly link: Link }): boolean => !this.#isUp(link.from) || !this.#isUp(link.to);
    const passed = ({ link, at }: CutLink): boolean => this.#counts(link).passed > at.passed;
    const asked = this.#cut;
    const waitedMs = await this.#links.until(
      () => this.#cut !== asked || this.#cut.some(passed) || watched.every((one) => shows(one) || isMoot(one)),
      proofTimeoutMs,
    );

    if (this.#cut !== asked) {
      const proof = { linksCut: links.length, reason: 'others were cut a moment later' };
      return { effect: leaked.length > 0 ? 'ineffective' : 'moot', mechanism, proof };
    }
    const passing = this.#cut.filter(passed);
    const silent = watched.filter((one) => !shows(one) && !isMoot(one));
    const proven = watched.filter(shows);
    const bad = [...leaked, ...silent, ...passing].map(({ link }) => `${link.from}>${link.to}`);
    return {
      effect: bad.length > 0 ? 'ineffective' : proven.length > 0 ? 'proven' : 'moot',
      mechanism,
      proof: {
        linksCut: links.length,
        linksHealed: healed.length,
        linksProven: proven.length,
        linksMoot: watched.length - proven.length - silent.length,
        ...droppedUntilHeal,
        framesDropped: this.#since(this.#cut, 'dropped'),
        framesPassedOnCutLinks: this.#since(this.#cut, 'passed'),
        framesPassedAfterHeal: watched
          .filter(({ cut }) => !cut)
          .reduce((sum, { link, from }) => sum + this.#counts(link).passed - from.passed, 0),
        waitedMs: Math.round(waitedMs),
        ...(bad.length > 0 && { ineffectiveLinks: [...new Set(bad)].join(' ') }),
      },
    };
  }

  #since(cut: readonly CutLink[], what: 'dropped' | 'passed'): number {
    return cut.reduce((sum, { link, at }) => sum + this.#counts(link)[what] - at[what], 0);
  }

  #counts({ from, to }: Link): LinkCounts {
    return this.#links.counts(from, to);
  }
}

function isSame(a: Link, b: Link): boolean {
  return a.from === b.from && a.to === b.to;
}
