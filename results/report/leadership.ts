import type { LogLine } from './log-line.ts';
import type { Leadership } from './page-data.ts';

/**
 * Who led when, as the nodes' logs tell it. A leadership ends when the node logs a later role or start, or with
 * the run: a leader that was cut off goes on until it notices, which is the point of the picture.
 */
export function leaderships(logs: ReadonlyMap<string, readonly LogLine[]>, endNs: number): Leadership[] {
  const found: Leadership[] = [];
  for (const [node, lines] of logs) {
    let current: { term: number; from: number } | undefined;
    const close = (to: number): void => {
      if (current !== undefined && to > current.from) found.push({ node, ...current, to });
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
