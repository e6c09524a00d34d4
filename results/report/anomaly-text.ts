import { type Operation, shorten } from './operation.ts';
import type { Page } from './page-model.ts';
import { placeEvents } from './picture/place-events.ts';
import type { Block, Story } from './story.ts';

const width = 100;
const nameMax = 40;
const cellMax = 70;
const lastCellMax = 400;

/** The whole story in plain text, for a terminal or an issue. */
export function anomalyText({ page }: Page, byIndex: ReadonlyMap<number, Operation>): string {
  const { test, results, stories } = page;
  const verdict = results.valid === false ? 'VIOLATION' : results.valid === true ? 'VALID' : 'UNKNOWN';
  const lines = [
    `${verdict}: ${page.headline}`,
    `${test.name}${test.world === 'history' ? '' : `, seed ${test.seed}, started ${test.started}`}; ${page.counts.operations} operations (${page.counts.ok} ok, ${page.counts.fail} failed, ${page.counts.info} unknown)`,
    '',
    ...results.sections.map(({ name, valid, summary }) => `${mark(valid)} ${name.padEnd(13)} ${summary}`),
    '',
    ...stories.flatMap((story, i) => storyLines(story, i, stories.length, byIndex)),
    ...(page.notChecked.length === 0 ? [] : ['Not checked:', ...page.notChecked.map((text) => `  - ${text}`), '']),
    ...page.commands.map(({ purpose, command }) => `${purpose}: ${command}`),
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

function mark(valid: boolean | 'unknown'): string {
  return valid === true ? '[ok]' : valid === false ? '[NO]' : '[??]';
}

function storyLines(story: Story, i: number, count: number, byIndex: ReadonlyMap<number, Operation>): string[] {
  return [
    `${'='.repeat(width)}`,
    `Anomaly ${i + 1} of ${count}: ${story.kind}${story.key === undefined ? '' : ` on key ${story.key}`}`,
    story.message,
    `Broken promise: ${story.promise}`,
    '',
    ...laneLines(story, byIndex),
    ...story.blocks.flatMap(blockLines),
  ];
}

const lanesMax = 40;

/** A lane a process, in the order of events: `|--- write 5 ---|`; `~>` where the outcome never became known. */
function laneLines({ operations: indices, labels }: Story, byIndex: ReadonlyMap<number, Operation>): string[] {
  const named = new Map(indices.map((invoke, i) => [invoke, shorten(labels[i] ?? '', nameMax)]));
  const operations = indices.map((index) => byIndex.get(index)).filter((operation) => operation !== undefined);
  if (operations.length === 0 || operations.length > lanesMax) return [];
  const nameOf = ({ invoke }: Operation): string => named.get(invoke) ?? '';
  const { places, end } = placeEvents(operations, (operation) => [...nameOf(operation)].length + 1, 3);
  const column = (index: number): number => places.get(index) ?? end;
  // In the order in which they come into the story.
  const processes = [...new Set(operations.map(({ process }) => process))];
  const lines = processes.map((process) => {
    const cells = new Array<string>(end + 2).fill(' ');
    for (const operation of operations.filter((other) => other.process === process)) {
      const open = operation.complete === undefined || operation.outcome === 'info';
      const from = column(operation.invoke);
      const to = open ? end : column(operation.complete ?? operation.invoke);
      for (let at = from; at <= to; at++) cells[at] = open ? '~' : '-';
      cells[from] = '|';
      cells[to] = open ? '>' : '|';
      const name = nameOf(operation);
      const room = to - from - 1;
      const text = [...name].length <= room ? name : [...name].slice(0, Math.max(0, room)).join('');
      for (const [at, character] of [...text].entries()) cells[from + 1 + at] = character;
    }
    return `process ${String(process).padEnd(5)} ${cells.join('').trimEnd()}`;
  });
  return ['What the clients saw, in order of events:', ...lines, ''];
}

function blockLines(block: Block): string[] {
  switch (block.type) {
    case 'text':
      return [...(block.title === undefined ? [] : [`${block.title}:`]), `  ${block.text}`, ''];
    case 'lines':
      return [`${block.title}:`, ...block.lines.map((line) => `  ${line}`), ''];
    case 'links':
      return [`${block.title}: ${block.paths.join(', ')}`, ''];
    case 'picture':
      return [];
    case 'table': {
      const last = block.columns.length - 1;
      const rows = [block.columns, ...block.rows].map((row) =>
        row.map((cell, i) => shorten(cell.replaceAll('\n', '; '), i === last ? lastCellMax : cellMax)),
      );
      const widths = block.columns.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
      return [
        `${block.title}:`,
        ...rows.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd()),
        '',
      ];
    }
  }
}

/** What a terminal would take for a command, and what would turn the line around, is shown as its code. */
function printable(line: string): string {
  return line.replaceAll(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the very characters that must go
    /[\u0000-\u0008\u000A-\u001F\u007F-\u009F\u200E\u200F\u202A-\u202E\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
