import { bySize, type Group } from './group.ts';
import { added } from './night.ts';
import { type CellSummary, colourOf, type Summary } from './summary.ts';

/**
 * One night of its shards: runs added up, failures of one signature in one row, canaries of every shard. Red or
 * unknown as soon as one of them is.
 * @throws RangeError for none
 */
export function mergeNights(id: string, shards: readonly Summary[]): Summary {
  const [first] = shards;
  if (first === undefined) throw new RangeError('there is nothing to merge');
  const facts = {
    canaries: shards.flatMap(({ canaries, shard }) =>
      canaries.map((canary) => ({ ...canary, name: `${canary.name} (${shard})` })),
    ),
    cells: merged(
      shards.flatMap(({ cells }) => cells),
      ({ name }) => name,
      mergeCells,
    ),
    groups: merged(
      shards.flatMap(({ groups }) => groups),
      ({ signature }) => signature,
      mergeGroups,
    ),
  };
  const { colour, reasons } = colourOf({ ...facts, interrupted: false });
  // What made a shard unknown as a whole, an interrupt or a full disk, is only in its own reasons.
  const doubts = shards.filter((shard) => shard.colour === 'unknown').flatMap((shard) => shard.reasons);
  const codes = new Set(shards.map(({ code }) => code));
  if (codes.size > 1) doubts.push(`the shards ran different code: ${[...codes].join(', ')}`);
  return {
    ...first,
    id,
    shard: shards.map(({ shard }) => shard).join(' + '),
    started: shards.map(({ started }) => started).sort()[0] ?? '',
    ended:
      shards
        .map(({ ended }) => ended)
        .sort()
        .at(-1) ?? '',
    usedMs: Math.max(...shards.map(({ usedMs }) => usedMs)),
    colour: colour === 'green' && doubts.length > 0 ? 'unknown' : colour,
    reasons: [...new Set([...reasons, ...doubts])],
    ...facts,
    coverage: added(shards.map(({ coverage }) => coverage)),
  };
}

function merged<T>(all: readonly T[], nameOf: (one: T) => string, merge: (a: T, b: T) => T): T[] {
  const byName = new Map<string, T>();
  for (const one of all) {
    const other = byName.get(nameOf(one));
    byName.set(nameOf(one), other === undefined ? one : merge(other, one));
  }
  return [...byName.values()];
}

function mergeCells(a: CellSummary, b: CellSummary): CellSummary {
  return {
    name: a.name,
    jobs: a.jobs + b.jobs,
    valid: a.valid + b.valid,
    invalid: a.invalid + b.invalid,
    unknown: a.unknown + b.unknown,
    operations: a.operations + b.operations,
    virtualMs: a.virtualMs + b.virtualMs,
    tookMs: a.tookMs + b.tookMs,
    reasons: [...a.reasons, ...b.reasons],
    troubles: [...a.troubles, ...b.troubles],
  };
}

function mergeGroups(a: Group, b: Group): Group {
  return {
    ...a,
    count: a.count + b.count,
    first: [a.first, b.first].sort()[0] ?? a.first,
    last: [a.last, b.last].sort().at(-1) ?? a.last,
    runs: [...a.runs, ...b.runs],
    examples: bySize([...a.examples, ...b.examples]),
  };
}
