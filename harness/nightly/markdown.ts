import type { Summary } from './summary.ts';

const signs = { green: '🟢 green', red: '🔴 red', unknown: '🟡 unknown' } as const;

/** A page for a CI job: the verdict first, then what went wrong, then the rest. */
export function markdownOf(night: Summary): string {
  const { colour, reasons, groups, canaries, cells, mutant, coverage } = night;
  const missed = Object.entries(coverage).flatMap(([name, count]) => (count === 0 ? [name] : []));
  const parts = [
    `# Night ${night.id}: ${signs[colour]}`,
    `${sum(cells.map(runsOf))} runs, ${sum(cells.map(({ operations }) => operations)).toLocaleString('en')} operations, ${minutes(night.usedMs)} of ${minutes(night.budgetMs)}, code ${night.code}, seed ${night.seed}${mutant === null ? '' : `, planted bug **${plain(mutant)}**`}.`,
    ...(reasons.length === 0
      ? []
      : [`Not green because:\n\n${reasons.map((reason) => `- ${plain(reason)}`).join('\n')}`]),
    ...(groups.length === 0 ? [] : ['## Violations', ...groups.map(groupText)]),
    '## Canaries',
    table(
      ['canary', 'must', 'as it should be', 'told'],
      canaries.map(({ name, must, good, told }) => [name, must, good ? 'yes' : '**no**', told]),
    ),
    '## Runs',
    table(
      ['what', 'valid', 'invalid', 'unknown', 'operations', 'time'],
      cells.map((cell) => [
        cell.name,
        ...[cell.valid, cell.invalid, cell.unknown, cell.operations].map(String),
        minutes(cell.tookMs),
      ]),
    ),
    ...(missed.length === 0 ? [] : [`No seed came to: ${missed.map(plain).join(', ')}.`]),
  ];
  return `${parts.join('\n\n')}\n`;
}

function groupText({ signature, count, first, last, summary, examples }: Summary['groups'][number]): string {
  const [smallest] = examples;
  const lines = [
    `### ${plain(signature)}`,
    `${count} ${count === 1 ? 'run' : 'runs'}, first ${first.slice(0, 10)}, last ${last.slice(0, 10)}. ${plain(summary)}`,
  ];
  if (smallest !== undefined) {
    const { shrunk, replay, command } = smallest;
    const size =
      shrunk === undefined
        ? 'Not shrunk.'
        : `Shrunk to ${shrunk.operations} operations, ${shrunk.faults} faults, ${shrunk.nodes} nodes.`;
    lines.push(`${size} Came back in ${replay.cameBack} of ${replay.times}. Again:\n\n    ${command}`);
  }
  return lines.join('\n\n');
}

function runsOf({ valid, invalid, unknown }: Summary['cells'][number]): number {
  return valid + invalid + unknown;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(plain).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Nothing from a run becomes markup. */
function plain(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/[\\`<>|[\]]/g, (character) => `\\${character}`);
}

function minutes(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
