import { z } from 'zod';
import type { Value } from '../../../checker/history/op.ts';
import { balanceFirst, bankAccounts, readTransfer } from '../../workload/bank.ts';
import { asyncClient } from '../async-client.ts';
import { type Client, type Outcome, observed, type Request } from '../target.ts';
import { PostgresRefusal, type Session } from './session.ts';

/** What a transaction gives, or why it is to be rolled back. */
type Body = (session: Session, value: Value) => Promise<Outcome>;

interface Workload {
  readonly tables: readonly string[];
  readonly functions: { readonly [f: string]: Body };
}

const texts = z.array(z.object({ value: z.string() }));
const balances = z.array(z.object({ account: z.string(), balance: z.number() }));

/** Lists stand as the texts of their elements with commas between; a statement appends without reading first. */
const append: Workload = {
  tables: ['create table pairs (key text primary key, value text not null)'],
  functions: {
    txn: micros(
      'insert into pairs values ($1, $2) on conflict (key) do update set value = pairs.value || $3 || $2',
      (text) => (text === undefined ? null : (JSON.parse(`[${text}]`) as Value)),
    ),
  },
};

const wr: Workload = {
  tables: append.tables,
  functions: {
    txn: micros(
      // The third is what an append would put in between.
      'insert into pairs values ($1, $2) on conflict (key) do update set value = left($3, 0) || $2',
      (text) => (text === undefined ? null : (JSON.parse(text) as Value)),
    ),
  },
};

/** A transfer reads both balances and then writes both, as programs do. */
const bank: Workload = {
  tables: [
    'create table accounts (account text primary key, balance int not null)',
    `insert into accounts values ${bankAccounts.map((account) => `('${account}', ${balanceFirst})`).join(', ')}`,
  ],
  functions: {
    async read(session) {
      const { rows } = await session.run('select account, balance from accounts');
      const held = balances.parse(rows).map(({ account, balance }): [string, Value] => [account, balance]);
      return { type: 'ok', value: Object.fromEntries(held) };
    },
    async transfer(session, value) {
      const { from, to, amount } = readTransfer(value);
      const balance = async (account: string): Promise<number> => {
        const { rows } = await session.run('select account, balance from accounts where account = $1', [account]);
        return balances.parse(rows)[0]?.balance ?? 0;
      };
      const set = (account: string, to: number) =>
        session.run('update accounts set balance = $2 where account = $1', [account, to]);
      const [payer, payee] = [await balance(from), await balance(to)];
      if (payer < amount) return observed('insufficient');
      await set(from, payer - amount);
      await set(to, payee + amount);
      return { type: 'ok' };
    },
  },
};

const workloads: { readonly [name: string]: Workload } = { append, wr, bank };

export const postgresWorkloads: readonly string[] = Object.keys(workloads);

/** What must be there before the first operation. */
export function tablesOf(workload: string): readonly string[] {
  return workloads[workload]?.tables ?? [];
}

/**
 * A client whose operations are each one transaction of that isolation level, on a session of its own.
 * @param isolation as SQL has it: `repeatable read`
 */
export function postgresClient(open: () => Promise<Session>, workload: string, isolation: string): Client {
  let session: Session | undefined;
  const connected = async (): Promise<Session> => {
    if (session?.isOpen !== true) session = await open();
    return session;
  };
  const perform = async ({ f, value = null }: Request): Promise<Outcome> => {
    const body = workloads[workload]?.functions[f];
    if (body === undefined) return { type: 'fail', error: `unknown-operation ${f}` };
    try {
      return await transaction(await connected(), isolation, (own) => body(own, value));
    } catch (error) {
      // Nobody asked the server to commit: it rolls back what a connection leaves open.
      return { type: 'fail', error: told(error) };
    }
  };
  return asyncClient(perform, () => session?.close());
}

/** @throws when it went wrong before it was asked to commit */
async function transaction(
  session: Session,
  isolation: string,
  body: (session: Session) => Promise<Outcome>,
): Promise<Outcome> {
  await session.run(`begin isolation level ${isolation}`);
  let outcome: Outcome;
  try {
    outcome = await body(session);
    if (outcome.type !== 'ok') await session.run('rollback');
  } catch (error) {
    if (session.isOpen) await session.run('rollback').catch(() => session.close());
    throw error;
  }
  return outcome.type === 'ok' ? commit(session, outcome) : outcome;
}

async function commit(session: Session, outcome: Outcome): Promise<Outcome> {
  try {
    const { did } = await session.run('commit');
    return did === 'COMMIT' ? outcome : { type: 'fail', error: `commit-was-${did.toLowerCase()}` };
  } catch (error) {
    if (isRollback(error)) return { type: 'fail', error: told(error) };
    session.close();
    return { type: 'info', error: told(error) };
  }
}

/** Class 40 is "transaction rollback": a conflict or a deadlock. */
function isRollback(error: unknown): boolean {
  return error instanceof PostgresRefusal && error.code.startsWith('40') && error.code !== '40003';
}

/** Micro-operations one after another, a statement each. */
function micros(write: string, read: (text: string | undefined) => Value): Body {
  return async (session, value) => {
    const done: Value[] = [];
    for (const micro of Array.isArray(value) ? (value as readonly Value[]) : []) {
      const [f = null, key = null, argument = null] = Array.isArray(micro) ? (micro as readonly Value[]) : [];
      if (f === 'r') {
        const { rows } = await session.run('select value from pairs where key = $1', [key]);
        done.push([f, key, read(texts.parse(rows)[0]?.value)]);
      } else {
        await session.run(write, [key, JSON.stringify(argument), ',']);
        done.push([f, key, argument]);
      }
    }
    return { type: 'ok', value: done };
  };
}

function told(error: unknown): string {
  if (isRollback(error)) return 'conflict';
  if (error instanceof PostgresRefusal) return `sqlstate-${error.code}`;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  return code === 'ECONNREFUSED' ? 'connection-refused' : message.toLowerCase().replaceAll(/[\s.]+/g, '-');
}
