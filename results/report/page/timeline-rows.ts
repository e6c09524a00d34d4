import { type Columns, never, outcomes } from '../page-data.ts';
import type { ViewState } from './view.ts';

export const laneHeight = 20;

/** A lane of operations that do not overlap, in order of start. */
export interface Lane {
  /** Set on the first lane of a group. */
  readonly name: string | undefined;
  readonly group: string;
  readonly operations: Uint32Array;
  /** Where in it the first of unknown outcome stands; behind its end when there is none. */
  readonly firstUnknown: number;
}

/** Distributes operations over lanes: grouped by key, process or node, and packed so that none covers another. */
export function lanesOf(columns: Columns, group: ViewState['group'], search: string): Lane[] {
  const of = group === 'key' ? columns.key : group === 'node' ? columns.node : columns.process;
  const groups = new Map<number, number[]>();
  for (let i = 0; i < columns.count; i++) {
    const id = of[i] ?? 0;
    const list = groups.get(id);
    if (list === undefined) groups.set(id, [i]);
    else list.push(i);
  }
  const nameOf = (id: number): string =>
    group === 'process' ? String(id) : plain(columns.strings[id] ?? '') || `no ${group}`;
  const wanted = search.toLowerCase();
  return [...groups]
    .map(([id, list]) => ({ name: nameOf(id), list }))
    .filter(
      ({ name, list }) =>
        wanted === '' || name.toLowerCase().includes(wanted) || list.some((i) => matches(columns, i, wanted)),
    )
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
    .flatMap(({ name, list }) =>
      pack(columns, list).map((operations, i) => ({
        name: i === 0 ? name : undefined,
        group: name,
        operations,
        firstUnknown: firstUnknownOf(columns, operations),
      })),
    );
}

/** Whether an operation's function, values, error or node hold the text, or its number in the history is it. */
function matches(columns: Columns, i: number, wanted: string): boolean {
  if (String(columns.invoke[i]) === wanted) return true;
  for (const column of [columns.f, columns.input, columns.output, columns.error, columns.node]) {
    if ((columns.strings[column[i] ?? 0] ?? '').toLowerCase().includes(wanted)) return true;
  }
  return false;
}

/** A string key is shown without its quotes. */
function plain(json: string): string {
  if (!json.startsWith('"')) return json;
  try {
    return String(JSON.parse(json));
  } catch {
    return json;
  }
}

function pack(columns: Columns, list: readonly number[]): Uint32Array[] {
  const lanes: { free: number; operations: number[] }[] = [];
  for (const i of list) {
    const start = columns.start[i] ?? 0;
    const duration = columns.duration[i] ?? 0;
    // One that never completed fades out, so that what comes after it may share its lane.
    const end = start + (duration === never ? 0 : duration);
    const lane = lanes.find(({ free }) => free <= start);
    if (lane === undefined) lanes.push({ free: end, operations: [i] });
    else {
      lane.free = end;
      lane.operations.push(i);
    }
  }
  return lanes.map(({ operations }) => Uint32Array.from(operations));
}

function firstUnknownOf(columns: Columns, operations: Uint32Array): number {
  const at = operations.findIndex((i) => outcomes[columns.outcome[i] ?? 0] === 'info');
  return at < 0 ? operations.length : at;
}

/** The first operation of a lane that starts at or after a time (in the columns' unit). */
export function firstFrom(columns: Columns, operations: Uint32Array, time: number): number {
  let low = 0;
  let high = operations.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((columns.start[operations[middle] ?? 0] ?? 0) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** As much of a text as there is room for, in characters. */
export function clip(text: string, room: number): string {
  return text.length <= room ? text : `${text.slice(0, Math.max(0, room - 1)).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
