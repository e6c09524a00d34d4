import type { History, Value } from '../../checker/history/op.ts';

/** An invocation and what became of it. */
export interface Operation {
  /** Index of the invocation in the history. */
  readonly invoke: number;
  /** Index of the completion; missing when there is none. */
  readonly complete?: number;
  readonly process: number;
  readonly f: string;
  readonly key?: Value;
  /** What was asked for, and what came back with the completion. */
  readonly input?: Value;
  readonly output?: Value;
  /** An operation that never completed is `info`. */
  readonly outcome: 'ok' | 'fail' | 'info';
  readonly error?: string;
  readonly node?: string;
  readonly op?: string;
  /** Nanoseconds since the start of the run. */
  readonly start: number;
  /** Missing when it never completed. */
  readonly end?: number;
}

/** Pairs each client's invocation with its completion, in the order of invocation. Completions without one are skipped. */
export function pairOperations(history: History): Operation[] {
  const operations: (Operation | undefined)[] = [];
  const open = new Map<number, number>();
  for (const event of history) {
    if (event.process === 'nemesis') continue;
    if (event.type === 'invoke') {
      open.set(event.process, operations.length);
      operations.push({
        invoke: event.index,
        process: event.process,
        f: event.f,
        ...(event.key !== undefined && { key: event.key }),
        ...(event.value !== undefined && { input: event.value }),
        outcome: 'info',
        ...(event.node !== undefined && { node: event.node }),
        ...(event.op !== undefined && { op: event.op }),
        start: event.time,
      });
      continue;
    }
    const at = open.get(event.process);
    const invoked = at === undefined ? undefined : operations[at];
    if (at === undefined || invoked === undefined) continue;
    open.delete(event.process);
    operations[at] = {
      ...invoked,
      complete: event.index,
      outcome: event.type,
      ...(event.value !== undefined && { output: event.value }),
      ...(event.error !== undefined && { error: event.error }),
      ...(event.node !== undefined && invoked.node === undefined && { node: event.node }),
      end: event.time,
    };
  }
  return operations.filter((operation) => operation !== undefined);
}

/** By the index of the invocation and of the completion. */
export function operationsByIndex(operations: readonly Operation[]): Map<number, Operation> {
  const byIndex = new Map<number, Operation>();
  for (const operation of operations) {
    byIndex.set(operation.invoke, operation);
    if (operation.complete !== undefined) byIndex.set(operation.complete, operation);
  }
  return byIndex;
}

/** How an operation is put into words. */
export interface Wording {
  /** How many characters of one value are shown. */
  readonly most?: number;
  /** Of a transaction, only the steps on these keys; what is left out is shown as `…`. */
  readonly keys?: readonly Value[];
}

/** `write 5`, `read → 5`, `cas 1 → 2`, `append y 1, r x → [1 2]`: as short as can be read. */
export function describe(
  operation: Pick<Operation, 'f' | 'input' | 'output' | 'outcome'>,
  { most = 60, keys }: Wording = {},
): string {
  const { f, input, output, outcome } = operation;
  const seen = outcome === 'ok' ? (output ?? input) : input;
  if (f === 'txn' && Array.isArray(seen)) return describeSteps(seen, most, keys);
  if (f === 'cas' && Array.isArray(input) && input.length === 2) {
    return `cas ${show(input[0], most)} → ${show(input[1], most)}`;
  }
  if (f === 'read') return outcome === 'ok' ? `read → ${show(output, most)}` : 'read';
  if (outcome === 'ok' && output !== undefined && JSON.stringify(output) !== JSON.stringify(input)) {
    return `${f}${input === undefined || input === null ? '' : ` ${show(input, most)}`} → ${show(output, most)}`;
  }
  return input === undefined || input === null ? f : `${f} ${show(input, most)}`;
}

function describeSteps(steps: readonly Value[], most: number, keys: readonly Value[] | undefined): string {
  const wanted = new Set(keys?.map((key) => JSON.stringify(key)));
  const concerns = (step: Value): boolean => Array.isArray(step) && wanted.has(JSON.stringify(step[1]));
  if (wanted.size === 0 || !steps.some(concerns)) return steps.map((step) => describeStep(step, most)).join(', ');
  const told = steps.filter(concerns).map((step) => describeStep(step, most));
  return [...told, ...(told.length < steps.length ? ['…'] : [])].join(', ');
}

function describeStep(step: Value, most: number): string {
  if (!Array.isArray(step)) return show(step, most);
  const [f, key, value] = step as readonly Value[];
  if (f === 'r') {
    return value === null || value === undefined ? `r ${show(key)}` : `r ${show(key)} → ${show(value, most)}`;
  }
  return [f, key, value].map((part) => (typeof part === 'string' ? part : show(part, most))).join(' ');
}

/** A value on one line: strings without quotes where that is not ambiguous, and never more than `most` characters. */
export function show(value: Value | undefined, most = 60): string {
  if (value === undefined) return '';
  if (value === null) return 'null';
  const text =
    typeof value === 'string' && /^[\p{L}_][\p{L}\p{N}_.:/-]*$/u.test(value) && value !== 'null'
      ? value
      : spaced(value);
  return shorten(text, most);
}

function spaced(value: Value): string {
  return Array.isArray(value) ? `[${value.map((part: Value) => show(part)).join(' ')}]` : JSON.stringify(value);
}

/** Keeps the start and says how long the whole was. */
export function shorten(text: string, most: number): string {
  if (text.length <= most) return text;
  // Not through the middle of a surrogate pair.
  const cut = text.slice(0, most).replace(/[\uD800-\uDBFF]$/, '');
  return `${cut}… (${text.length.toLocaleString('en')} characters)`;
}
