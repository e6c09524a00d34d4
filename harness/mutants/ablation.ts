import type { Mutant } from './mutant.ts';
import { type SimulatedRuns, simulatedRuns } from './simulated-runs.ts';
import { isAmong, type Trial } from './trial.ts';

/** What one kind of fault alone shows of a mutant. */
export interface Ablated {
  readonly mutant: string;
  readonly seenBy: Mutant['seenBy'];
  readonly kind: string;
  readonly trial: Pick<Trial, 'runs' | 'rowHits' | 'bySection'>;
}

/** Seeds for each mutant and kind. */
const seedsEach = 4;

/**
 * Which fault, and which checker, each mutant needs: every kind of fault alone, the same few seeds each. What no kind
 * shows alone may need several.
 */
export async function* ablation(
  mutants: readonly Mutant[],
  kinds: readonly string[],
  given: Pick<SimulatedRuns, 'workers' | 'budgetMs' | 'signal'>,
): AsyncGenerator<Ablated> {
  for (const mutant of mutants) {
    for (const kind of kinds) {
      if (given.signal.aborted) return;
      const trial = await simulatedRuns({ ...given, mutant, mode: 'as-it-runs', faults: [kind], seeds: seedsEach });
      yield { mutant: mutant.name, seenBy: mutant.seenBy, kind, trial };
    }
  }
}

/** For people: Markdown, a line a mutant; the kinds that show most come first. */
export function ablationMarkdown(cells: readonly Ablated[]): string {
  const names = [...new Set(cells.map(({ mutant }) => mutant))];
  const lines = names.map((name) => {
    const own = cells.filter(({ mutant }) => mutant === name).sort((a, b) => b.trial.rowHits - a.trial.rowHits);
    const byRow = own.filter(({ trial }) => trial.rowHits > 0);
    const others = own.filter(({ trial }) => trial.rowHits === 0 && Object.keys(trial.bySection).length > 0);
    const nothing = own.filter(({ trial }) => Object.keys(trial.bySection).length === 0);
    const checkers = new Set(own.flatMap(({ trial }) => Object.keys(trial.bySection)));
    const cellsOf = [
      name,
      byRow.map(({ kind, trial }) => `${kind} ${trial.rowHits}/${trial.runs}`).join(', '),
      others.map(({ kind, trial }) => `${kind} (${Object.keys(trial.bySection).join(', ')})`).join(', '),
      [...checkers].map((section) => (isAmong(section, own[0]?.seenBy ?? []) ? `**${section}**` : section)).join(', '),
      `${nothing.length} of ${own.length}`,
    ];
    return `| ${cellsOf.join(' | ')} |`;
  });
  const head = '| mutant | its row sees it with | others see it with | checkers | kinds that show nothing |';
  return [head, '| --- | --- | --- | --- | --- |', ...lines, ''].join('\n');
}
