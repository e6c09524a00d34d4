import t from 'tap';
import { type ExchangeRequest, type ExchangeResult, Client as StoreClient } from '../../system/client/index.ts';
import { kvClient } from './kv-operations.ts';
import type { Outcome, Request } from './target.ts';

/** One operation through the real client, over an exchange that gives this result; with what was sent. */
async function through(result: ExchangeResult, request: Omit<Request, 'op' | 'process'>) {
  const sent: ExchangeRequest[] = [];
  const store = new StoreClient('http://node', (_, exchanged, done) => {
    sent.push(exchanged);
    setImmediate(done, result);
  });
  const outcome = await new Promise<Outcome>((resolve) =>
    kvClient(store, 'register', 700).invoke({ ...request, op: '3-17', process: 3 }, resolve),
  );
  return { outcome, sent };
}

function answer(status: number, body: string, headers: Record<string, string> = {}): ExchangeResult {
  return { type: 'answer', status, headers, body: new TextEncoder().encode(body) };
}

const errorBody = (error: string) => JSON.stringify({ error, message: error });
const lost = (error: string, sent: boolean): ExchangeResult => ({ type: 'failure', error, message: error, sent });

const read = { f: 'read', key: 'r1', value: null };
const write = { f: 'write', key: 'r1', value: 7 };
const cas = { f: 'cas', key: 'r1', value: [7, 8] };

t.test('an outcome says no more than is certain', async (t) => {
  const table: readonly (readonly [string, Omit<Request, 'op' | 'process'>, ExchangeResult, Outcome])[] = [
    ['a read', read, answer(200, '7', { revision: '4' }), { type: 'ok', value: 7 }],
    ['a read of nothing', read, answer(404, errorBody('not-found')), { type: 'ok', value: null }],
    ['a write', write, answer(200, '{"revision":5}'), { type: 'ok' }],
    ['a cas', cas, answer(200, '{"revision":5}'), { type: 'ok' }],
    [
      'a cas that saw another value',
      cas,
      answer(412, errorBody('cas-mismatch')),
      { type: 'fail', error: 'cas-mismatch' },
    ],
    ['no leader', write, answer(503, errorBody('no-leader')), { type: 'fail', error: 'no-leader' }],
    ['too many', write, answer(429, errorBody('busy')), { type: 'fail', error: 'busy' }],
    ['too large', write, answer(413, errorBody('too-large')), { type: 'fail', error: 'too-large' }],
    ['a time-out of the store', write, answer(504, errorBody('timeout')), { type: 'info', error: 'timeout' }],
    ['another 5xx', write, answer(500, 'oops'), { type: 'info', error: 'http-500' }],
    ['an answer that nobody documented', write, answer(302, ''), { type: 'info', error: 'http-302' }],
    [
      'an acknowledgement that cannot be read',
      write,
      answer(200, '<html>'),
      { type: 'info', error: 'unintelligible-answer' },
    ],
    [
      'refused before a byte was sent',
      write,
      lost('connection-refused', false),
      { type: 'fail', error: 'connection-refused' },
    ],
    ['reset after it was sent', write, lost('connection-reset', true), { type: 'info', error: 'connection-reset' }],
    ['no answer in time', write, lost('timeout', true), { type: 'info', error: 'timeout' }],
    ['no answer in time to a cas', cas, lost('timeout', true), { type: 'info', error: 'timeout' }],
    ['a read without an answer', read, lost('timeout', true), { type: 'fail', error: 'timeout' }],
    ['a read that the store gave up', read, answer(504, errorBody('timeout')), { type: 'fail', error: 'timeout' }],
  ];
  for (const [name, request, result, expected] of table) {
    t.same((await through(result, request)).outcome, expected, name);
  }
});

t.test('every request carries its operation id and its time-out', async (t) => {
  for (const request of [read, write, cas]) {
    const { sent } = await through(lost('timeout', true), request);
    t.equal(sent.length, 1, 'and is sent once');
    t.match(sent[0]?.headers, { 'operation-id': '3-17', 'timeout-ms': '700' });
  }
});

t.test('a client that breaks leaves the outcome open', async (t) => {
  const broken = { get: fails, put: fails, cas: fails, append: fails, txn: fails };
  for (const request of [read, write, cas]) {
    const outcome = await new Promise<Outcome>((resolve) =>
      kvClient(broken, 'register', 700).invoke({ ...request, op: '1-1', process: 1 }, resolve),
    );
    t.match(outcome, { type: 'info', error: /client-error/ });
  }
});

async function fails(): Promise<never> {
  throw new Error('broken');
}
