import t from 'tap';
import yargs from 'yargs';
import { checkModels } from '../check/check-models.ts';
import { modelFlags, modelOf, refuseModel } from './model-flags.ts';

function parse(...words: readonly string[]) {
  return modelFlags(yargs([...words]))
    .strict()
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new Error(message);
    })
    .parseSync();
}

t.test('flags become the options of a model', async (t) => {
  t.match(modelOf(parse()), { name: 'cas-register', options: {} });
  for (const [words, options] of [
    ['cas-register --failed-cas ignored --initial 0', { failedCas: 'ignored', initial: 0 }],
    ['list-append --consistency-models PL-3,causal', { consistencyModels: ['PL-3', 'causal'] }],
    ['list-append --anomalies G1,dirty-update', { anomalies: ['G1', 'dirty-update'] }],
    ['rw-register --linearizable-keys --wfr-keys', { linearizableKeys: true, wfrKeys: true }],
    ['rw-register --sequential-keys --initial null', { sequentialKeys: true, initial: null }],
    ['bank --accounts a,b --total-amount 10 --allow-negative-balances', { total: 10, negativeBalances: true }],
    ['long-fork --group-size 2', { groupSize: 2 }],
    ['set-full --linearizable', { linearizable: true }],
  ] as const) {
    const [name, ...flags] = words.split(' ');
    const made = modelOf(parse('--model', name!, ...flags));
    t.match(made.options, options, words);
    t.equal(made.model, checkModels.get(name!), words);
  }
});

t.test('a wrong flag is one clear line', async (t) => {
  for (const [words, message] of [
    ['--model nope', /--model nope: there is no such model; known: register, .*, list-append, .*, set-full/],
    ['--model bank --initial 0', /--initial is for --model register, .*, not bank/],
    ['--model list-append --wfr-keys', /--wfr-keys is for --model rw-register, not list-append/],
    ['--consistency-model causal', /--consistency-model is for --model list-append, .*, not cas-register/],
    ['--consistency-model serialisable', /no consistency model "serialisable"; known are 1SR/],
    ['--anomalies G9', /--anomalies: no anomaly "G9"; known are G-/],
    ['--initial {', /--initial \{: must be JSON/],
    ['--total-amount much', /--total-amount much: must be a whole number/],
    ['--group-size 0', /--group-size 0: must be a whole number/],
    ['--group-size 1 --group-size 2', /--group-size was given 2 times/],
  ] as const) {
    t.throws(() => modelOf(parse(...words.split(' '))), { message }, words);
  }
  t.throws(() => refuseModel(parse('--model', 'bank')), { name: 'UsageError', message: /a run says itself/ });
  t.throws(() => refuseModel(parse('--initial', '0')), { name: 'UsageError', message: /--initial is for history f/ });
  t.doesNotThrow(() => refuseModel(parse()));
});
