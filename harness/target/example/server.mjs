// A store to try splitbrain on: registers over HTTP, on several nodes, of which the first is the primary for ever and
// the others ask it. A write is in the primary's log file before it is acknowledged, so it outlives the process.
//
//   node server.mjs HOST PORT LOG PRIMARY-URL [cache]
//
// With `cache` a node remembers what it has seen of a register and answers reads from that: they may be old, which
// splitbrain finds. POST / {"f":"read"|"write"|"cas","key":…,"value":…}: 200 {"value":…}; 409 when a cas found another
// value; 503 when the primary certainly has not heard of it; 504 when it may have.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [host, port, log, primary, cache] = process.argv.slice(2);
const isPrimary = primary === `http://${host}:${port}`;
const registers = new Map();
const seen = new Map();

if (existsSync(log)) {
  // The last line is cut when the process was killed while it wrote it: nobody was told of that write.
  for (const line of readFileSync(log, 'utf8').split('\n').slice(0, -1)) registers.set(...JSON.parse(line));
}

function apply({ f, key, value }) {
  const held = registers.get(key) ?? null;
  if (f === 'read') return { status: 200, value: held };
  if (f === 'cas' && held !== value[0]) return { status: 409, value: held };
  const next = f === 'cas' ? value[1] : value;
  appendFileSync(log, `${JSON.stringify([key, next])}\n`);
  registers.set(key, next);
  return { status: 200, value: next };
}

async function askPrimary(operation) {
  if (cache !== undefined && operation.f === 'read' && seen.has(operation.key)) {
    return { status: 200, value: seen.get(operation.key) };
  }
  try {
    const answer = await fetch(primary, { method: 'POST', body: JSON.stringify(operation) });
    const { value } = await answer.json();
    seen.set(operation.key, value);
    return { status: answer.status, value };
  } catch (error) {
    return { status: error.cause?.code === 'ECONNREFUSED' ? 503 : 504, value: null };
  }
}

createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const { status, value } = body === '' ? { status: 200, value: null } : await answer(JSON.parse(body));
  response.writeHead(status).end(JSON.stringify({ value }));
}).listen(Number(port), host);

const answer = (operation) => (isPrimary ? apply(operation) : askPrimary(operation));
