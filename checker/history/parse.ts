import { Events } from './events.ts';
import { HistoryError } from './history-error.ts';
import { checkDepth, looksIndependent, looksLogged, parseEdn, parseJsonList, parseLog, splitKeys } from './jepsen.ts';
import { parseNdjson } from './ndjson.ts';
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

const SNIFF_BYTES = 1 << 16;

/**
 * Recognises a history by the start of its content.
 *
 * @throws HistoryError when it is nothing that we know.
 */
export function recognise(bytes: Uint8Array): 'ndjson' | 'json' | 'edn' | 'text' {
  const start = bytes.subarray(0, SNIFF_BYTES);
  if (start.includes(0)) throw new HistoryError('binary data, not a history');
  checkDepth(start);
  const text = String.fromCharCode(...start.subarray(0, 4096));
  const first = /^(?:\xef\xbb\xbf)?[\s,]*([^\s,])[\s,]*(\S?)[\s,]*(\S?)/.exec(text);
  if (first === null) return 'ndjson';
  const [, one, two, three] = first;
  if (one === '{') return two === '"' || (two === '}' && three !== '{') ? 'ndjson' : 'edn';
  if (one === '[' && two === '{' && three === '"') return 'json';
  if (one === '[' && two === ']') return 'json';
  if (looksLogged(start.length === bytes.length ? text + fromBytes(start.subarray(4096)) : fromBytes(start)))
    return 'text';
  if (one === '[' || one === '(' || one === ';' || one === '#') return 'edn';
  throw new HistoryError('not a history: neither NDJSON, JSON, EDN nor a Jepsen log', 1);
}

function fromBytes(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}

/**
 * Reads a history in any of the formats that we know, recognised by content: our NDJSON, Jepsen's EDN and JSON,
 * Jepsen's text logs, Porcupine's kv format.
 *
 * @throws HistoryError when it is none of these, or broken anywhere but in a cut last line.
 */
export function parseHistory(bytes: Uint8Array, options: ParseOptions = {}): ParsedHistory {
  const kind = recognise(bytes);
  if (kind === 'ndjson') {
    const { events, warnings } = parseNdjson(bytes);
    const split = options.independent ?? (mayBeIndependent(events) && looksIndependent(events.ops()));
    return { format: 'ndjson', events: split ? Events.of(splitKeys(events.ops())) : events, warnings };
  }
  if (kind !== 'text') checkDepth(bytes);
  const text = decode(bytes);
  const { ops, warnings } = { json: parseJsonList, edn: parseEdn, text: parseLog }[kind](text);
  const split = options.independent ?? looksIndependent(ops);
  const keyed = ops.some((op) => op.key !== undefined);
  return {
    format: kind === 'edn' && keyed && !split ? 'porcupine' : kind,
    events: Events.of(split ? splitKeys(ops) : ops),
    warnings,
  };
}

/** A quick look at the first events, to spare the histories that are clearly not. */
function mayBeIndependent(events: Events): boolean {
  const ops: Op[] = [];
  for (let index = 0; index < events.length && ops.length < 100; index++) ops.push(events.op(index));
  return looksIndependent(ops);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new HistoryError('not UTF-8 text');
  }
}
