import { resolve } from 'node:path';
import { z } from 'zod';
import type { Value } from '../../../checker/history/op.ts';
import { asyncClient } from '../async-client.ts';
import { ProcessWorld } from '../process-world.ts';
import { isExecutable, ProgramMissing } from '../program.ts';
import {
  type Client,
  nodeNames,
  type Outcome,
  observed,
  type Request,
  type SetUp,
  type System,
  type Target,
} from '../target.ts';
import { type Body, isDefinite, keyDoesNotExist, preconditionFailed } from './message.ts';
import { Router } from './router.ts';

const initTimeoutMs = 10_000;
const routerFaults = ['partition', 'delay', 'jitter', 'loss', 'duplicate', 'reorder', 'slow-link'] as const;

const failure = z.looseObject({ type: z.literal('error'), code: z.int(), text: z.string().default('') });
const read = z.looseObject({ type: z.literal('read_ok'), value: z.json() });
const transaction = z.looseObject({
  type: z.literal('txn_ok'),
  txn: z.array(z.tuple([z.string(), z.json(), z.json()])),
});

/**
 * Any program that speaks Maelstrom's protocol on standard input and output, a process a node; the harness is the
 * network between them. Such programs keep nothing on disk, so they are not killed.
 */
export const maelstrom: Target = {
  name: 'maelstrom-lin-kv',
  workloads: ['register', 'append'],
  audited: false,
  faults: [...routerFaults, 'pause'],
  nodes: { default: 3, most: 25 },
  options: { bin: { about: 'maelstrom-lin-kv runs this program as each node' } },
  async setUp(options: SetUp): Promise<System> {
    const program = resolve(options.options.bin ?? '');
    if (!isExecutable(program)) throw new ProgramMissing(`--bin ${program}: there is no such program`);
    const nodes = nodeNames(options.nodes);
    // Its links are the router's: no other network is needed.
    const setUp = { ...options, faults: [] };
    const processes = await ProcessWorld.create({ setUp, nodes, primaries: async () => [] });
    const router = new Router(
      options.random,
      (node) => processes.isUp(node),
      (line) => process.stderr.write(`${line}\n`),
    );
    for (const node of nodes) {
      const init = { type: 'init', node_id: `n${node}`, node_ids: nodes.map((other) => `n${other}`) };
      processes.add(node, {
        name: 'program',
        command: program,
        arguments: [],
        speak: (output, input) => router.attach(node, output, input),
        ready: async () => (await router.ask(node, 'c0', init, initTimeoutMs))?.type === 'init_ok',
      });
    }
    await processes.startAll();
    const { random } = options;
    const world = {
      nodes,
      random,
      primaries: () => processes.primaries(),
      cut: router.cut.bind(router),
      disturb: router.disturb.bind(router),
      start: processes.start.bind(processes),
      kill: processes.kill.bind(processes),
      pause: processes.pause.bind(processes),
      resume: processes.resume.bind(processes),
      setClock: processes.setClock.bind(processes),
      sleep: processes.sleep.bind(processes),
    };
    return {
      nodes,
      world,
      mechanisms: { pause: 'sigstop', ...Object.fromEntries(routerFaults.map((kind) => [kind, router.mechanism])) },
      client: (node) =>
        options.workload === 'append'
          ? transactionClient(router, node, options.opTimeoutMs)
          : registerClient(router, node, options.opTimeoutMs),
      status: async () =>
        nodes
          .filter((node) => processes.isUp(node))
          .map((node) => ({ node, leader: node === nodes[0], term: 0, applied: 0, hash: '' })),
      async tearDown() {
        router.close();
        await processes.stop();
      },
    };
  },
};

/** Maelstrom's lin-kv: `read`, `write`, `cas` of one key. */
function registerClient(router: Router, node: string, timeoutMs: number): Client {
  return asyncClient(async ({ f, key = null, value = null, process }: Request): Promise<Outcome> => {
    const [from = null, to = null] = Array.isArray(value) ? (value as readonly Value[]) : [];
    // The protocol has no cas that expects nothing.
    if (f === 'cas' && from === null) return { type: 'fail', error: 'not-asked' };
    const body = { type: f, key, ...(f === 'write' && { value }), ...(f === 'cas' && { from, to }) };
    const answer = await router.ask(node, `c${process + 1}`, body, timeoutMs);
    if (f === 'read') {
      const { data } = read.safeParse(answer);
      if (data !== undefined) return { type: 'ok', value: data.value as Value };
      return codeOf(answer) === keyDoesNotExist ? { type: 'ok', value: null } : failed(answer, true);
    }
    if (answer?.type === `${f}_ok`) return { type: 'ok' };
    // A key that is not there holds something else than what was expected.
    const isMismatch = [preconditionFailed, keyDoesNotExist].includes(codeOf(answer) ?? -1);
    return f === 'cas' && isMismatch ? observed('cas-mismatch') : failed(answer, false);
  });
}

/** Maelstrom's txn-list-append; its keys are numbers, ours have a letter before. */
function transactionClient(router: Router, node: string, timeoutMs: number): Client {
  return asyncClient(async ({ value = null, process }: Request): Promise<Outcome> => {
    const micros = (Array.isArray(value) ? (value as readonly Value[]) : []).map((micro) => {
      const [f = null, key = null, argument = null] = Array.isArray(micro) ? (micro as readonly Value[]) : [];
      return { f, key, argument };
    });
    const txn = micros.map(({ f, key, argument }) => [f, Number(String(key).replace(/\D/g, '')), argument]);
    const answer = await router.ask(node, `c${process + 1}`, { type: 'txn', txn }, timeoutMs);
    const { data } = transaction.safeParse(answer);
    if (data?.txn.length !== micros.length)
      return failed(
        answer,
        micros.every(({ f }) => f === 'r'),
      );
    const done = micros.map(({ f, key, argument }, at): Value => {
      const [, , seen = null] = data.txn[at] ?? [];
      return [f, key, f === 'r' ? (seen as Value) : argument];
    });
    return { type: 'ok', value: done };
  });
}

/** Only an error that Maelstrom calls definite says that nothing happened. */
function failed(answer: Body | undefined, isRead: boolean): Outcome {
  if (answer === undefined) return { type: isRead ? 'fail' : 'info', error: 'timeout' };
  const code = codeOf(answer);
  if (code === undefined) return { type: isRead ? 'fail' : 'info', error: `unintelligible-answer ${answer.type}` };
  return { type: isRead || isDefinite(code) ? 'fail' : 'info', error: code === 30 ? 'conflict' : `maelstrom-${code}` };
}

function codeOf(answer: Body | undefined): number | undefined {
  return failure.safeParse(answer).data?.code;
}
