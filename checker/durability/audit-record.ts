/**
 * A node's audit file, as docs/ARCHITECTURE.md describes it: what the node applied, in order, and each of its
 * leaderships, written by the node itself and never rewritten.
 */
export type Effect = 'applied' | 'refused' | 'deduplicated' | 'none';

export type AuditRecord =
  | { readonly type: 'start'; readonly incarnation: string; readonly applied: number }
  | { readonly type: 'leader'; readonly term: number }
  | {
      readonly type: 'apply';
      readonly index: number;
      readonly term: number;
      readonly op?: string;
      readonly effect: Effect;
      readonly hash: string;
    }
  | { readonly type: 'receive'; readonly index: number; readonly term: number }
  | { readonly type: 'snapshot'; readonly index: number; readonly term: number; readonly hash: string };

export interface NodeAudit {
  readonly node: string;
  readonly records: readonly AuditRecord[];
  /** Things worth saying about how the file read, such as a cut last line. */
  readonly warnings: readonly string[];
}

/** An audit file that cannot be read is not evidence of anything: the caller makes the verdict unknown. */
export class AuditUnreadable extends Error {
  constructor(node: string, line: number, what: string) {
    super(`audit of node ${node}, line ${line}: ${what}`);
    this.name = 'AuditUnreadable';
  }
}

const EFFECTS: ReadonlySet<unknown> = new Set<Effect>(['applied', 'refused', 'deduplicated', 'none']);

/**
 * Parses one audit file.
 * @param text the whole file; a last line without its newline is dropped with a warning (the node was killed)
 * @throws AuditUnreadable for a broken line anywhere else
 */
export function parseAudit(node: string, text: string): NodeAudit {
  const lines = text.split('\n');
  const warnings: string[] = [];
  if (lines.pop() !== '') warnings.push(`the last line of node ${node}'s audit was cut and is left out`);
  const records = lines.map((line, i) => parseRecord(node, i + 1, line));
  return { node, records, warnings };
}

function parseRecord(node: string, line: number, text: string): AuditRecord {
  const fields = parseObject(text);
  if (fields === undefined) throw new AuditUnreadable(node, line, 'not a JSON object');
  const { type, index, term, op, effect, hash, incarnation, applied } = fields;
  switch (type) {
    case 'start':
      if (typeof incarnation === 'string' && isIndex(applied)) return { type, incarnation, applied };
      break;
    case 'leader':
      if (isIndex(term)) return { type, term };
      break;
    case 'receive':
      if (isIndex(index) && isIndex(term)) return { type, index, term };
      break;
    case 'snapshot':
      if (isIndex(index) && isIndex(term) && typeof hash === 'string') return { type, index, term, hash };
      break;
    case 'apply':
      if (isIndex(index) && isIndex(term) && typeof hash === 'string' && isEffect(effect)) {
        if (op === undefined) return { type, index, term, effect, hash };
        if (typeof op === 'string') return { type, index, term, op, effect, hash };
      }
      break;
  }
  throw new AuditUnreadable(node, line, `not an audit record: ${text.slice(0, 120)}`);
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isIndex(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isEffect(value: unknown): value is Effect {
  return EFFECTS.has(value);
}
