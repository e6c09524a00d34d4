import { createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { Client, createHttpExchange, type Exchange, type ExchangeRequest, type ExchangeResult } from './index.ts';
import { encodeKey, fromJsonBytes, toJsonBytes } from './value.ts';

function answering(result: ExchangeResult): { client: Client; requests: ExchangeRequest[] } {
  const requests: ExchangeRequest[] = [];
  const exchange: Exchange = (_, request, done) => {
    requests.push(request);
    setImmediate(done, result);
  };
  return { client: new Client('node', exchange), requests };
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
const bodyOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const answer = (status: number, value: unknown = {}): ExchangeResult => ({
  type: 'answer',
  status,
  headers: {},
  body: bodyOf(value),
});

t.test('what may be concluded from each answer to a write', async (t) => {
  for (const status of [400, 404, 405, 411, 412, 413, 414, 429, 431, 503]) {
    const { client } = answering(answer(status, { error: 'name', message: 'text' }));
    t.match(await client.put('k', 'v'), { ok: false, outcome: 'none', error: 'name', status }, `${status}`);
  }
  for (const status of [301, 408, 418, 500, 501, 502, 504, 599]) {
    const { client } = answering(answer(status, { error: 'name', message: 'text' }));
    t.match(await client.cas('k', null, 'v'), { ok: false, outcome: 'unknown', error: 'name' }, `${status}`);
    t.match(await client.get('k'), { ok: false, outcome: 'none' }, 'a read has no effect');
  }
  t.match(await answering(answer(200, { revision: 3 })).client.put('k', 'v'), { ok: true, value: { revision: 3 } });
  t.match(await answering(answer(200, { nonsense: 1 })).client.put('k', 'v'), { ok: false, outcome: 'unknown' });
  t.match(await answering(answer(404)).client.get('k'), { ok: true, value: null });
});

t.test('a request without an answer: it matters whether a byte was sent', async (t) => {
  const failed = (sent: boolean): ExchangeResult => ({ type: 'failure', error: 'e', message: 'm', sent });
  t.match(await answering(failed(false)).client.append('k', 'v'), { ok: false, outcome: 'none', error: 'e' });
  t.match(await answering(failed(true)).client.append('k', 'v'), { ok: false, outcome: 'unknown', error: 'e' });
  t.match(await answering(failed(true)).client.range({ from: 'a', to: 'b', limit: 1 }), { outcome: 'none' });
});

t.test('a watch is collected for as long as was asked', async (t) => {
  const told = bytesOf('id: 7\ndata: {"revision":7,"events":[{"type":"put","key":"w1","value":"v"}]}\n\n');
  const { client, requests } = answering({ type: 'answer', status: 200, headers: {}, body: told });
  t.match(await client.watch('w', { from: 5, collectMs: 400 }), { ok: true, value: [{ revision: 7 }] });
  t.match(requests, [{ method: 'GET', path: '/v1/watch?prefix=w&from=5', collectMs: 400 }]);
});

t.test('a list among the values is its own JSON text, as reading its key gives it', async (t) => {
  const list = ['a', { base64: '/w==' }];
  const text = '["a",{"base64":"/w=="}]';
  const range = answer(200, { revision: 9, items: [{ key: 'l', value: list, revision: 7 }], more: false });
  const got = await answering(range).client.range({ from: 'a', to: 'z', limit: 5 });
  t.match(got, { ok: true, value: { revision: 9, items: [{ key: bytesOf('l'), value: bytesOf(text), revision: 7 }] } });
  const results = [{ op: 'get', value: list, revision: 7 }];
  const txn = answer(200, { revision: 9, succeeded: true, results });
  t.match(await answering(txn).client.txn({ compare: [], success: [{ op: 'get', key: 'l' }], failure: [] }), {
    ok: true,
    value: { results: [{ op: 'get', value: bytesOf(text), revision: 7 }] },
  });
});

t.test('requests carry their operation, their deadline and their session', async (t) => {
  const { client, requests } = answering(answer(200, { revision: 1 }));
  await client.put('a/b %', Uint8Array.of(0, 255), {
    operationId: '3-1',
    timeoutMs: 70,
    session: { id: '5', sequence: 2 },
    revision: 0,
  });
  t.match(requests[0], {
    method: 'PUT',
    path: '/v1/kv/a%2Fb%20%25?revision=0',
    headers: { 'operation-id': '3-1', 'timeout-ms': '70', session: '5', sequence: '2' },
    body: Uint8Array.of(0, 255),
    timeoutMs: 70,
  });
});

t.test('any bytes survive JSON and paths', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const json: unknown = JSON.parse(JSON.stringify(toJsonBytes(bytes)));
      const decoded = encodeKey(bytes).replace(/%(..)/g, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      );
      return (
        Buffer.compare(fromJsonBytes(json) ?? new Uint8Array(1), bytes) === 0 &&
        Buffer.from(decoded, 'latin1').compare(bytes) === 0
      );
    }),
  );
});

/** A server that does to each connection what the test says. */
async function tcp(onSocket: (socket: Socket) => void): Promise<{ server: Server; url: string }> {
  const server = createServer(onSocket);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { server, url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}` };
}

t.test('over real sockets, each request is sent at most once', async (t) => {
  const { exchange, close } = createHttpExchange();
  t.teardown(close);

  const refused = await tcp(() => {});
  await new Promise((resolve) => refused.server.close(resolve));
  t.match(await new Client(refused.url, exchange).put('k', 'v'), { outcome: 'none', error: 'connection-refused' });

  const sockets = new Set<Socket>();
  const silent = await tcp((socket) => sockets.add(socket));
  t.match(await new Client(silent.url, exchange).put('k', 'v', { timeoutMs: 60 }), {
    outcome: 'unknown',
    error: 'timeout',
  });

  let heard = 0;
  const resetting = await tcp((socket) => {
    socket.on('data', () => {
      heard++;
      socket.resetAndDestroy();
    });
    socket.on('error', () => {});
  });
  t.match(await new Client(resetting.url, exchange).put('k', 'v'), { outcome: 'unknown', error: 'connection-reset' });
  t.match(await new Client(resetting.url, exchange).get('k'), { outcome: 'none' });
  t.equal(heard, 2, 'nothing was tried again');

  // A standing connection that the node closes while the next request is on its way.
  let requests = 0;
  const closing = await tcp((socket) => {
    socket.on('data', () => {
      requests++;
      if (requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"revision":1}');
      else socket.end();
    });
    socket.on('error', () => {});
  });
  const client = new Client(closing.url, exchange);
  t.match(await client.put('k', '1'), { ok: true });
  t.match(await client.put('k', '2', { timeoutMs: 500 }), { ok: false, outcome: 'unknown' });
  t.equal(requests, 2, 'nothing was sent twice');

  for (const socket of sockets) socket.destroy();
  for (const { server } of [silent, resetting, closing]) server.close();
});
