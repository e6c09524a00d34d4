import t from 'tap';
import { Moments } from '../target/moments.ts';
import { Sights } from './sights.ts';

interface Node {
  readonly id: number;
  readonly role: 'leader' | 'follower';
  readonly term: number;
  readonly commit: number;
  readonly terms: readonly number[];
}

/** What is seen when these come one after another, the last of each id being what it is now. */
async function seen(moment: 'committed' | 'old-append', ...nodes: readonly Node[]) {
  const now = new Map<number, Node>();
  const inspect = ({ role, term, commit, terms }: Node) => ({
    raft: { hardState: { term, commit }, softState: { role, leader: 1 }, lastIndex: terms.length },
    termAt: (index: number) => terms[index - 1],
  });
  const moments = new Moments(
    () => ({ cancel() {} }),
    (id) => String(id),
  );
  const sights = new Sights(
    { count: 3, termsAt: (index) => [...now.values()].map(({ terms }) => terms[index - 1]) },
    moments,
  );
  let found: unknown;
  void moments.next(moment, 1).then((happening) => {
    found = happening;
  });
  for (const node of nodes) {
    now.set(node.id, node);
    sights.look({ number: node.id }, inspect(node));
  }
  await Promise.resolve();
  return found;
}

const node = (id: number, role: Node['role'], term: number, commit: number, ...terms: readonly number[]): Node => ({
  id,
  role,
  term,
  commit,
  terms,
});

t.test('a leader that comes to know of a commit of its own term', async (t) => {
  const before = node(1, 'leader', 2, 1, 1, 2, 2);
  t.same(await seen('committed', before, node(1, 'leader', 2, 2, 1, 2, 2)), { node: '1' });
  t.equal(await seen('committed', before, before), undefined, 'nothing new');
  t.equal(await seen('committed', node(1, 'leader', 2, 0, 1, 2), before), undefined, 'of an earlier term');
  t.equal(await seen('committed', node(1, 'leader', 2, 1, 1, 2), node(1, 'follower', 2, 2, 1, 2)), undefined);
});

t.test('an entry of an earlier term that has come to most nodes', async (t) => {
  const leader = node(1, 'leader', 4, 1, 1, 2, 4);
  t.same(await seen('old-append', leader, node(2, 'follower', 4, 1, 1, 2)), { node: '1', peer: '2' });
  t.equal(await seen('old-append', leader, node(2, 'follower', 4, 1, 1, 3)), undefined, 'another entry');
  t.equal(await seen('old-append', leader, node(2, 'follower', 4, 1, 1, 2, 4)), undefined, 'and one of its own');
  t.equal(await seen('old-append', leader, node(2, 'follower', 4, 2, 1, 2)), undefined, 'known to be committed');
});
