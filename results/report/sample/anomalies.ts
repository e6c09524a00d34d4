import type { Op } from '../../../checker/history/op.ts';
import type { Anomaly } from '../../../checker/verdict.ts';

function indicesOf(history: readonly Op[], test: (op: Op) => boolean): number[] {
  return history.filter(test).map(({ index }) => index);
}

export function staleRead(history: readonly Op[]): Anomaly {
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

export function plainAnomaly(history: readonly Op[]): Anomaly {
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

export function cycle(history: readonly Op[]): Anomaly {
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

export function lostWrite(history: readonly Op[], from: number): Anomaly {
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

export function noLeader(history: readonly Op[]): Anomaly {
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
