import type { History, Op } from '../history/op.ts';
import { type Anomaly, type Section, unknown } from '../verdict.ts';
import { AnomalyList } from './anomaly-list.ts';
import type { Effect, NodeAudit } from './audit-record.ts';
import { checkElection } from './election.ts';
import { checkReplicaHashes } from './replica-hash.ts';

/** What some nodes say stands at an index. Nodes that agree on term and operation share one of these. */
export interface Variant {
  readonly term: number;
  readonly op: string | undefined;
  readonly effect: Effect;
  /** The state hash after the entry, by node; a node that replayed says it again. */
  readonly hashes: { readonly node: string; readonly hash: string; readonly effect: Effect }[];
}

/** All nodes' audits as one log: what was applied at each index, and by whom. */
export interface MergedLog {
  readonly nodes: readonly string[];
  /** Indices in ascending order, each with at least one variant; more than one is a divergence. */
  readonly entries: ReadonlyMap<number, readonly Variant[]>;
  readonly records: number;
}

export interface CommittedLogSections {
  readonly log: Section;
  readonly hash: Section;
  readonly election: Section;
}

/**
 * The committed-log audit: judges what the nodes applied against what clients were told.
 *
 * - `log`: every acknowledged write takes effect exactly once; nodes agree on term and operation at every
 *   index; each node applies without gaps but for installed snapshots; terms never fall along the log; nothing
 *   that a client was told had failed took effect.
 * - `hash`: nodes at the same index hold the same state.
 * - `election`: one leader a term.
 *
 * @param audits one for each node of the cluster, also of nodes removed from it
 * @param isWrite which operations must be in the log when they are acknowledged; those need an `op` id
 */
export function checkCommittedLog(
  audits: readonly NodeAudit[],
  history: History,
  isWrite: (op: Op) => boolean = defaultIsWrite,
): CommittedLogSections {
  const merged = mergeAudits(audits);
  return {
    log: checkLog(audits, merged, history, isWrite),
    hash: checkReplicaHashes(audits, merged),
    election: checkElection(audits, merged),
  };
}

/** Everything but reads, watches, read-only transactions and the harness's own operations changes state. */
function defaultIsWrite(op: Op): boolean {
  if (op.f !== 'txn') return op.f !== 'read' && op.f !== 'watch';
  return Array.isArray(op.value) && op.value.some((micro) => Array.isArray(micro) && micro[0] !== 'r');
}

function mergeAudits(audits: readonly NodeAudit[]): MergedLog {
  const byIndex = new Map<number, Variant[]>();
  let records = 0;
  for (const { node, records: own } of audits) {
    for (const record of own) {
      records++;
      if (record.type !== 'apply') continue;
      let variants = byIndex.get(record.index);
      if (variants === undefined) {
        variants = [];
        byIndex.set(record.index, variants);
      }
      let variant = variants.find((v) => v.term === record.term && v.op === record.op);
      if (variant === undefined) {
        variant = { term: record.term, op: record.op, effect: record.effect, hashes: [] };
        variants.push(variant);
      }
      const said = variant.hashes.some((h) => h.node === node && h.hash === record.hash && h.effect === record.effect);
      if (!said) variant.hashes.push({ node, hash: record.hash, effect: record.effect });
    }
  }
  const entries = new Map([...byIndex].sort(([a], [b]) => a - b));
  return { nodes: audits.map((audit) => audit.node), entries, records };
}

function checkLog(
  audits: readonly NodeAudit[],
  merged: MergedLog,
  history: History,
  isWrite: (op: Op) => boolean,
): Section {
  const anomalies = new AnomalyList();
  for (const audit of audits) checkSequence(audit, anomalies);
  checkAgreement(merged, anomalies);
  const writes = checkWrites(merged, history, isWrite, anomalies);
  const counts = {
    nodes: audits.length,
    records: merged.records,
    entries: merged.entries.size,
    acknowledged: writes.acknowledged,
    uncertain: writes.uncertain,
  };
  const found = anomalies.all();
  if (found.length > 0) return invalid(anomalies.summary(), found, counts);

  const hole = firstHole(merged);
  const silent = audits.find((audit) => audit.records[0]?.type !== 'start');
  if (silent !== undefined) return unknown(`the audit of node ${silent.node} is empty or has no start`, counts);
  if (hole !== undefined) return unknown(`no audit has what was applied at index ${hole}`, counts);
  if (writes.withoutId > 0) return unknown(`${writes.withoutId} acknowledged writes carried no operation id`, counts);
  if (writes.acknowledged === 0) return unknown('no write was acknowledged, so none could be lost', counts);
  const summary = `${writes.acknowledged} acknowledged writes each took effect once in ${merged.entries.size} entries on ${audits.length} nodes`;
  return { valid: true, summary, anomalies: [], counts, ...warningsOf(audits) };
}

/** A node applies index after index; only a start (from its snapshot) and an installed snapshot move it. */
function checkSequence({ node, records }: NodeAudit, anomalies: AnomalyList): void {
  let next: number | undefined;
  let reached = 0;
  for (const record of records) {
    if (record.type === 'start') {
      if (record.applied > reached) {
        anomalies.add({
          kind: 'state-from-nowhere',
          message: `node ${node} started with the state of index ${record.applied} but had never got beyond ${reached}`,
          ops: [],
          evidence: { node, applied: record.applied, reached },
        });
      }
      next = record.applied + 1;
    } else if (record.type === 'receive') {
      // Killed before it could say that this is installed, it may start from it.
      reached = Math.max(reached, record.index);
    } else if (record.type === 'snapshot') {
      next = record.index + 1;
      reached = Math.max(reached, record.index);
    } else if (record.type === 'apply') {
      if (next !== undefined && record.index !== next) {
        const gap = record.index > next;
        anomalies.add({
          kind: gap ? 'gap' : 'applied-again',
          message: gap
            ? `node ${node} applied index ${record.index} although ${next} was next, without a snapshot between`
            : `node ${node} applied index ${record.index} again; ${next} was next`,
          ops: [],
          evidence: { node, index: record.index, expected: next, term: record.term },
        });
      }
      next = record.index + 1;
      reached = Math.max(reached, record.index);
    }
  }
}

function checkAgreement(merged: MergedLog, anomalies: AnomalyList): void {
  let lastTerm = 0;
  for (const [index, variants] of merged.entries) {
    const [first] = variants;
    if (first === undefined) continue;
    if (variants.length > 1) {
      const told = variants.map((v) => `nodes ${holders(v).join(', ')}: term ${v.term}, ${v.op ?? 'no operation'}`);
      anomalies.add({
        kind: 'log-divergence',
        message: `nodes applied different entries at index ${index} (${told.join('; ')})`,
        ops: [],
        evidence: {
          index,
          variants: variants.map((v) => ({ term: v.term, op: v.op ?? null, nodes: holders(v) })),
        },
      });
    } else if (first.term < lastTerm) {
      anomalies.add({
        kind: 'term-regression',
        message: `the entry at index ${index} has term ${first.term}, below the ${lastTerm} before it`,
        ops: [],
        evidence: { index, term: first.term, before: lastTerm },
      });
    }
    lastTerm = Math.max(lastTerm, first.term);
  }
}

interface Placement {
  readonly index: number;
  readonly variant: Variant;
  /** More than one variant stands at the index. */
  readonly contested: boolean;
}

function checkWrites(
  merged: MergedLog,
  history: History,
  isWrite: (op: Op) => boolean,
  anomalies: AnomalyList,
): { acknowledged: number; uncertain: number; withoutId: number } {
  const placements = new Map<string, Placement[]>();
  for (const [index, variants] of merged.entries) {
    for (const variant of variants) {
      if (variant.op === undefined) continue;
      const placement = { index, variant, contested: variants.length > 1 };
      const list = placements.get(variant.op);
      if (list === undefined) placements.set(variant.op, [placement]);
      else list.push(placement);
    }
  }

  let acknowledged = 0;
  let uncertain = 0;
  let withoutId = 0;
  for (const { invoke, completion } of pairs(history)) {
    if (!isWrite(invoke)) continue;
    if (invoke.op === undefined) {
      if (completion?.type === 'ok') withoutId++;
      continue;
    }
    const places = placements.get(invoke.op) ?? [];
    const applied = places.filter((p) => p.variant.effect === 'applied');
    const ops = completion === undefined ? [invoke.index] : [invoke.index, completion.index];
    const facts = {
      op: invoke.op,
      f: invoke.f,
      key: invoke.key ?? null,
      value: invoke.value ?? null,
      acknowledgedBy: invoke.node ?? null,
      at: places.map((p) => ({
        index: p.index,
        term: p.variant.term,
        effect: p.variant.effect,
        nodes: holders(p.variant),
      })),
    };
    if (new Set(applied.map((p) => p.index)).size > 1) {
      const where = applied.map((p) => p.index).join(' and ');
      anomalies.add({
        kind: 'applied-twice',
        message: `${describe(invoke)} took effect at index ${where}`,
        ops,
        evidence: facts,
        ...keyOf(invoke),
      });
    }
    if (completion?.type === 'ok') {
      acknowledged++;
      const lost = whyLost(places, applied, merged.nodes);
      if (lost !== undefined) {
        anomalies.add({
          kind: lost.kind,
          message: `${describe(invoke)} was acknowledged${invoke.node === undefined ? '' : ` by node ${invoke.node}`} but ${lost.why}`,
          ops,
          evidence: { ...facts, lackedBy: lost.lackedBy },
          ...keyOf(invoke),
        });
      }
    } else if (completion?.type === 'fail') {
      if (applied.length > 0) {
        anomalies.add({
          kind: 'failed-but-applied',
          message: `${describe(invoke)} was reported as failed (${completion.error ?? 'no reason'}) but took effect at index ${applied[0]?.index}`,
          ops,
          evidence: facts,
          ...keyOf(invoke),
        });
      }
    } else {
      uncertain++;
    }
  }
  return { acknowledged, uncertain, withoutId };
}

function whyLost(
  places: readonly Placement[],
  applied: readonly Placement[],
  nodes: readonly string[],
): { kind: string; why: string; lackedBy: readonly string[] } | undefined {
  const [first] = applied;
  if (first === undefined) {
    const [other] = places;
    if (other === undefined) return { kind: 'lost-write', why: 'no node ever applied it', lackedBy: nodes };
    const why = `its entry at index ${other.index} had no effect (${other.variant.effect})`;
    return { kind: 'acknowledged-without-effect', why, lackedBy: [] };
  }
  if (!applied.every((p) => p.contested)) return undefined;
  const having = new Set(applied.flatMap((p) => holders(p.variant)));
  const lackedBy = nodes.filter((node) => !having.has(node));
  const why = `only ${[...having].join(', ')} applied it, at index ${first.index} in term ${first.variant.term}; another entry stands there on ${lackedBy.join(', ')}`;
  return { kind: 'lost-write', why, lackedBy };
}

function firstHole(merged: MergedLog): number | undefined {
  let next: number | undefined;
  for (const index of merged.entries.keys()) {
    if (next !== undefined && index !== next) return next;
    next = index + 1;
  }
  return undefined;
}

/** Each invocation with its completion, if it has one. */
function* pairs(history: History): Generator<{ invoke: Op; completion: Op | undefined }> {
  const open = new Map<number, Op>();
  for (const op of history) {
    if (op.process === 'nemesis') continue;
    if (op.type === 'invoke') {
      open.set(op.process, op);
      continue;
    }
    const invoke = open.get(op.process);
    open.delete(op.process);
    if (invoke !== undefined) yield { invoke, completion: op };
  }
  for (const invoke of open.values()) yield { invoke, completion: undefined };
}

function holders(variant: Variant): string[] {
  return [...new Set(variant.hashes.map((h) => h.node))];
}

function describe(op: Op): string {
  const key = op.key === undefined ? '' : ` on key ${JSON.stringify(op.key)}`;
  return `${op.f} ${JSON.stringify(op.value ?? null)}${key} (operation ${op.op})`;
}

function keyOf(op: Op): Pick<Anomaly, 'key'> {
  return op.key === undefined ? {} : { key: op.key };
}

function invalid(summary: string, anomalies: readonly Anomaly[], counts: Section['counts']): Section {
  return { valid: false, summary, anomalies, counts };
}

function warningsOf(audits: readonly NodeAudit[]): Pick<Section, 'details'> {
  const warnings = audits.flatMap((audit) => audit.warnings);
  return warnings.length === 0 ? {} : { details: { warnings } };
}
