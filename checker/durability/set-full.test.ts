import t from 'tap';
import type { Op, Value } from '../history/op.ts';
import { checkSetFull } from './set-full.ts';

type Step = readonly [process: number, type: Op['type'], f: string, value?: Value, key?: Value | undefined];

function history(...steps: readonly Step[]): Op[] {
  return steps.map(([process, type, f, value = null, key], index) => ({
    index,
    time: index,
    process,
    type,
    f,
    value,
    ...(key === undefined ? {} : { key }),
  }));
}

/** An operation alone: its invocation and at once its completion. */
function add(element: Value, type: Op['type'] = 'ok', key?: Value): Step[] {
  return [
    [0, 'invoke', 'add', element, key],
    [0, type, 'add', element, key],
  ];
}

function read(list: Value, key?: Value): Step[] {
  return [
    [1, 'invoke', 'read', null, key],
    [1, 'ok', 'read', list, key],
  ];
}

t.test('stable, lost, stale, never read', async (t) => {
  const steady = checkSetFull(history(...add(1), ...add('one'), ...read([1, 'one']), ...add(2)));
  t.equal(steady.valid, true);
  t.match(steady.counts, { elements: 3, reads: 1, stable: 2, lost: 0, stale: 0, neverRead: 1 });

  const lost = checkSetFull(history(...add(1), ...add(2), ...read([1, 2]), ...read([2])));
  t.equal(lost.valid, false);
  t.match(lost.anomalies, [
    { kind: 'lost-element', ops: [0, 1, 6, 7], evidence: { element: 1, known: 1, missingFrom: 7, shownBy: 5 } },
  ]);
  t.match(lost.anomalies[0]?.message, /^1, added by operation 0 .* is missing from the read of operation 7; no later/);

  const unseen = checkSetFull(history(...add(1), ...read([])));
  t.match(unseen.anomalies, [{ kind: 'lost-element', evidence: { element: 1 } }], 'acknowledged and never seen');
  t.notOk(unseen.anomalies[0]?.evidence.shownBy);

  const stale = history(...add(1), ...read([]), ...read([1]));
  t.equal(checkSetFull(stale).valid, true);
  t.equal(checkSetFull(stale).counts.stale, 1);
  const strict = checkSetFull(stale, { linearizable: true });
  t.equal(strict.valid, false);
  t.match(strict.anomalies, [{ kind: 'stale-element', evidence: { missingFrom: 3, shownBy: 5 } }]);
});

t.test('what is not known need not be there', async (t) => {
  const open = checkSetFull(history(...add(1, 'info'), [2, 'invoke', 'add', 2], ...add(3), ...read([3])));
  t.equal(open.valid, true, 'unknown outcomes, never seen');
  t.equal(open.counts.neverRead, 2);

  const seen = checkSetFull(history(...add(1, 'info'), ...read([1]), ...read([])));
  t.match(seen.anomalies, [{ kind: 'lost-element', evidence: { known: 3 } }], 'certain once it was seen');

  const concurrent = history(
    [1, 'invoke', 'read'],
    ...add(1),
    [1, 'ok', 'read', []],
    [2, 'invoke', 'read'],
    [3, 'invoke', 'read'],
    [3, 'ok', 'read', [1]],
    [2, 'ok', 'read', [1]],
  );
  t.equal(checkSetFull(concurrent, { linearizable: true }).valid, true, 'a read that began before the add was done');

  const failed = checkSetFull(history(...add(1, 'fail'), ...add(2), ...read([2])));
  t.equal(failed.valid, true);
  t.equal(failed.counts.neverRead, 0);
});

t.test('what cannot be in a set', async (t) => {
  const kinds = (...steps: readonly Step[]): readonly string[] =>
    checkSetFull(history(...steps)).anomalies.map(({ kind, message }) => `${kind}: ${message}`);
  t.match(kinds(...add(1), ...read([1, 7])), [/^unexpected-element: .* shows 7, which nobody added/]);
  t.match(kinds(...add(1, 'fail'), ...read([1])), [/^unexpected-element: .* every add failed/]);
  t.match(kinds(...read([1]), ...add(1), ...read([1])), [/^unexpected-element: .* only by operation 2/]);
  t.match(kinds(...add(1), ...read([1, 1])), [/^duplicated-element: .* shows 1, twice/]);
});

t.test('keys are sets of their own', async (t) => {
  const apart = checkSetFull(history(...add(1, 'ok', 'a'), ...add(1, 'ok', 'b'), ...read([1], 'a'), ...read([], 'b')));
  t.match(apart.anomalies, [{ kind: 'lost-element', key: 'b' }]);
  t.equal(apart.anomalies.length, 1);
  t.equal(apart.counts.keys, 2);
});

t.test('nothing is unknown', async (t) => {
  for (const [steps, reason] of [
    [[], /nothing was added/],
    [read([]), /nothing was added/],
    [add(1), /no read of a set completed/],
    [[...read([]), ...add(1)], /no read shows an element/],
    [[...add(1), ...read(1)], /operation 3 is a read of 1, which is no list/],
  ] as const) {
    const section = checkSetFull(history(...steps));
    t.equal(section.valid, 'unknown');
    t.match(section.reason, reason);
  }
});
