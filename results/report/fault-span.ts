import type { Fault } from '../store/schema.ts';

/** A fault from its start to its end. */
export interface FaultSpan {
  readonly id: number;
  readonly kind: string;
  readonly variant: string;
  /** Nanoseconds: from when it was asked for until it was undone; missing when nothing ended it. */
  readonly start: number;
  readonly end?: number;
  readonly nodes: readonly string[];
  /** Links that were cut, `1→2`. */
  readonly links: readonly string[];
  readonly mechanisms: readonly string[];
  /** Ineffective when any of its effects was; else proven when one of its start was. */
  readonly effect: 'proven' | 'moot' | 'ineffective';
  /** What was seen, one fact a line: `node 2: pid 4711, state T`. */
  readonly proof: readonly string[];
}

/**
 * Pairs the lines of `faults.ndjson` by their id, in order of start. Repairs, which have an end and no start, are no
 * faults; they are told only when one did nothing.
 */
export function faultSpans(faults: readonly Fault[]): FaultSpan[] {
  const byId = new Map<number, { start?: Fault; end?: Fault }>();
  for (const fault of faults) {
    const pair = byId.get(fault.id) ?? {};
    byId.set(fault.id, { ...pair, [fault.phase]: fault });
  }
  const spans: FaultSpan[] = [];
  for (const { start, end } of byId.values()) {
    const first = start ?? end;
    if (first === undefined) continue;
    const effects = [...(start?.effects ?? []), ...(end?.effects ?? [])];
    const effect = effects.some((one) => one.effect === 'ineffective')
      ? 'ineffective'
      : start?.effects.some((one) => one.effect === 'proven')
        ? 'proven'
        : 'moot';
    if (start === undefined && effect !== 'ineffective') continue;
    spans.push({
      id: first.id,
      kind: first.kind,
      variant: first.variant,
      start: first.time,
      ...(end !== undefined && { end: end.doneTime }),
      nodes: first.nodes,
      links: (first.links ?? []).map((link) => `${link.from}→${link.to}`),
      mechanisms: [...new Set(effects.map((effect) => effect.mechanism))],
      effect,
      proof: effects.map(proofLine),
    });
  }
  return spans.sort((a, b) => a.start - b.start);
}

/** `node 2: proven, pid 4711, state T`. What counted to nothing is left out. */
function proofLine({ node, effect, proof }: Fault['effects'][number]): string {
  const facts = Object.entries(proof)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name} ${value}`);
  return `${node === undefined ? '' : `node ${node}: `}${[effect, ...facts].join(', ')}`;
}

/** `partition halves of 1, 2`. */
export function describeFault(fault: FaultSpan): string {
  const nodes = fault.nodes.length === 0 ? '' : ` of ${fault.nodes.join(', ')}`;
  return `${fault.kind}${fault.variant === '' ? '' : ` ${fault.variant}`}${nodes}`;
}
