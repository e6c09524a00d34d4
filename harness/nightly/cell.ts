import type { Config } from './config.ts';

/** One combination of the matrix: target × workload × faults × world. */
export interface Cell {
  /** `sim/register/swarm`, `real/kvstore/append/partition+kill`: what it is known by from night to night. */
  readonly name: string;
  readonly world: 'sim' | 'real';
  readonly target: string;
  readonly flags: readonly string[];
  readonly workload: string;
  /** Kinds, or `swarm`; null: what the world does when it is not told, which is drawing from each seed in `sim`. */
  readonly faults: readonly string[] | null;
}

/** The whole matrix, in the order of the configuration. */
export function cellsOf({ sim, real }: Config): readonly Cell[] {
  const simulated = (sim?.workloads ?? []).flatMap((workload) =>
    (sim?.faults ?? []).map((set): Cell => {
      const faults = typeof set === 'string' ? null : set;
      const name = `sim/${workload}/${named(set)}`;
      return { name, world: 'sim', target: 'kvstore', flags: [], workload, faults };
    }),
  );
  const processes = (real?.targets ?? []).flatMap((target) =>
    (real?.workloads ?? []).flatMap((workload) =>
      (real?.faults ?? []).map((set): Cell => {
        const faults = set === 'default' ? null : set === 'swarm' ? [set] : set;
        const flavour = [target.name, ...target.flags].join(' ');
        const name = `real/${flavour}/${workload}/${named(set)}`;
        return { name, world: 'real', target: target.name, flags: target.flags, workload, faults };
      }),
    ),
  );
  return [...simulated, ...processes];
}

function named(set: string | readonly string[]): string {
  if (typeof set === 'string') return set;
  return set.length === 0 ? 'none' : set.join('+');
}

/** What earlier nights say of a cell. */
export interface Past {
  /** Cells in which something was found or unknown in the last nights. */
  readonly troubled: ReadonlySet<string>;
  /** Cells that passed with the code as it is now. */
  readonly passedWithThisCode: ReadonlySet<string>;
}

const weights = { usual: 1, changed: 3, troubled: 6 } as const;

/** Most of a night goes to what failed lately, then to what has not passed yet with this code. */
function weightOf({ name }: Cell, past: Past): number {
  if (past.troubled.has(name)) return weights.troubled;
  return past.passedWithThisCode.has(name) ? weights.usual : weights.changed;
}

/** Time spent on each cell, so that each gets its share. */
export class Shares {
  readonly #cells: readonly { readonly cell: Cell; readonly weight: number }[];
  readonly #spentMs = new Map<string, number>();

  constructor(cells: readonly Cell[], past: Past) {
    this.#cells = cells.map((cell) => ({ cell, weight: weightOf(cell, past) }));
  }

  /** The cell that has had least of its share; of equal ones the first. Undefined when there are none. */
  next(): Cell | undefined {
    let best: { readonly cell: Cell; readonly share: number } | undefined;
    for (const { cell, weight } of this.#cells) {
      const share = this.#spent(cell.name) / weight;
      if (best === undefined || share < best.share) best = { cell, share };
    }
    return best?.cell;
  }

  /** Charges a job when it begins with what it is expected to take, and at its end with what it took beyond that. */
  charge(cell: string, ms: number): void {
    this.#spentMs.set(cell, this.#spent(cell) + ms);
  }

  #spent(cell: string): number {
    return this.#spentMs.get(cell) ?? 0;
  }
}
