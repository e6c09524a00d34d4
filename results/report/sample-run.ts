import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Op, Value } from '../../checker/history/op.ts';
import { type Anomaly, mergeSections, type Section, unknown } from '../../checker/verdict.ts';
import { files } from '../store/layout.ts';
import type { Fault, TestDescription } from '../store/schema.ts';
import { createRun } from '../store/write.ts';

/** Kinds of run that a report must be able to show. */
export const sampleKinds = [
  'valid',
  'stale-read',
  'cycle',
  'lost-write',
  'liveness',
  'unknown',
  'history',
  'simulated',
  'hostile',
  'interrupted',
] as const;
export type SampleKind = (typeof sampleKinds)[number];

export interface SampleOptions {
  readonly kind: SampleKind;
  readonly operations?: number;
}

/** Everything that markup, terminals and text direction could trip over. */
export const hostileTexts: readonly string[] = [
  '</script><script>document.title="owned"</script>',
  '<img src=x onerror="document.title=1">',
  '"><svg onload=alert(1)>',
  '👩‍🚀🧨 emoji \u{1F600}',
  '\u202Egnirts desrever\u202C and עברית العربية',
  '\u0000\u001b[31mred\u0007',
  '\uD800 half a pair',
  "'; DROP TABLE runs; --",
  '../../../../etc/passwd',
  '__proto__',
];

/** Writes a made-up run of one kind below `root`, for tests and pictures of the report. Returns its folder. */
export function writeSampleRun(root: string, { kind, operations = 1200 }: SampleOptions): string {
  const world = kind === 'history' ? 'history' : kind === 'simulated' ? 'simulated' : 'real';
  const test: TestDescription = {
    name: kind === 'cycle' ? 'append' : 'register',
    seed: 42,
    started: '2026-11-22T16:00:00.000Z',
    world,
    workload: kind === 'cycle' ? 'append' : 'register',
    nodes: world === 'history' ? [] : ['1', '2', '3', '4', '5'],
    options: { nodes: 5, concurrency: 10, 'time-limit': 60, keys: 5, rate: 200 },
    versions: { splitbrain: '0.1.0', node: 'v20.20.2', kernel: 'Linux 6.18' },
    mechanisms: { partition: 'tcp-proxy', pause: 'sigstop', kill: 'sigkill', clock: 'preload-clock' },
    commands: {
      again: 'npx splitbrain test --workload register --seed 42 --time-limit 60',
      replay: 'npx splitbrain replay results/runs/register/latest',
      shrink: 'npx splitbrain shrink results/runs/register/latest',
      check: 'npx splitbrain check results/runs/register/latest',
    },
  };
  const run = createRun(root, test);
  const history = kind === 'cycle' ? transactions(operations) : registers(operations, kind);
  for (const op of world === 'history' ? history : withPhases(history)) run.history.append(op);
  if (kind !== 'history') {
    for (const fault of sampleFaults(history.at(-1)?.time ?? 0)) run.faults.append(fault);
    for (const node of test.nodes) writeNode(run.nodeFolder(node), node, history);
  }
  if (kind !== 'interrupted') run.writeResults(mergeSections(sectionsOf(kind, history)));
  run.close();
  return run.folder;
}

/** A small generator of repeatable numbers: the pictures stay the same. */
function numbers(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

interface Open {
  readonly process: number;
  readonly f: string;
  readonly key: Value;
  readonly value: Value;
  readonly answer: Value;
  readonly at: number;
  readonly outcome: 'ok' | 'fail' | 'info';
  readonly error?: string;
}

/** Ten clients on five registers over about a minute; slower, and less certain, while there are faults. */
function registers(count: number, kind: SampleKind): Op[] {
  const random = numbers(7);
  const keys = kind === 'hostile' ? hostileTexts : ['account', 'balance', 'cart', 'session', 'x'];
  const state = new Map<Value, Value>();
  const length = Math.max(60e9, count * 5e6);
  const history: Op[] = [];
  const open: Open[] = [];
  const threads = Array.from({ length: 10 }, (_, thread) => thread);
  let next = 1;
  const add = (op: Omit<Op, 'index'>): void => {
    history.push({ index: history.length, ...op });
  };
  const complete = (until: number): void => {
    open.sort((a, b) => a.at - b.at);
    while (open[0] !== undefined && open[0].at <= until) {
      const { process, f, key, value, answer, at, outcome, error } = open.shift() as Open;
      add({
        time: at,
        process,
        type: outcome,
        f,
        key,
        value: outcome === 'ok' ? answer : value,
        ...(error !== undefined && { error }),
      });
    }
  };
  for (let i = 0; i < count; i++) {
    const time = Math.floor((i / count) * length) + random(1e6);
    complete(time);
    const busy = new Set(open.map(({ process }) => process % 10));
    const thread = threads.find((candidate) => !busy.has(candidate));
    if (thread === undefined) continue;
    const process = threads[thread] === undefined ? thread : (retired.get(thread) ?? thread);
    const key = keys[random(keys.length)] ?? 'x';
    const f = ['read', 'write', 'cas', 'read'][random(4)] ?? 'read';
    const current = state.get(key) ?? null;
    const fresh: Value =
      kind === 'hostile'
        ? random(400) === 0
          ? 'm'.repeat(1 << 20)
          : (hostileTexts[random(hostileTexts.length)] ?? '')
        : next++;
    const value: Value = f === 'read' ? null : f === 'cas' ? [random(3) === 0 ? 1 : current, fresh] : fresh;
    add({ time, process, type: 'invoke', f, key, value, op: `0-${i}`, node: String(1 + (thread % 5)) });
    const faulty = Math.floor(time / 5e9) % 3 === 1;
    const latency = faulty && random(6) === 0 ? 4e8 + random(8e8) : 1e6 + random(9e6) * (faulty ? 4 : 1);
    const refused = f === 'cas' && Array.isArray(value) && JSON.stringify(value[0]) !== JSON.stringify(current);
    const outcome = refused ? 'fail' : faulty && latency > 8e8 ? (f === 'read' ? 'fail' : 'info') : 'ok';
    if (outcome !== 'fail' && f !== 'read') state.set(key, fresh);
    if (outcome === 'info') retired.set(thread, process + 10);
    const error =
      outcome === 'ok' ? {} : { error: refused ? 'cas-mismatch' : outcome === 'info' ? 'timeout' : 'no-leader' };
    open.push({
      process,
      f,
      key,
      value,
      answer: f === 'read' ? current : value,
      at: time + latency,
      outcome,
      ...error,
    });
  }
  retired.clear();
  complete(Number.POSITIVE_INFINITY);
  return kind === 'stale-read' || kind === 'simulated' ? withStaleRead(history) : history;
}

const retired = new Map<number, number>();

/** Puts a write of 9001, its read, and then a read of the value before it, on key `cart`. */
function withStaleRead(history: readonly Op[]): Op[] {
  const middle = Math.floor(history.length * 0.45);
  const time = history[middle]?.time ?? 0;
  const event = (
    ms: number,
    process: number,
    type: Op['type'],
    f: string,
    value: Value,
    node: string,
  ): Omit<Op, 'index'> => ({
    time: time + ms * 1e6,
    process,
    type,
    f,
    key: 'stale',
    value,
    ...(type === 'invoke' && { node, op: `s-${process}-${ms}` }),
  });
  const story = [
    event(0, 900, 'invoke', 'write', 9000, '1'),
    event(4, 900, 'ok', 'write', 9000, '1'),
    event(6, 901, 'invoke', 'write', 9001, '2'),
    event(7, 904, 'invoke', 'write', 9002, '4'),
    event(11, 901, 'ok', 'write', 9001, '2'),
    event(13, 902, 'invoke', 'read', null, '3'),
    event(15, 902, 'ok', 'read', 9001, '3'),
    event(18, 903, 'invoke', 'read', null, '1'),
    event(21, 903, 'ok', 'read', 9000, '1'),
    event(40, 904, 'info', 'write', 9002, '4'),
  ];
  const merged = [...history.slice(0, middle), ...story, ...history.slice(middle)];
  return merged.map((op, index) => ({ ...op, index }));
}

/** The runner's own notes of its phases, at the end where they move no index that evidence speaks of. */
function withPhases(history: readonly Op[]): Op[] {
  const end = history.at(-1)?.time ?? 0;
  const notes: readonly (readonly [string, number])[] = [
    ['operations', 0],
    ['heal', end + 1e8],
    ['converge', end + 4e8],
    ['final', end + 1e9],
    ['end', end + 1.5e9],
  ];
  return [
    ...history,
    ...notes.map(
      ([value, time], i): Op => ({
        index: history.length + i,
        time,
        process: 'nemesis',
        type: 'info',
        f: 'phase',
        value,
      }),
    ),
  ];
}

function transactions(count: number): Op[] {
  const random = numbers(11);
  const history: Op[] = [];
  const lists = new Map<string, number[]>();
  for (let i = 0; i < count; i++) {
    const time = Math.floor((i / count) * 60e9);
    const steps: Value[] = [];
    const answers: Value[] = [];
    for (let step = 0; step <= random(3); step++) {
      const key = ['x', 'y', 'z'][random(3)] ?? 'x';
      const list = lists.get(key) ?? [];
      if (random(2) === 0) {
        steps.push(['append', key, i * 4 + step]);
        answers.push(['append', key, i * 4 + step]);
        lists.set(key, [...list.slice(-4), i * 4 + step]);
      } else {
        steps.push(['r', key, null]);
        answers.push(['r', key, list]);
      }
    }
    const process = i % 10;
    history.push({
      index: history.length,
      time,
      process,
      type: 'invoke',
      f: 'txn',
      value: steps,
      node: String(1 + (i % 5)),
    });
    history.push({
      index: history.length,
      time: time + 2e6 + random(2e7),
      process,
      type: 'ok',
      f: 'txn',
      value: answers,
    });
  }
  return history;
}

function sampleFaults(end: number): Fault[] {
  const list: Fault[] = [];
  const kinds = [
    {
      kind: 'partition',
      variant: 'halves',
      nodes: ['1', '2'],
      links: [
        { from: '1', to: '3' },
        { from: '3', to: '1' },
        { from: '2', to: '3' },
      ],
      mechanism: 'tcp-proxy',
      proof: { framesDropped: 118 },
    },
    { kind: 'pause', variant: 'one', nodes: ['3'], mechanism: 'sigstop', proof: { pid: 4711, state: 'T' } },
    {
      kind: 'kill',
      variant: 'majority',
      nodes: ['1', '4', '5'],
      mechanism: 'sigkill',
      proof: { pid: 4712, gone: true },
    },
    { kind: 'clock', variant: 'drift', nodes: ['2'], mechanism: 'preload-clock', proof: { wallAheadMs: 30_000 } },
  ];
  let id = 0;
  for (let at = 5e9; at + 5e9 < end; at += 7.5e9) {
    const { kind, variant, nodes, links, mechanism, proof } =
      kinds[id % kinds.length] ?? (kinds[0] as (typeof kinds)[0]);
    const effects = nodes.map((node) => ({ effect: 'proven' as const, mechanism, proof, node }));
    const base = { kind, variant, id: id++, nodes, ...(links !== undefined && { links }), effects };
    list.push({ ...base, phase: 'start', time: at, doneTime: at + 3e6 });
    list.push({ ...base, phase: 'end', time: at + 5e9, doneTime: at + 5e9 + 4e6 });
  }
  return list;
}

function writeNode(folder: string, node: string, history: readonly Op[]): void {
  const started = Date.parse('2026-11-22T16:00:00.000Z');
  const line = (ms: number, fields: object): string =>
    JSON.stringify({ level: 30, time: started + ms, node, ...fields });
  const log = [line(0, { event: 'listening', clientPort: 20000 + Number(node), peerPort: 21000 + Number(node) })];
  const audit: object[] = [{ type: 'start', node, incarnation: `${node}-1`, applied: 0 }];
  for (let term = 1; term <= 6; term++) {
    const at = term * 9000 - 8800;
    const leader = String(1 + ((term * 2) % 5));
    if (leader === node) {
      log.push(line(at, { event: 'leader', leader, term }));
      audit.push({ type: 'leader', node, term });
    } else log.push(line(at + 20, { event: 'leader', leader, term }));
    for (let beat = 1; beat < 9; beat++)
      log.push(line(at + beat * 1000, { event: 'applied', index: term * 100 + beat, term }));
  }
  let index = 0;
  for (const op of history) {
    if (op.type === 'invoke' && op.f !== 'read')
      audit.push({
        type: 'apply',
        index: ++index,
        term: 1,
        ...(op.op !== undefined && { op: op.op }),
        effect: 'applied',
        hash: `h${index}`,
      });
  }
  const exits = [
    { type: 'start', time: -2e8, pid: 4000 + Number(node) },
    ...(['1', '4', '5'].includes(node)
      ? [
          {
            type: 'exit',
            time: 20.003e9,
            pid: 4000 + Number(node),
            ordered: true,
            code: null,
            signal: 'SIGKILL',
            lastLogLines: [],
          },
          { type: 'start', time: 25e9, pid: 5000 + Number(node) },
        ]
      : []),
  ];
  writeFileSync(join(folder, files.exits), `${exits.map((record) => JSON.stringify(record)).join('\n')}\n`);
  writeFileSync(join(folder, files.log), `${log.join('\n')}\n`);
  writeFileSync(join(folder, files.audit), `${audit.map((record) => JSON.stringify(record)).join('\n')}\n`);
}

const pass = (summary: string, counts: Section['counts']): Section => ({ valid: true, summary, anomalies: [], counts });

function sectionsOf(kind: SampleKind, history: readonly Op[]): { [checker: string]: Section } {
  const others = {
    log: pass('812 acknowledged writes each took effect once in 830 entries on 5 nodes', {
      acknowledged: 812,
      entries: 830,
    }),
    hash: pass('states equal at each of 830 indices compared', { compared: 830 }),
    election: pass('one leader in each of 6 terms', { terms: 6 }),
    crash: pass('9 starts, no node ended by itself', { starts: 9, exits: 4 }),
    faults: pass('7 of 7 faults took effect', { faults: 7 }),
    liveness: pass('healed, all 5 nodes served again after 1.2 s', { nodes: 5 }),
  };
  const linear = pass(`${history.length / 2} operations on 5 keys are linearizable`, {
    operations: history.length / 2,
    keys: 5,
  });
  const bad = (summary: string, ...anomalies: Anomaly[]): Section => ({
    valid: false,
    summary,
    anomalies,
    counts: { operations: history.length / 2 },
  });
  switch (kind) {
    case 'valid':
    case 'interrupted':
      return { linear, ...others };
    case 'stale-read':
    case 'simulated':
      return { linear: bad('key "stale" is not linearizable', staleRead(history)), ...others };
    case 'history':
      return { linear: bad('key "account" is not linearizable', plainAnomaly(history)) };
    case 'cycle':
      return { txn: bad('the history is not strict-serializable: G-single', cycle(history)), ...others };
    case 'lost-write':
      return { linear, ...others, log: bad('2 lost-write', lostWrite(history, 200), lostWrite(history, 600)) };
    case 'liveness':
      return {
        linear,
        ...others,
        liveness: bad('no leader within 20 s after the faults were over', noLeader(history)),
      };
    case 'unknown':
      return {
        linear,
        ...others,
        faults: unknown('the partition at 12.5 s was asked for, but node 3 still answered node 1', { faults: 7 }),
      };
    case 'hostile':
      return { linear: bad(`key ${hostileTexts[0]} is not linearizable`, plainAnomaly(history)), ...others };
  }
}

function indicesOf(history: readonly Op[], test: (op: Op) => boolean): number[] {
  return history.filter(test).map(({ index }) => index);
}

function staleRead(history: readonly Op[]): Anomaly {
  const story = indicesOf(history, ({ key }) => key === 'stale');
  const invokes = story.filter((index) => history[index]?.type === 'invoke');
  const [, , w2 = 0, , r0 = 0] = invokes;
  return {
    kind: 'nonlinearizable',
    message: 'process 903 read 9000 from key "stale" after 9001 had been written and read',
    key: 'stale',
    ops: story,
    evidence: {
      conflict: 'search',
      minimal: true,
      prefixes: [
        {
          state: 'the register holds 9001',
          ahead: [],
          refused: [{ op: r0, why: 'read → 9000 is refused: the register holds 9001' }],
          open: [w2],
        },
        {
          state: 'the register holds 9002',
          ahead: [w2],
          refused: [{ op: r0, why: 'read → 9000 is refused: the register holds 9002' }],
          open: [],
        },
      ],
    },
  };
}

function plainAnomaly(history: readonly Op[]): Anomaly {
  const key = history[0]?.key ?? 'account';
  const ops = indicesOf(history, (op) => op.key === key).slice(0, 16);
  return {
    kind: 'nonlinearizable',
    message: `no order of the operations on key ${JSON.stringify(key)} explains what they answered`,
    key,
    ops,
    evidence: { configurations: 1831, path: 'search' },
  };
}

function cycle(history: readonly Op[]): Anomaly {
  const [a = 0, b = 2, c = 4] = [100, 104, 110].map((at) => history[at]?.index);
  return {
    kind: 'G-single',
    message: 'a cycle of three transactions with one anti-dependency',
    ops: [a, a + 1, b, b + 1, c, c + 1],
    evidence: {
      edges: [
        { from: a, to: b, kind: 'ww', because: 'T2 appended 17 to key y directly after T1 appended 16' },
        { from: b, to: c, kind: 'wr', because: 'T3 read T2’s append of 17 to key y' },
        { from: c, to: a, kind: 'rw', because: 'T3 read key x without T1’s append of 4' },
      ],
      cycle: [a, b, c],
    },
  };
}

function lostWrite(history: readonly Op[], from: number): Anomaly {
  const invoke = history.find(({ index, type, f }) => index >= from && type === 'invoke' && f === 'write');
  const index = invoke?.index ?? 0;
  const completion = history.find((op) => op.index > index && op.process === invoke?.process);
  return {
    kind: 'lost-write',
    message: `write ${JSON.stringify(invoke?.value ?? null)} on key ${JSON.stringify(invoke?.key ?? null)} (operation ${invoke?.op}) was acknowledged by node ${invoke?.node} but only 1 applied it; another entry stands there on 2, 3, 4, 5`,
    ...(invoke?.key !== undefined && { key: invoke.key }),
    ops: [index, completion?.index ?? index],
    evidence: {
      op: invoke?.op ?? '',
      f: 'write',
      key: invoke?.key ?? null,
      value: invoke?.value ?? null,
      acknowledgedBy: invoke?.node ?? null,
      at: [{ index: 411, term: 3, effect: 'applied', nodes: ['1'] }],
      lackedBy: ['2', '3', '4', '5'],
    },
  };
}

function noLeader(history: readonly Op[]): Anomaly {
  const time = (history.at(-1)?.time ?? 0) - 2e8;
  return {
    kind: 'no-leader',
    message: 'no node led within 20 s after the last fault was over',
    ops: [],
    evidence: {
      time,
      waitedMs: 20_000,
      statuses: ['1', '2', '3', '4', '5'].map((node) => ({
        node,
        role: 'candidate',
        term: 60 + Number(node),
        leader: null,
        applied: 830,
      })),
    },
  };
}
