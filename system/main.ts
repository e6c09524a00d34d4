#!/usr/bin/env node
import { fstatSync, ftruncateSync, mkdirSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { pino } from 'pino';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { InvariantViolation } from './assert.ts';
import { addressOf, defaultTiming, type LogSink, type NodeConfig, startNode } from './node/index.ts';
import { type Address, PortError, type TlsIdentity } from './ports.ts';
import { createRealPorts, realClock } from './real/index.ts';
import { CorruptStorageError } from './storage/index.ts';

const exitCode = { wrongFlags: 254, cannotStart: 255, crash: 70 } as const;

const levels = ['debug', 'info', 'warn', 'error', 'fatal'] as const;

/** A mistake in the flags: one line, no stack. */
function wrong(message: string): never {
  writeSync(2, `${message}\n`);
  process.exit(exitCode.wrongFlags);
}

const flags = yargs(hideBin(process.argv))
  .scriptName('splitbrain-node')
  .usage('$0 --id 1 --cluster http://127.0.0.1:12379,http://127.0.0.1:22379 --port 12380\n\nOne node of the store.')
  .options({
    id: { type: 'number', demandOption: true, describe: 'This node, a number from 1' },
    cluster: { type: 'string', demandOption: true, describe: "The peers' advertised URLs, in order of id" },
    port: { type: 'number', default: 9121, describe: 'For clients; 0: any free port' },
    join: { type: 'boolean', default: false, describe: 'Join a cluster that runs already' },
    host: { type: 'string', default: '127.0.0.1', describe: 'Address to listen on for clients' },
    'listen-peer': { type: 'string', describe: 'HOST:PORT to listen on for peers (default: what is advertised)' },
    'data-dir': { type: 'string', describe: 'Log and snapshots (default: data-ID)' },
    audit: { type: 'string', describe: 'Append an audit file that nothing rewrites' },
    'cluster-id': { type: 'string', default: 'splitbrain', describe: 'Peers of another cluster are refused' },
    'tick-ms': { type: 'number', default: defaultTiming.tickMs as number },
    'election-ticks': { type: 'number', default: defaultTiming.electionTicks as number },
    'heartbeat-ticks': { type: 'number', default: defaultTiming.heartbeatTicks as number },
    'snapshot-entries': { type: 'number', default: defaultTiming.snapshotEntries as number },
    'log-level': { choices: levels, default: 'info' as const },
    'tls-cert': { type: 'string', describe: 'PEM files for clients: certificate …' },
    'tls-key': { type: 'string', describe: '… and key' },
    'tls-ca': { type: 'string', describe: 'Clients must show a certificate signed by this' },
    'peer-tls-cert': { type: 'string', describe: 'PEM files for peers: certificate …' },
    'peer-tls-key': { type: 'string', describe: '… key …' },
    'peer-tls-ca': { type: 'string', describe: '… and whom to believe' },
  })
  .strict()
  .version(false)
  .exitProcess(true)
  .fail((message, error) => wrong(message || error.message))
  .parseSync();

function atLeast(min: number, value: number, name: string, max = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    wrong(`--${name} ${value}: must be a whole number from ${min}${max < Number.MAX_SAFE_INTEGER ? ` to ${max}` : ''}`);
  }
  return value;
}

function hostAndPort(text: string): Address {
  const match = /^(\[[0-9a-f:]+\]|[^:[\]]+):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) wrong(`--listen-peer ${text}: must be HOST:PORT`);
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port };
}

function identity(prefix: string, key?: string, certificate?: string, ca?: string): TlsIdentity | undefined {
  if (key === undefined && certificate === undefined && ca === undefined) return undefined;
  if (key === undefined || certificate === undefined) wrong(`--${prefix}tls-cert and --${prefix}tls-key go together`);
  if (prefix !== '' && ca === undefined) wrong(`--${prefix}tls-ca is missing: peers must know whom to believe`);
  const read = (path: string) => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      return wrong(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const pair = { key: read(key), certificate: read(certificate) };
  return ca === undefined ? pair : { ...pair, ca: read(ca) };
}

function configOf(): NodeConfig {
  const id = atLeast(1, flags.id, 'id');
  const cluster = flags.cluster.split(',').map((url) => url.trim());
  for (const url of cluster) if (addressOf(url) === undefined) wrong(`--cluster: ${url} is not http://HOST:PORT`);
  const own = cluster[id - 1];
  if (own === undefined)
    wrong(`--cluster names ${cluster.length} nodes, --id is ${id}: its own URL must be at place ${id}`);
  const electionTicks = atLeast(2, flags['election-ticks'], 'election-ticks');
  const heartbeatTicks = atLeast(1, flags['heartbeat-ticks'], 'heartbeat-ticks');
  if (heartbeatTicks >= electionTicks) wrong('--election-ticks must be larger than --heartbeat-ticks');
  if (flags['cluster-id'] === '') wrong('--cluster-id is empty');
  const clientTls = identity('', flags['tls-key'], flags['tls-cert'], flags['tls-ca']);
  const peerTls = identity('peer-', flags['peer-tls-key'], flags['peer-tls-cert'], flags['peer-tls-ca']);
  return {
    id,
    clusterId: flags['cluster-id'],
    cluster,
    join: flags.join,
    listenPeer: flags['listen-peer'] === undefined ? addressOf(own)! : hostAndPort(flags['listen-peer']),
    listenClient: { host: flags.host, port: atLeast(0, flags.port, 'port', 65_535) },
    tickMs: atLeast(1, flags['tick-ms'], 'tick-ms'),
    electionTicks,
    heartbeatTicks,
    snapshotEntries: atLeast(1, flags['snapshot-entries'], 'snapshot-entries'),
    ...(peerTls === undefined ? {} : { peerTls }),
    ...(clientTls === undefined ? {} : { clientTls }),
  };
}

const config = configOf();
const destination = pino.destination({ dest: 1, sync: true });
// Whoever read the log has gone: that is no reason to stop serving.
destination.on('error', () => {});
const logger = pino(
  {
    level: flags['log-level'],
    base: { node: String(config.id) },
    timestamp: () => `,"time":${Math.round(realClock.wallMs())}`,
    formatters: { level: (label) => ({ level: label }) },
  },
  destination,
);
const log: LogSink = (level, event, facts) => logger[level]({ event, ...facts });

function crash(error: unknown): never {
  const facts =
    error instanceof Error
      ? {
          name: error.name,
          message: error.message,
          stack: error.stack,
          ...(error instanceof PortError && { code: error.code }),
        }
      : { message: String(error) };
  log('fatal', 'crash', error instanceof InvariantViolation ? { ...facts, facts: error.facts } : facts);
  process.exit(exitCode.crash);
}
process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);

/** The node cannot begin: one line that says what to do, and no stack for what is not our mistake. */
function cannotStart(error: unknown): never {
  if (!(error instanceof PortError || error instanceof CorruptStorageError || isSystemError(error))) crash(error);
  log('fatal', 'cannot-start', { message: error.message });
  writeSync(2, `node ${config.id} cannot start: ${error.message}\n`);
  process.exit(exitCode.cannotStart);
}

function isSystemError(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error;
}

/** A last line that was cut off when its writer was killed goes first: what follows must not be joined on to it. */
function openAudit(path: string): (lines: string) => void {
  const descriptor = openSync(path, 'a+');
  const { size } = fstatSync(descriptor);
  const wholeBytes = endOfLastLine(descriptor, size);
  if (wholeBytes < size) {
    ftruncateSync(descriptor, wholeBytes);
    log('warn', 'audit-repaired', { file: path, cutBytes: size - wholeBytes });
  }
  return (lines) => {
    const bytes = Buffer.from(lines);
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
  };
}

/** @returns how many bytes of the file end with a newline */
function endOfLastLine(descriptor: number, size: number): number {
  const block = Buffer.alloc(64 * 1024);
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - block.length);
    const got = readSync(descriptor, block, 0, end - start, start);
    const at = block.subarray(0, got).lastIndexOf(0x0a);
    if (at >= 0) return start + at + 1;
    end = start;
  }
  return 0;
}

const dataDirectory = flags['data-dir'] ?? `data-${config.id}`;
try {
  mkdirSync(dataDirectory, { recursive: true });
  const node = await startNode(createRealPorts(dataDirectory), config, {
    log,
    ...(flags.audit === undefined ? {} : { audit: openAudit(flags.audit) }),
    stopped(reason) {
      if (reason.type === 'fatal') crash(reason.error);
      log('info', 'stopped', { reason: 'removed from the cluster' });
      process.exit(0);
    },
  });
  let stopping = false;
  const stop = (signal: string) => {
    if (stopping) process.exit(0);
    stopping = true;
    log('info', 'stopping', { signal });
    node.stop().then(() => {
      log('info', 'stopped', {});
      process.exit(0);
    }, crash);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  log('info', 'listening', {
    clientPort: node.clientAddress?.port,
    peerPort: node.peerAddress.port,
    incarnation: node.incarnation,
    pid: process.pid,
  });
} catch (error) {
  cannotStart(error);
}
