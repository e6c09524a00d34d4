import t from 'tap';
import { type Exchange, type ExchangeResult, Client as StoreClient } from '../../system/client/index.ts';
import { inSession } from './session-store.ts';

const answer = (status: number, body: string): ExchangeResult => ({
  type: 'answer',
  status,
  headers: {},
  body: new TextEncoder().encode(body),
});
const refused = (status: number, error: string) => answer(status, JSON.stringify({ error, message: error }));
const lost: ExchangeResult = { type: 'failure', error: 'timeout', message: 'no answer', sent: true };
const unreachable: ExchangeResult = { type: 'failure', error: 'connection-refused', message: 'nobody', sent: false };
const opened = answer(200, '{"session":"7"}');
const put = answer(200, '{"revision":5}');

/** A store of three nodes that answer one after the other with these, and what was asked of which. */
function storeThat(...results: readonly ExchangeResult[]) {
  const left = [...results];
  const asked: string[] = [];
  const exchange: Exchange = (node, { method, path, headers }, done) => {
    const { session = '', sequence = '' } = headers as Record<string, string>;
    asked.push(`${node} ${method} ${path}${session && ` ${session}/${sequence}`}${headers['operation-id'] ?? ''}`);
    done(left.shift() ?? lost);
  };
  const store = inSession('2', ['1', '2', '3'], (node) => new StoreClient(node, exchange));
  return { store, asked };
}

t.test('a write is sent again, elsewhere and by the same number, until somebody knows what became of it', async (t) => {
  const { store, asked } = storeThat(opened, lost, unreachable, put, put);
  t.match(await store.put('a', 'x', { operationId: ' op' }), { ok: true });
  t.match(await store.put('a', 'y'), { ok: true });
  t.same(asked, [
    '2 POST /v1/sessions',
    '2 PUT /v1/kv/a 7/1 op',
    '1 PUT /v1/kv/a 7/1 op',
    '3 PUT /v1/kv/a 7/1 op',
    '2 PUT /v1/kv/a 7/2',
  ]);
});

t.test('what is certain is said at once, and nothing more than that', async (t) => {
  const table: readonly (readonly [string, readonly ExchangeResult[], object, number])[] = [
    ['no session', [unreachable], { ok: false, outcome: 'none', error: 'connection-refused' }, 1],
    ['whether there is one is unknown', [lost], { ok: false, outcome: 'none', error: 'timeout' }, 1],
    ['nothing came of the first', [opened, unreachable], { ok: false, outcome: 'none' }, 2],
    ['the state did not allow it', [opened, refused(412, 'cas-mismatch')], { ok: false, outcome: 'none' }, 2],
    ['… as it was told again', [opened, lost, refused(412, 'cas-mismatch')], { ok: false, outcome: 'none' }, 3],
    ['a later one did nothing', [opened, lost, refused(412, 'sequence-stale')], { ok: false, outcome: 'unknown' }, 3],
    ['the session is over', [opened, lost, refused(412, 'session-expired')], { ok: false, outcome: 'unknown' }, 3],
    ['nobody ever knows', [opened], { ok: false, outcome: 'unknown', error: 'timeout' }, 6],
    ['… nor is reached', [opened, lost, ...Array(4).fill(unreachable)], { ok: false, outcome: 'unknown' }, 6],
  ];
  for (const [name, results, expected, requests] of table) {
    const { store, asked } = storeThat(...results);
    t.match(await store.put('a', 'x'), expected, name);
    t.equal(asked.length, requests, name);
  }
});

t.test('a session that is over is not used again', async (t) => {
  const { store, asked } = storeThat(opened, refused(412, 'session-expired'), answer(200, '{"session":"8"}'), put);
  t.match(await store.put('a', 'x'), { ok: false, outcome: 'none' });
  t.match(await store.put('a', 'x'), { ok: true });
  t.same(asked.at(-1), '2 PUT /v1/kv/a 8/1');
});
