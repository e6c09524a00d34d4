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
      const until = Math.min(to, exit?.time ?? to);
      if (current !== undefined && until > from) found.push({ node, ...current, to: until });
      current = undefined;
    };
    for (const { time, event, fields } of lines) {
      if (time === undefined) continue;
      const role = roleOf(event, fields);
      if (role === undefined) continue;
      const term = typeof fields.term === 'number' ? fields.term : undefined;
      if (role === 'leader' && current !== undefined && current.term === term) continue;
      close(Math.min(time, endNs));
      if (role === 'leader' && term !== undefined) current = { term, from: Math.max(0, time) };
    }
    close(endNs);
  }
  return found.sort((a, b) => a.from - b.from);
}

/** A node that says it is listening has just started, and follows. */
function roleOf(event: string | undefined, fields: LogLine['fields']): string | undefined {
  if (event === 'listening' || event === 'start' || event === 'crash') return 'follower';
  if (typeof fields.role === 'string') return fields.role;
  return event === 'leader' ? 'leader' : undefined;
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
