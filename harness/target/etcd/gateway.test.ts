import t from 'tap';
import type { ExchangeRequest, ExchangeResult } from '../../../system/client/index.ts';
import { EtcdGateway } from './gateway.ts';

function through(result: ExchangeResult) {
  const sent: ExchangeRequest[] = [];
  const gateway = new EtcdGateway('http://node', (_, request, done) => {
    sent.push(request);
    setImmediate(done, result);
  });
  return { store: gateway.store(false), stale: gateway.store(true), sent };
}

const answer = (status: number, body: unknown): ExchangeResult => ({
  type: 'answer',
  status,
  headers: {},
  body: new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)),
});
const lost = (sent: boolean): ExchangeResult => ({ type: 'failure', error: 'timeout', message: 'timeout', sent });
const refusal = (code: number, message: string): ExchangeResult => answer(503, { code, message, error: message });

t.test('a failure says no more than is certain', async (t) => {
  const table: readonly (readonly [string, ExchangeResult, string, string])[] = [
    ['not a byte was sent', lost(false), 'none', 'timeout'],
    ['no answer', lost(true), 'unknown', 'timeout'],
    ['etcd gave up', refusal(14, 'etcdserver: request timed out'), 'unknown', 'request-timed-out'],
    ['the leader changed', refusal(14, 'etcdserver: leader changed'), 'unknown', 'leader-changed'],
    ['too many requests', refusal(8, 'etcdserver: too many requests'), 'none', 'too-many-requests'],
    ['a wrong request', refusal(3, 'etcdserver: key is not provided'), 'none', 'key-is-not-provided'],
    ['no JSON', answer(502, '<html>'), 'unknown', 'status-502'],
    ['an acknowledgement that cannot be read', answer(200, '<html>'), 'unknown', 'unintelligible-answer'],
  ];
  for (const [name, result, outcome, error] of table) {
    const { store } = through(result);
    t.match(await store.write([], [['k', '1']], {}), { ok: false, outcome, error }, name);
    t.match(await store.read(['k'], {}), { ok: false, outcome: 'none', error }, `${name}, to a read`);
  }
});

t.test('what the gateway leaves out is zero, false or empty', async (t) => {
  t.same(await through(answer(200, { header: {} })).store.write([], [['k', '1']], {}), { ok: true, value: false });
  const body = {
    succeeded: true,
    responses: [{ response_range: { kvs: [{ value: 'NQ==', mod_revision: '7' }] } }, { response_range: {} }],
  };
  const { store, stale, sent } = through(answer(200, body));
  const found = [
    { value: '5', revision: 7 },
    { value: null, revision: 0 },
  ];
  t.same(await store.read(['a', 'b'], {}), { ok: true, value: found });
  t.same(await stale.read(['a', 'b'], {}), { ok: true, value: found });
  const asked = sent.map(({ body: bytes }) => JSON.parse(new TextDecoder().decode(bytes)).success[0].request_range);
  t.same(asked, [
    { key: 'YQ==', serializable: false },
    { key: 'YQ==', serializable: true },
  ]);
});
