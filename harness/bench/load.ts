import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { processStat } from '../cluster/proc.ts';
import { counter, type Store } from './stores.ts';

export type Operation = 'put' | 'get';

/** One measurement. Times are of single requests, as the generator saw them. */
export interface Load {
  readonly operations: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** What the generator used of one processor: 1 is a whole one. */
  readonly generatorCores: number;
  readonly generatorCpuMs: number;
}

/** What is asked of a node; each connection has one request under way. */
export interface Demand {
  readonly operation: Operation;
  readonly clients: number;
  readonly seconds: number;
  readonly keys: readonly string[];
  readonly value: string;
}

/** A generator together with the protocol that it speaks to a store. */
export interface Driver {
  readonly name: string;
  readonly store: Store['name'];
  /** Which of the keys it writes, the first ones first. */
  readonly writtenKeys: (keys: readonly string[]) => readonly string[];
  /** @throws when a single request was not answered with success */
  run(store: Store, node: number, demand: Demand, folder: string): Promise<Load>;
}

const wrkScript = `
local requests, at = {}, 0
init = function(arguments)
  for line in io.lines(arguments[1]) do
    local method, path, body = line:match("^(%S+)\\t(%S+)\\t(.*)$")
    if body == "" then body = nil end
    requests[#requests + 1] = wrk.format(method, path, nil, body)
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
done = function(summary, latency)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format('{"operations":%d,"failed":%d,"p50Us":%f,"p99Us":%f,"durationUs":%d}\\n',
    summary.requests, failed, latency:percentile(50), latency:percentile(99), summary.duration))
end
`;

const wrkReport = z.object({
  operations: z.number(),
  failed: z.number(),
  p50Us: z.number(),
  p99Us: z.number(),
  durationUs: z.number(),
});

function wrk(store: Store['name'], name: string, line: (demand: Demand, key: string) => string): Driver {
  return {
    name,
    store,
    // wrk makes its first request only to look at it.
    writtenKeys: (keys) => keys.slice(1),
    async run({ urls }, node, demand, folder) {
      const [script, requests] = [join(folder, 'wrk.lua'), join(folder, 'requests')];
      writeFileSync(script, wrkScript);
      writeFileSync(requests, demand.keys.map((key) => `${line(demand, key)}\n`).join(''));
      const [connections, duration] = [`-c${demand.clients}`, `-d${demand.seconds}`];
      const run = await measured('wrk', [
        '-t1',
        connections,
        duration,
        '--timeout',
        '30',
        '-s',
        script,
        urls[node]!,
        '--',
        requests,
      ]);
      const report = wrkReport.parse(JSON.parse(run.output.trimEnd().split('\n').at(-1) ?? ''));
      if (report.failed > 0) throw new Error(`${name}: ${report.failed} of ${report.operations} requests failed`);
      return {
        operations: report.operations,
        perSecond: report.operations / (report.durationUs / 1e6),
        p50Ms: report.p50Us / 1000,
        p99Ms: report.p99Us / 1000,
        ...run.generator,
      };
    },
  };
}

function h2load(
  store: Store['name'],
  name: string,
  request: (demand: Demand, url: string, file: (name: string, content: Uint8Array) => string) => readonly string[],
  writtenKeys: Driver['writtenKeys'],
  answered: (url: string, operation: Operation) => Promise<number>,
): Driver {
  return {
    name,
    store,
    writtenKeys,
    async run({ urls }, node, demand, folder) {
      const url = urls[node]!;
      const file = (called: string, content: Uint8Array): string => {
        const path = join(folder, called);
        writeFileSync(path, content);
        return path;
      };
      const log = join(folder, 'h2load.log');
      rmSync(log, { force: true });
      const before = await answered(url, demand.operation);
      const shape = ['-t1', `-c${demand.clients}`, '-m1', `-D${demand.seconds}`, `--log-file=${log}`];
      const run = await measured('h2load', [...shape, ...request(demand, url, file)]);
      const { operations, times } = requestTimes(readFileSync(log, 'latin1'));
      if (!run.output.includes(' 0 failed, 0 errored, 0 timeout') || times.length < operations) {
        throw new Error(`${name}: requests failed: ${run.output}`);
      }
      // gRPC's own errors lie in trailers, which h2load does not read: the server's count of successes must agree.
      const succeeded = (await answered(url, demand.operation)) - before;
      if (succeeded < operations)
        throw new Error(`${name}: ${operations - succeeded} of ${operations} requests failed`);
      return {
        operations,
        perSecond: operations / demand.seconds,
        p50Ms: percentile(times, 0.5),
        p99Ms: percentile(times, 0.99),
        ...run.generator,
      };
    },
  };
}

/** h2load's log: when a request began, the status, how many microseconds it took. @returns milliseconds, ascending */
function requestTimes(log: string): { readonly operations: number; readonly times: Float64Array } {
  const lines = log.split('\n');
  lines.pop();
  const times: number[] = [];
  for (const line of lines) {
    const [, status, us] = line.split('\t');
    if (status === '200') times.push(Number(us) / 1000);
  }
  return { operations: lines.length, times: Float64Array.from(times).sort() };
}

function percentile(ascending: Float64Array, share: number): number {
  return ascending[Math.max(0, Math.ceil(ascending.length * share) - 1)] ?? Number.NaN;
}

/** Runs a generator to its end; its processor time is what this process's ended children have used more by then. */
async function measured(command: string, commandArguments: readonly string[]) {
  const before = processStat(process.pid)!.endedChildrenCpuMs;
  const startedAt = performance.now();
  const { stdout } = await execa(command, commandArguments);
  const wallMs = performance.now() - startedAt;
  const generatorCpuMs = processStat(process.pid)!.endedChildrenCpuMs - before;
  return { output: stdout, generator: { generatorCpuMs, generatorCores: generatorCpuMs / wallMs } };
}

/** A protobuf field of bytes. */
function bytesField(number: number, content: string): Uint8Array {
  const length = content.length < 0x80 ? [content.length] : [(content.length & 0x7f) | 0x80, content.length >> 7];
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), Buffer.from(content)]);
}

/** One message of a gRPC stream: not compressed, its length, the message. */
function grpcMessage(...fields: readonly Uint8Array[]): Uint8Array {
  const message = Buffer.concat(fields);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

const answersOk = 'splitbrain_http_answers_total{status="200"}';

/**
 * The four that are compared, pair by pair: wrk speaks HTTP/1.1 to our store and to etcd's gateway, h2load HTTP/1.1
 * to our store and gRPC (HTTP/2) to etcd. h2load sends one body in all its requests, so its gRPC requests are all of
 * one key, the easier load.
 */
export const drivers = {
  wrk: wrk('splitbrain', 'splitbrain by wrk', ({ operation, value }, key) =>
    operation === 'put' ? `PUT\t/v1/kv/${key}\t${value}` : `GET\t/v1/kv/${key}\t`,
  ),
  gateway: wrk('etcd', "etcd's gateway by wrk", ({ operation, value }, key) =>
    operation === 'put'
      ? `POST\t/v3/kv/put\t${JSON.stringify({ key: btoa(key), value: btoa(value) })}`
      : `POST\t/v3/kv/range\t${JSON.stringify({ key: btoa(key) })}`,
  ),
  h2load: h2load(
    'splitbrain',
    'splitbrain by h2load',
    ({ operation, keys, value }, url, file) => {
      const urls = file('urls', Buffer.from(keys.map((key) => `${url}/v1/kv/${key}\n`).join('')));
      const method = operation === 'get' ? [] : ['-d', file('value', Buffer.from(value)), '-H', ':method: PUT'];
      return ['--h1', '-i', urls, ...method];
    },
    (keys) => keys,
    (url) => counter(url, answersOk),
  ),
  grpc: h2load(
    'etcd',
    'etcd over gRPC by h2load',
    ({ operation, keys, value }, url, file) => {
      const key = bytesField(1, keys[0]!);
      const message = operation === 'get' ? grpcMessage(key) : grpcMessage(key, bytesField(2, value));
      const headers = ['-H', 'content-type: application/grpc', '-H', 'te: trailers'];
      const method = operation === 'get' ? 'Range' : 'Put';
      return ['-d', file('message', message), ...headers, `${url}/etcdserverpb.KV/${method}`];
    },
    (keys) => keys.slice(0, 1),
    (url, operation) => {
      const method = operation === 'get' ? 'Range' : 'Put';
      const labels = `grpc_code="OK",grpc_method="${method}",grpc_service="etcdserverpb.KV",grpc_type="unary"`;
      return counter(url, `grpc_server_handled_total{${labels}}`);
    },
  ),
} as const;
