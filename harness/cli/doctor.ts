import type { Argv } from 'yargs';
import { kindsOf, type Missing, mechanisms, type Power } from '../cluster/mechanisms.ts';
import { exitCodes } from './exit.ts';

/** One way to do faults, and whether it is there. */
interface Row {
  readonly power: Power;
  readonly kinds: readonly string[];
  readonly mechanism: string;
  readonly how: string;
  readonly missing: Missing | undefined;
  /** The one that a run takes unless it is told otherwise. */
  readonly chosen: boolean;
}

const builder = (yargs: Argv) =>
  yargs.option('json', { describe: 'Print the table as JSON', type: 'boolean', default: false });

export const doctorCommand = {
  builder,
  handler: doctor,
};

/** Looks at each mechanism by doing something small; gives the exit code: unknown when some faults have none. */
async function doctor({ json }: Awaited<ReturnType<typeof builder>['argv']>): Promise<number> {
  const powers = Object.keys(mechanisms) as Power[];
  const rows = (await Promise.all(powers.map(rowsOf))).flat();
  const without = powers.filter((power) => !rows.some((row) => row.power === power && row.chosen));
  if (json) console.log(JSON.stringify({ mechanisms: rows, without: without.flatMap(kindsOf) }));
  else console.log(table(rows, without));
  return without.length === 0 ? exitCodes.valid : exitCodes.unknown;
}

async function rowsOf(power: Power): Promise<readonly Row[]> {
  const probed = await Promise.all(
    mechanisms[power].map(async ({ name, how, probe }) => ({ mechanism: name, how, missing: await probe() })),
  );
  const best = probed.findIndex(({ missing }) => missing === undefined);
  return probed.map((row, at) => ({ power, kinds: kindsOf(power), ...row, chosen: at === best }));
}

function table(rows: readonly Row[], without: readonly Power[]): string {
  const lines = rows.map(({ kinds, mechanism, how, missing, chosen }) => [
    kinds.join(', '),
    mechanism,
    missing === undefined ? (chosen ? 'there' : 'there, not first') : 'missing',
    missing === undefined ? how : remedy(missing),
  ]);
  const header = ['faults', 'mechanism', 'here', ''];
  const widths = header.map((_, column) => Math.max(...[header, ...lines].map((line) => line[column]!.length)));
  const told = [header, ...lines].map((line) => line.map((cell, column) => cell.padEnd(widths[column]!)).join('  '));
  const end =
    without.length === 0 ? 'every fault can be done here' : `cannot be done here: ${without.flatMap(kindsOf)}`;
  return [...told.map((line) => line.trimEnd()), '', end].join('\n');
}

function remedy({ reason, install, needsRoot }: Missing): string {
  const steps = [...(install ? [`apt-get install ${install}`] : []), ...(needsRoot ? ['needs root'] : [])];
  return steps.length === 0 ? reason : `${reason}: ${steps.join(', ')}`;
}
