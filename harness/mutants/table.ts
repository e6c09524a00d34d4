import type { Mutant } from './mutant.ts';
import { type Hit, isAmong, type Outcome, type Trial } from './trial.ts';

export interface Row {
  readonly mutant: Pick<Mutant, 'name' | 'breaks' | 'source' | 'seenBy'>;
  readonly trials: readonly Trial[];
}

/** All that a campaign over the mutants came to. */
export interface Table {
  readonly world: 'sim' | 'real';
  readonly started: string;
  readonly budgetMs: number;
  /** Ended by Ctrl-C: rows and runs are missing. */
  readonly interrupted: boolean;
  /** The system as it is, under the same plan. */
  readonly unmutated: Trial;
  readonly rows: readonly Row[];
}

/** Found by the section that its row names, however it was run? */
export function foundByRow({ trials }: Row): boolean {
  return trials.some(({ firstByRow }) => firstByRow !== undefined);
}

/** Is every mutant found for the reason in its row, and the unmutated system without an alarm? */
export function isGood({ rows, unmutated, interrupted }: Table): boolean {
  return !interrupted && rows.every(foundByRow) && unmutated.hits === 0 && unmutated.runs > 0 && !failed(unmutated);
}

function failed({ failures }: Trial): boolean {
  return failures.length > 0;
}

const headings = ['mutant', 'row', 'found by its row', 'how', 'after', 'first found by', 'hits', 'evidence', 'again'];

/** For people: Markdown, a line a mutant, with the unmutated system first. */
export function markdown(table: Table): string {
  const { rows, unmutated, world } = table;
  const found = rows.filter(foundByRow).length;
  const lines = [
    `${found} of ${rows.length} mutants found by the section of their row; unmutated: ${unmutated.hits} alarms in ${unmutated.runs} runs (${unmutated.seconds} s).`,
    '',
    line(headings),
    line(headings.map(() => '---')),
    ...rows.map((row) => line(cells(row, world))),
  ];
  const failures = [unmutated, ...rows.flatMap(({ trials }) => trials)].flatMap((trial) => trial.failures);
  if (failures.length > 0) lines.push('', `${failures.length} runs failed and count for nothing: ${told(failures)}`);
  if (table.interrupted) lines.push('', 'Interrupted: rows and runs are missing.');
  return `${lines.join('\n')}\n`;
}

function cells({ mutant, trials }: Row, world: Table['world']): readonly string[] {
  const trial = trials.find(({ firstByRow }) => firstByRow !== undefined);
  const hit = trial?.firstByRow;
  const first = trials.find((one) => one.first !== undefined)?.first;
  return [
    mutant.name,
    mutant.seenBy.join(', '),
    hit === undefined ? 'no' : 'yes',
    trial?.mode ?? '',
    hit === undefined ? '' : `seed ${hit.seed}, ${hit.seconds} s`,
    first === undefined ? 'nothing' : `${sections(first)} (${first.seconds} s)`,
    trials.map(({ mode, rowHits, hits, runs }) => `${mode}: ${rowHits} (any: ${hits}) of ${runs}`).join('; '),
    evidence(mutant, hit),
    again(mutant, hit ?? first, trial?.mode, world),
  ];
}

function sections({ found }: Hit): string {
  return found.map(({ section }) => section).join(', ');
}

function evidence({ seenBy }: Row['mutant'], hit: Hit | undefined): string {
  return hit?.found.find(({ section }) => isAmong(section, seenBy))?.summary.slice(0, 160) ?? '';
}

/** A command that shows it again; there is none for a run whose assertions were passed over. */
function again(
  { name }: Row['mutant'],
  hit: Hit | undefined,
  mode: Trial['mode'] | undefined,
  world: Table['world'],
): string {
  if (hit === undefined || mode === 'assertions-recorded') return '';
  const { seed, workload } = hit;
  const verb = world === 'sim' ? 'sim --seeds 1' : 'test';
  return `\`splitbrain ${verb} --mutant ${name} --workload ${workload} --seed ${seed}\``;
}

function told(failures: readonly Outcome[]): string {
  const [first] = failures;
  return `seed ${first?.seed}: ${first?.failure}`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')).join(' | ')} |`;
}
