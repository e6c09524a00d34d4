import type { Mutant } from './mutant.ts';
import { type Hit, isAmong, isSwarm, type Outcome, type Trial } from './trial.ts';

export interface Row {
  readonly mutant: Pick<Mutant, 'name' | 'breaks' | 'source' | 'isOwn' | 'seenBy'>;
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

const headings = ['mutant', 'row', 'as it runs', 'assertions recorded: its row', 'evidence', 'again'];

/** For people: Markdown, a line a mutant, with the unmutated system first. */
export function markdown(table: Table): string {
  const { rows, unmutated, world } = table;
  const [listed, own] = [rows.filter(({ mutant }) => !mutant.isOwn), rows.filter(({ mutant }) => mutant.isOwn)];
  const found = (some: readonly Row[], what: string) =>
    `${some.filter(foundByRow).length} of ${some.length} ${what} found by the section of their row`;
  const counts = [found(listed, 'mutants'), ...(own.length === 0 ? [] : [found(own, 'of our own')])].join(', ');
  const lines = [
    `${counts}; unmutated: ${unmutated.hits} alarms in ${unmutated.runs} runs (${unmutated.seconds} s).`,
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
  const byRow = trials.find(({ firstByRow }) => firstByRow !== undefined)?.firstByRow;
  const asItRuns = trials.find(({ mode }) => mode === 'as-it-runs');
  const recorded = trials.find(({ mode }) => mode === 'assertions-recorded');
  return [
    mutant.name,
    mutant.seenBy.join(', '),
    asItRuns === undefined ? '' : came(asItRuns, asItRuns.first, asItRuns.hits),
    recorded === undefined ? '' : came(recorded, recorded.firstByRow, recorded.rowHits),
    evidence(mutant, byRow),
    again(mutant, asItRuns?.firstByRow ?? asItRuns?.first, world),
  ];
}

function came({ runs, seconds }: Trial, hit: Hit | undefined, hits: number): string {
  if (hit === undefined) return `no: 0 of ${runs} in ${seconds} s`;
  return `${sections(hit)}: ${hits} of ${runs}, ${hit.seconds} s (seed ${hit.seed})`;
}

function sections({ found }: Hit): string {
  return found.map(({ section }) => section).join(', ');
}

function evidence({ seenBy }: Row['mutant'], hit: Hit | undefined): string {
  return hit?.found.find(({ section }) => isAmong(section, seenBy))?.summary.slice(0, 160) ?? '';
}

/** A command that shows again how it was found as it runs. */
function again({ name }: Row['mutant'], hit: Hit | undefined, world: Table['world']): string {
  if (hit === undefined) return '';
  const { seed, workload } = hit;
  const verb = world === 'sim' ? 'sim --seeds 1' : `test${isSwarm(seed) ? ' --nemesis swarm' : ''}`;
  return `\`splitbrain ${verb} --mutant ${name} --workload ${workload} --seed ${seed}\``;
}

function told(failures: readonly Outcome[]): string {
  const [first] = failures;
  return `seed ${first?.seed}: ${first?.failure}`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')).join(' | ')} |`;
}
