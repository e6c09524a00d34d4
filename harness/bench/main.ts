import { checkerBench } from './checker.ts';
import { simBench } from './sim.ts';
import { txnBench } from './txn.ts';

/** The benchmarks, by the name that `npm run bench -- NAME` takes; each gives the lines of its table. */
const benches: { readonly [name: string]: () => Iterable<string> | AsyncIterable<string> } = {
  checker: allCheckers,
  sim: simBench,
};

async function* allCheckers(): AsyncGenerator<string> {
  yield* checkerBench();
  yield* txnBench();
}

const names = process.argv.slice(2);
const unknown = names.find((name) => benches[name] === undefined);
if (names.length === 0 || unknown !== undefined) {
  process.stderr.write(`usage: npm run bench -- NAME…, of ${Object.keys(benches).join(', ')}\n`);
  process.exitCode = 254;
} else {
  for (const name of names) {
    for await (const line of benches[name]?.() ?? []) process.stdout.write(`${line}\n`);
  }
}
