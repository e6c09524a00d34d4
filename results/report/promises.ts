/** Kinds of anomaly as the promise that they break, in everyday words. docs/results.md lists the kinds. */
const promises: { readonly [kind: string]: string } = {
  nonlinearizable: 'Every operation takes effect once, at one instant between its call and its answer.',

  'lost-write': 'A write that was acknowledged is never lost.',
  'acknowledged-without-effect': 'A write that was acknowledged took effect.',
  'applied-twice': 'A write takes effect once, however often it is retried.',
  'failed-but-applied': 'A write that was reported as failed never takes effect.',
  'log-divergence': 'All nodes apply the same entry at the same index.',
  'state-divergence': 'Nodes that have applied the same entries hold the same state.',
  'two-leaders': 'A term has at most one leader.',
  'term-regression': 'Terms never fall along the log.',
  gap: 'A node applies every entry, or installs a snapshot that holds it.',
  'applied-again': 'A node applies an entry once.',
  'state-from-nowhere': 'A node restarts only with state that it had.',

  crash: 'A node runs until it is told to stop.',
  'log-pattern': 'No node logs what was asked never to be logged.',
  'ineffective-fault': 'Every fault that was asked for took effect.',
  'no-convergence': 'Once the faults are over, the nodes find a leader and reach the same state.',
  'not-serving': 'Once the faults are over, every node serves again.',
  'core-not-serving': 'A majority of nodes that can reach each other goes on to serve, whatever happens to the rest.',

  G0: 'The writes of two transactions never interleave (no dirty write).',
  G1a: 'Nobody reads what a failed transaction wrote (no aborted read).',
  G1b: 'Nobody reads what a transaction wrote only in passing (no intermediate read).',
  G1c: 'Transactions do not learn of each other in a circle.',
  internal: 'A transaction sees its own writes, and reads the same when it reads again.',
  'garbage-read': 'A read returns only what somebody wrote.',
  'lost-update': 'An update is never overwritten by one that did not know of it.',
  'dirty-update': 'An update never builds upon what a failed transaction wrote.',
  'duplicate-elements': 'An element that was appended once is in the list once.',
  'incompatible-order': 'All reads of a list agree on the order of its elements.',
  'cyclic-versions': 'The versions of a key have one order.',
  future: 'A transaction does not read its own later writes.',

  'wrong-total': 'Transfers move money: every read finds the same total.',
  'unexpected-key': 'Only the accounts that there are have balances.',
  'nil-balance': 'Every account has a balance.',
  'negative-value': 'No account is overdrawn.',
  'long-fork': 'All readers agree which of two writes came first.',

  'lost-element': 'An element that was acknowledged is never lost.',
  'stale-element': 'What one read has shown, later reads show too.',
  'unexpected-element': 'Only what was added is ever seen.',
  'duplicated-element': 'An element that was added once is seen once.',
  'out-of-bounds': 'A counter is at least what was acknowledged and at most what was tried.',
  'duplicate-id': 'An id is handed out once.',

  'missed-event': 'A watcher is told of every change.',
  'repeated-event': 'A watcher is told of a change once.',
  'out-of-order-event': 'A watcher is told of changes in their order.',
  'early-event': 'A watcher is told of nothing before the revision that it asked for.',
  'unasked-event': 'A watcher is told only of the keys that it asked for.',
  'unexpected-event': 'A watcher is told only of what was written.',
  'conflicting-event': 'All watchers are told the same of a revision.',
  'revision-regression': 'Revisions never fall.',
  'shared-revision': 'Every write has a revision of its own.',
};

/** Parts of names that stand for a family. */
const families: readonly (readonly [RegExp, string])[] = [
  [/^G-single/, 'A transaction sees all of another or nothing of it (no read skew).'],
  [/^G-nonadjacent|^G2|^G-/, 'Transactions behave as if they ran one after another.'],
  [/^PL-|-cycle$|predicate/, 'Transactions behave as if they ran one after another.'],
  [
    /read-your-writes|monotonic-reads|monotonic-writes|writes-follow-reads/,
    'A client sees its own writes and never goes back in time.',
  ],
];

/** The promise that an anomaly breaks; of a kind that nobody put into words, the section that found it. */
export function promiseOf(section: string, kind: string): string {
  const plain = kind.replace(/-(process|realtime)$/, '');
  const known = promises[kind] ?? promises[plain] ?? families.find(([name]) => name.test(plain))?.[1];
  if (known === undefined) return `What the section ${section} checks.`;
  return plain === kind ? known : `${known} And that order is the one in which they were seen to run.`;
}
