import type { Value } from '../../checker/history/op.ts';
import type { Anomaly } from '../../checker/verdict.ts';
import { describe, type Operation, shorten, show } from './operation.ts';
import { seconds } from './picture/lanes.ts';
import type { Block, Scene } from './story.ts';

const rowsMax = 40;
const linesMax = 80;
const factMax = 2000;

/** What is told of an anomaly's evidence beyond `used`: lists of records become tables, lists of lines stay so, the rest are facts. */
export function evidenceBlocks({ evidence }: Anomaly, used: ReadonlySet<string>, scene: Scene): Block[] {
  const facts: string[][] = [];
  const blocks: Block[] = [];
  for (const [name, value] of Object.entries(evidence)) {
    if (used.has(name)) continue;
    if (Array.isArray(value) && value.length > 0 && value.every(isRecord)) {
      blocks.push(recordTable(words(name), value.filter(isRecord), scene));
    } else if (Array.isArray(value) && value.length > 0 && /lines/i.test(name)) {
      blocks.push({
        type: 'lines',
        title: words(name),
        lines: value.slice(0, linesMax).map((line) => shorten(String(line), factMax)),
      });
    } else {
      facts.push([words(name), factOf(name, value, scene)]);
    }
  }
  if (facts.length > 0) blocks.unshift({ type: 'table', title: 'Evidence', columns: ['fact', 'value'], rows: facts });
  return blocks;
}

type Facts = { readonly [name: string]: Value };

/** A row a record; where one names a command by its operation id, what the command was. */
export function recordTable(title: string, records: readonly Facts[], { byOp }: Scene): Block {
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const commandOf = ({ op }: Facts): Operation | undefined => (typeof op === 'string' ? byOp.get(op) : undefined);
  const withCommands = records.some((record) => commandOf(record) !== undefined);
  return {
    type: 'table',
    title,
    columns: [...names.map((name) => words(name).toLowerCase()), ...(withCommands ? ['command'] : [])],
    rows: records.slice(0, rowsMax).map((record) => {
      const command = commandOf(record);
      return [
        ...names.map((name) => plain(record[name] ?? null)),
        ...(withCommands ? [command === undefined ? '' : commandText(command)] : []),
      ];
    }),
  };
}

/** `write 5 on key x`. */
export function commandText(operation: Operation): string {
  const asked = describe({ ...operation, outcome: 'info' }, { most: 300 });
  return operation.key === undefined ? asked : `${asked} on key ${show(operation.key)}`;
}

/** In evidence, numbers may be times, or places in the history: these are said as what stands there. */
const places = new Set(['reader', 'writer', 'read', 'write', 'known', 'missingFrom', 'shownBy', 'other']);

function factOf(name: string, value: Value, { byIndex, timed }: Scene): string {
  if (typeof value === 'number') {
    if (/^time$|Ns$/.test(name) && timed) return seconds(value);
    if (/Ms$/.test(name)) return `${value.toLocaleString('en')} ms`;
    const operation = places.has(name) ? byIndex.get(value) : undefined;
    if (operation !== undefined) return `${describe(operation, { most: 300 })} (history ${value})`;
  }
  return plain(value);
}

function plain(value: Value): string {
  if (value === null) return 'none';
  if (typeof value === 'string') return shorten(value, factMax);
  // A list of names reads best with commas; what is nested keeps its brackets.
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object')) {
    return value.length === 0 ? 'none' : shorten(value.join(', '), factMax);
  }
  return show(value, factMax);
}

/** Names in evidence that say too little by themselves. */
const named: { readonly [name: string]: string } = {
  op: 'Operation id',
  f: 'Function',
  at: 'Where it stands in the log',
  lackedBy: 'Nodes that lack it',
  variants: 'What stands there',
  claims: 'What each node says its state is',
  fromNs: 'From',
  untilNs: 'Until',
  boundMs: 'Bound',
};

function words(name: string): string {
  const known = named[name];
  if (known !== undefined) return known;
  const spaced = name
    .replace(/(Ns|Ms)$/, '')
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll(/[-_]/g, ' ')
    .toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

function isRecord(value: Value): value is Facts {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
