import fc from 'fast-check';
import t from 'tap';
import { MemoryWorld } from '../node/testing/memory-world.ts';
import type { Connection } from '../ports.ts';
import { defaultHttpLimits, HttpError, HttpParser, type ParsedRequest } from './http-parser.ts';
import { serveHttp } from './http-server.ts';
import { type ApiRequest, type ApiResponse, empty, json } from './request.ts';

const bytesOf = (text: string) => Uint8Array.from(text, (unit) => unit.charCodeAt(0));
const textOf = (bytes: Uint8Array) => String.fromCharCode(...bytes);

/** What the parser makes of the bytes, cut into pieces of these sizes in turn. */
function parse(
  stream: Uint8Array,
  cuts: readonly number[] = [stream.length],
): { requests: ParsedRequest[]; error?: HttpError } {
  const requests: ParsedRequest[] = [];
  const parser = new HttpParser(
    defaultHttpLimits,
    (request) => requests.push(request),
    () => {},
  );
  try {
    for (let at = 0, turn = 0; at < stream.length; turn++) {
      const length = Math.max(1, cuts[turn % cuts.length]!);
      parser.push(stream.slice(at, at + length));
      at += length;
    }
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    return { requests, error };
  }
  return { requests };
}

const token = fc
  .stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
  .filter((name) => !['host', 'expect', 'connection'].includes(name));
const sent = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE'),
  target: fc.stringMatching(/^\/[!-~]{0,20}$/).filter((target) => !target.startsWith('//')),
  headers: fc.dictionary(
    token.map((name) => `x-${name}`),
    fc.stringMatching(/^[!-~]{0,10}$/),
    { maxKeys: 4 },
  ),
  body: fc.uint8Array({ maxLength: 60 }),
  chunks: fc.option(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 }), { nil: undefined }),
});
type Sent = typeof sent extends fc.Arbitrary<infer T> ? T : never;

function encode({ method, target, headers, body, chunks }: Sent): Uint8Array {
  let head = `${method} ${target} HTTP/1.1\r\nHost: h\r\n`;
  for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
  if (chunks === undefined) return bytesOf(`${head}Content-Length: ${body.length}\r\n\r\n${textOf(body)}`);
  let text = `${head}Transfer-Encoding: chunked\r\n\r\n`;
  for (let at = 0, turn = 0; at < body.length; turn++) {
    const piece = body.subarray(at, at + chunks[turn % chunks.length]!);
    text += `${piece.length.toString(16)};x=y\r\n${textOf(piece)}\r\n`;
    at += piece.length;
  }
  return bytesOf(`${text}0\r\nTrailer: t\r\n\r\n`);
}

t.test('requests survive any cutting of the stream, pipelined, by length and in chunks', async () => {
  fc.assert(
    fc.property(
      fc.array(sent, { maxLength: 4 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (all, cuts) => {
        const stream = Uint8Array.from(all.flatMap((one) => [...encode(one)]));
        const { requests, error } = parse(stream, cuts);
        if (error !== undefined) throw error;
        return (
          requests.length === all.length &&
          requests.every(({ method, target, headers, body }, at) => {
            const one = all[at]!;
            return (
              method === one.method &&
              target === one.target &&
              Buffer.compare(body, one.body) === 0 &&
              Object.entries(one.headers).every(([name, value]) => headers[name] === value)
            );
          })
        );
      },
    ),
  );
});

t.test('header lines like those before are told from others, however alike', async (t) => {
  const same = 'Host: h\r\nX-Name: a\r\nContent-Length: 1\r\n\r\n';
  const stream = [
    `PUT /a HTTP/1.1\r\n${same}1`,
    `PUT /b HTTP/1.1\r\n${same}2`,
    'PUT /c HTTP/1.1\r\nHost: h\r\nX-Name: b\r\nContent-Length: 1\r\n\r\n3',
    `DELETE /d?x HTTP/1.0\r\n${same}4`,
    'GET /e HTTP/1.1\r\nHost: h\r\n\r\n',
    'GET /f HTTP/1.1\r\nHost: h\r\nX-Name: c\r\n\r\n',
    'GET /g HTTP/1.1\r\nHost: h\r\n\r\n',
  ].join('');
  for (const cut of [1, 7, 50, stream.length]) {
    const { requests, error } = parse(bytesOf(stream), [cut]);
    t.equal(error, undefined);
    t.strictSame(
      requests.map(({ method, target, headers, keepAlive, body }) => [
        `${method} ${target} ${keepAlive ? 'stays' : 'ends'}`,
        headers['x-name'],
        textOf(body),
      ]),
      [
        ['PUT /a stays', 'a', '1'],
        ['PUT /b stays', 'a', '2'],
        ['PUT /c stays', 'b', '3'],
        ['DELETE /d?x ends', 'a', '4'],
        ['GET /e stays', undefined, ''],
        ['GET /f stays', 'c', ''],
        ['GET /g stays', undefined, ''],
      ],
    );
  }
  t.equal(parse(bytesOf(`GET /a HTTP/1.1\r\n${same}1PUT /b HTTP/1.1\r\nHost: h\r\n\r\n`)).error?.status, 411);
  const repeatsNothing = 'GET /a HTTP/1.0\r\n\r\n';
  t.equal(parse(bytesOf(`${repeatsNothing.repeat(2)}GET /a HTTP/1.1\r\n\r\n`)).error?.status, 400, 'no Host');
});

t.test('garbage never gets past the parser as anything but an HttpError', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      parse(bytes, [7]);
    }),
  );
});

t.test('what is malformed or too large is refused', async (t) => {
  const status = (text: string) => parse(bytesOf(text)).error?.status;
  const get = 'GET /a HTTP/1.1\r\nHost: h\r\n';
  t.equal(status('GET /a HTTP/1.1\r\n\r\n'), 400, 'no Host');
  t.equal(status('GET /a HTTP/2.0\r\nHost: h\r\n\r\n'), 400);
  t.equal(status('GET a HTTP/1.1\r\nHost: h\r\n\r\n'), 400);
  t.equal(status('GET  /a HTTP/1.1\r\nHost: h\r\n\r\n'), 400);
  t.equal(status('GET /a HTTP/1.1\nHost: h\n\n'), 400, 'bare newlines');
  t.equal(status(`${get}Name : value\r\n\r\n`), 400, 'a space before the colon');
  t.equal(status(`${get}Name: a\r\n b\r\n\r\n`), 400, 'a folded header');
  t.equal(status(`${get}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx`), 400);
  t.equal(status(`${get}Content-Length: +1\r\n\r\nx`), 400);
  t.equal(status(`${get}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`), 400);
  t.equal(status(`${get}Transfer-Encoding: gzip\r\n\r\n`), 400);
  t.equal(status(`${get}Transfer-Encoding: chunked\r\n\r\nx\r\n`), 400);
  t.equal(status(`${get}Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n`), 400, 'a chunk that is too long');
  t.equal(status('PUT /a HTTP/1.1\r\nHost: h\r\n\r\n'), 411);
  t.equal(status(`${get}Content-Length: ${defaultHttpLimits.bodyBytesMax + 1}\r\n\r\n`), 413);
  t.equal(status(`${get}Transfer-Encoding: chunked\r\n\r\nffffffff\r\n`), 413);
  t.equal(status(`GET /${'a'.repeat(defaultHttpLimits.requestLineBytesMax)}`), 414);
  t.equal(status(`${get}A: ${'a'.repeat(defaultHttpLimits.headerBytesMax)}\r\n\r\n`), 431);
  t.equal(status(`${get}${'A: b\r\n'.repeat(101)}\r\n`), 431);
  t.equal(status(`${get}\r\n`), undefined);
});

/** A server in the memory world and one raw connection to it. */
async function serve(handle: (request: ApiRequest, respond: (response: ApiResponse) => void) => void) {
  const world = new MemoryWorld(1);
  const ports = world.ports('server');
  const server = await serveHttp(ports, { host: 'h', port: 80 }, handle);
  let received = '';
  let isClosed = false;
  const connection: Connection = world.ports('client').network.connect(
    { host: 'h', port: 80 },
    {
      data: (chunk) => {
        received += textOf(chunk);
      },
      closed: () => {
        isClosed = true;
      },
    },
  );
  return { world, server, connection, received: () => received, isClosed: () => isClosed };
}

t.test('pipelined requests are answered in order, whenever their answers come', async (t) => {
  const answers: (() => void)[] = [];
  const { world, connection, received } = await serve(({ target }, respond) => {
    answers.push(() => respond(json(200, { target })));
  });
  connection.write([bytesOf('GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n')]);
  await world.until('both are asked', () => answers.length === 2);
  answers[1]!();
  await world.pass(10);
  t.equal(received(), '');
  answers[0]!();
  await world.until('both are answered', () => received().includes('/2'));
  t.match(received(), /^HTTP\/1.1 200 OK\r\n[\s\S]*\{"target":"\/1"\}HTTP\/1.1 200 OK\r\n[\s\S]*\{"target":"\/2"\}$/);
});

t.test('after garbage the answers before it go out, then a 400, then the end', async (t) => {
  const { world, connection, received, isClosed } = await serve((_, respond) => respond(empty(204)));
  connection.write([bytesOf('GET /1 HTTP/1.1\r\nHost: h\r\n\r\nnonsense\r\n\r\n')]);
  await world.until('the end', () => isClosed());
  t.match(received(), /^HTTP\/1.1 204 No Content\r\n\r\nHTTP\/1.1 400 Bad Request\r\n/);
});

t.test('what goes beyond a bound gets its own answer, reaches no handler, and ends the connection', async (t) => {
  const { requestLineBytesMax, headerBytesMax, bodyBytesMax } = defaultHttpLimits;
  const put = 'PUT /a HTTP/1.1\r\nHost: h\r\n';
  const beyond: readonly [string, string][] = [
    ['411 Length Required', `${put}\r\n`],
    ['413 Content Too Large', `${put}Content-Length: ${bodyBytesMax + 1}\r\n\r\n`],
    ['413 Content Too Large', `${put}Transfer-Encoding: chunked\r\n\r\n${(bodyBytesMax + 1).toString(16)}\r\n`],
    ['414 URI Too Long', `GET /${'a'.repeat(requestLineBytesMax)} HTTP/1.1\r\n`],
    ['431 Request Header Fields Too Large', `${put}A: ${'a'.repeat(headerBytesMax)}\r\n`],
    ['431 Request Header Fields Too Large', `${put}${'A: b\r\n'.repeat(101)}`],
  ];
  for (const [answer, text] of beyond) {
    let handled = 0;
    const { world, connection, received, isClosed } = await serve(() => {
      handled++;
    });
    connection.write([bytesOf(text)]);
    await world.until('the end', () => isClosed());
    t.ok(received().startsWith(`HTTP/1.1 ${answer}\r\n`), received().slice(0, 60));
    t.match(received(), /\{"error":"[a-z-]+","message":"[^"]+"\}\n$/);
    t.equal(handled, 0);
  }
});

t.test('connections end when asked to, and HEAD has no body', async (t) => {
  const { world, connection, received, isClosed } = await serve((_, respond) => respond(json(200, 'text')));
  connection.write([bytesOf('HEAD /1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')]);
  await world.until('the end', () => isClosed());
  t.match(received(), /Content-Length: 6\r\nConnection: close\r\n\r\n$/);
});

t.test('a silent connection is closed in the end', async (t) => {
  const { world, connection, isClosed } = await serve(() => {});
  connection.write([bytesOf('GET /1 HT')]);
  await world.until('the end', () => isClosed(), 130_000);
  t.ok(world.nowMs > 100_000);
});

t.test('a stream whose reader goes is told so', async (t) => {
  let cancelled = false;
  const { world, connection, received } = await serve((_, respond) => {
    const stream: ApiResponse['stream'] = (sink) => {
      sink.write(bytesOf('data: 1\n\n'));
      return () => {
        cancelled = true;
      };
    };
    respond({ status: 200, headers: {}, body: new Uint8Array(0), stream });
  });
  connection.write([bytesOf('GET /1 HTTP/1.1\r\nHost: h\r\n\r\n')]);
  await world.until('an event', () => received().endsWith('data: 1\n\n'));
  connection.destroy();
  await world.until('the cancelling', () => cancelled);
  t.ok(cancelled);
});
