import type { ProcessRecord } from '../store/schema.ts';
import type { LogLine } from './log-line.ts';
import type { Down, Leadership } from './page-data.ts';

/**
 * Who led when, as the nodes' logs tell it. A leadership ends when the node logs a later role, when its process
 * ends, or with the run: a leader that was cut off goes on until it notices, which is the point of the picture.
 */
export function leaderships(
  logs: ReadonlyMap<string, readonly LogLine[]>,
  processes: ReadonlyMap<string, readonly ProcessRecord[]>,
  endNs: number,
): Leadership[] {
  const found: Leadership[] = [];
  for (const [node, lines] of logs) {
    let current: { term: number; from: number } | undefined;
    const close = (to: number): void => {
      const from = current?.from ?? to;
      const exit = (processes.get(node) ?? []).find((record) => record.type === 'exit' && record.time > from);
      // One that began with the last thing that happened is as long as nothing, and still was.
      const until = Math.max(from, Math.min(to, exit?.time ?? to));
      if (current !== undefined) found.push({ node, ...current, to: until });
      current = undefined;
    };
    for (const line of lines) {
      const { time } = line;
      const leading = leads(node, line);
      if (time === undefined || leading === undefined) continue;
      const term = typeof line.fields.term === 'number' ? line.fields.term : undefined;
      if (leading && current !== undefined && current.term === term) continue;
      close(Math.min(time, endNs));
      if (leading && term !== undefined) current = { term, from: Math.max(0, time) };
    }
    close(endNs);
  }
  return found.sort((a, b) => a.from - b.from);
}

/** Nodes log each leader they learn of; a leader learns of itself. One that has just started, or stopped, follows. */
function leads(node: string, { event, fields }: LogLine): boolean | undefined {
  if (event === 'listening' || event === 'stopping' || event === 'crash') return false;
  return event === 'leader' ? String(fields.leader) === node : undefined;
}

/** When each node had no process: from an end to the next start, or to the end of the run. */
export function downs(processes: ReadonlyMap<string, readonly ProcessRecord[]>, endNs: number): Down[] {
  const found: Down[] = [];
  for (const [node, records] of processes) {
    for (const [i, record] of records.entries()) {
      if (record.type !== 'exit' || record.time >= endNs) continue;
      const next = records.slice(i + 1).find(({ type }) => type === 'start');
      found.push({ node, from: record.time, to: Math.min(next?.time ?? endNs, endNs), ordered: record.ordered });
    }
  }
  return found;
}
