/**
 * Stands in for a node in the tests of this room: it takes a node's flags, says where it listens, answers its status
 * and pings its peers over peer frames; there is no consensus in it. `GET /exit` makes it end by itself, `GET /peers`
 * tells how many pings came from whom.
 */
import { appendFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import yargs from 'yargs';
import {
  decodeHandshake,
  encodeFrame,
  encodeHandshake,
  FrameDecoder,
  frameKind,
} from '../../system/transport/frame.ts';

const pingMs = 20;
const redialMs = 20;
const flags = yargs(process.argv.slice(2))
  .options({
    id: { type: 'string', demandOption: true },
    cluster: { type: 'string', demandOption: true },
    'cluster-id': { type: 'string', demandOption: true },
    port: { type: 'number', demandOption: true },
    audit: { type: 'string', demandOption: true },
  })
  .parserConfiguration({ 'parse-positional-numbers': false })
  .parseSync();
const incarnation = `${process.pid}-${process.hrtime.bigint()}`;
const pings = new Map<string, number>();
appendFileSync(flags.audit, `${JSON.stringify({ type: 'start', node: flags.id, incarnation, applied: 0 })}\n`);

const peers = createServer((socket) => {
  let from: string | undefined;
  const decoder = new FrameDecoder((frame) => {
    if (from === undefined) from = decodeHandshake(frame).from;
    else pings.set(from, (pings.get(from) ?? 0) + 1);
  });
  socket.on('data', (chunk) => decoder.push(chunk));
  socket.on('error', () => {});
});

const clients = createHttpServer((request, response) => {
  if (request.url === '/exit') process.exit(7);
  const clock = { wallMs: Date.now(), monotonicMs: performance.now() };
  const status = { id: flags.id, role: flags.id === '1' ? 'leader' : 'follower', incarnation, clock };
  response.end(JSON.stringify(request.url === '/peers' ? Object.fromEntries(pings) : status));
});

peers.listen(0, '127.0.0.1', () => {
  clients.listen(flags.port, '127.0.0.1', () => {
    const [clientPort, peerPort] = [clients, peers].map((server) => (server.address() as AddressInfo).port);
    process.stdout.write(`${JSON.stringify({ event: 'listening', clientPort, peerPort })}\n`);
    for (const [at, url] of flags.cluster.split(',').entries()) dial(String(at + 1), new URL(url));
  });
});

function dial(to: string, url: URL): void {
  if (to === flags.id) return;
  const socket = connect({ host: url.hostname, port: Number(url.port) });
  const handshake = { version: 1, cluster: flags['cluster-id'], from: flags.id, to, purpose: 'messages' } as const;
  socket.write(encodeHandshake(handshake));
  const timer = setInterval(() => socket.write(encodeFrame(frameKind.ping, new Uint8Array())), pingMs);
  socket.on('error', () => {});
  socket.on('close', () => {
    clearInterval(timer);
    setTimeout(() => dial(to, url), redialMs);
  });
}
