import { pick, type Random, seedBound, seededRandom } from '../generator/random.ts';
import { mutants } from '../mutants/catalog.ts';
import { type Cell, cellsOf, type Past, Shares } from './cell.ts';
import type { Config } from './config.ts';
import { bySize, type Example, groupsOf } from './group.ts';
import type { Failure, Job, JobResult } from './job.ts';
import type { Journal } from './journal.ts';
import { Lanes } from './lanes.ts';
import { type Canary, type CellSummary, colourOf, type Summary } from './summary.ts';

/** Who does the jobs: this machine, or workers behind a queue. */
export interface Hands {
  /** So many lanes there are for jobs. */
  readonly lanes: number;
  /** How many of them a job takes. */
  lanesOf(job: Job): number;
  perform(job: Job): Promise<JobResult>;
  followUp(job: Job, failure: Failure): Promise<Example>;
}

export interface NightOptions {
  readonly id: string;
  readonly config: Config;
  /** Decides the canary and the seeds of all jobs. */
  readonly seed: number;
  readonly shard: { readonly number: number; readonly of: number };
  readonly mutant: string | null;
  readonly past: Past;
  readonly firstSeen: ReadonlyMap<string, string>;
  readonly code: string;
  readonly journal: Journal;
  readonly hands: Hands;
  /** Called before each job; a reason why no further one can be begun, where there is one: the disk is full. */
  readonly hindrance: () => string | undefined;
  readonly tell: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A job is begun only when at least this is left; seeds that are under way then are finished. */
const leastMs = 10_000;
/** Seeds of a job; its time ends it earlier. */
const seedsMax = 10_000;
/** Of the budget, what the first job of each cell may take together; canaries and what is found take of the rest. */
const firstRound = 0.7;
/** What a run of real processes takes beyond its time limit, about. */
const realOverheadMs = 30_000;
/** Jobs that fail by themselves, one after another, before the night gives up. */
const troublesMax = 10;

/** Runs a night to its end, or goes on with one whose journal is not empty, and sums it up. */
export async function conductNight(options: NightOptions): Promise<Summary> {
  return new NightRun(options).run();
}

class NightRun {
  readonly #options: NightOptions;
  readonly #cells: readonly Cell[];
  readonly #shares: Shares;
  readonly #lanes: Lanes;
  readonly #results = new Map<string, { readonly job: Job; readonly result: JobResult }>();
  readonly #examples: Example[] = [];
  readonly #unfinished: Job[] = [];
  /** Failures that are being looked into, by signature. */
  readonly #lookedInto = new Map<string, number>();
  readonly #started: string;
  readonly #deadline: number;
  readonly #simJobMs: number;
  #begun = 0;
  #troubles = 0;
  #hindrance: string | undefined;

  constructor(options: NightOptions) {
    this.#options = options;
    this.#cells = cellsOf(options.config);
    this.#shares = new Shares(this.#cells, options.past);
    this.#lanes = new Lanes(options.hands.lanes);
    const usedMs = this.#restore();
    this.#started = options.journal.earlier[0]?.at ?? new Date().toISOString();
    this.#deadline = Date.now() + options.config.budget - usedMs;
    this.#simJobMs = simJobMs(options.config, this.#cells, options.hands.lanes);
  }

  async run(): Promise<Summary> {
    const { journal, tell, signal } = this.#options;
    const { config, shard, mutant } = this.#options;
    journal.append({ type: 'session', settings: { budgetMs: config.budget, shard, mutant } });
    const first = [...this.#canaries(), ...this.#unfinished.splice(0)].filter(({ id }) => !this.#results.has(id));
    await Promise.all(first.map((job) => this.#do(job)));
    const lane = async () => {
      for (let job = this.#next(); job !== undefined; job = this.#next()) await this.#do(job);
    };
    await Promise.all(Array.from({ length: this.#lanes.size }, lane));
    if (signal.aborted) tell('interrupted; `--resume` goes on with this night');
    return this.#sumUp();
  }

  /** @returns how much of the budget was used by earlier sessions */
  #restore(): number {
    const { earlier } = this.#options.journal;
    const jobs = new Map<string, Job>();
    let usedMs = 0;
    let sessionBegan = 0;
    for (const record of earlier) {
      const at = Date.parse(record.at);
      if (record.type === 'session') sessionBegan = at;
      else usedMs += at - sessionBegan;
      sessionBegan = at;
      if (record.type === 'begun') jobs.set(record.job.id, record.job);
      if (record.type === 'example') {
        this.#examples.push(record.example);
        this.#lookedInto.set(record.example.signature, (this.#lookedInto.get(record.example.signature) ?? 0) + 1);
      }
      if (record.type === 'done') {
        const job = jobs.get(record.result.id);
        if (job === undefined || this.#results.has(job.id)) continue;
        this.#results.set(job.id, { job, result: record.result });
        this.#shares.charge(job.cell, record.result.tookMs);
      }
    }
    this.#begun = [...jobs.values()].filter(({ id }) => id.startsWith('job-')).length;
    for (const job of jobs.values()) {
      if (this.#results.has(job.id) || !job.id.startsWith('job-')) continue;
      this.#unfinished.push(job);
      this.#shares.charge(job.cell, job.timeLimitMs);
    }
    return usedMs;
  }

  /** The same ones however often the night is gone on with. */
  #canaries(): readonly Job[] {
    const { config, seed } = this.#options;
    const random = this.#random('canaries');
    const budgetMs = Math.min(config.canaries.budget, config.budget / 6);
    const hunted = pick(random, config.canaries.mutants ?? [...mutants.keys()]);
    const canaries: Job[] = [
      { type: 'mutant', id: 'canary-must-fail', cell: 'canary/must-fail', mutant: hunted, timeLimitMs: budgetMs },
    ];
    if (config.sim !== undefined) {
      canaries.push({
        type: 'sim',
        id: 'canary-must-pass-sim',
        cell: 'canary/must-pass/sim',
        workload: 'register',
        faults: [],
        seed: random.below(seedBound - seedsMax),
        seeds: 2,
        timeLimitMs: budgetMs,
        mutant: null,
      });
    }
    if (config.real !== undefined) {
      const real = {
        type: 'real',
        target: 'kvstore',
        flags: [],
        workload: 'register',
        seed: seed % seedBound,
        timeLimitMs: Math.min(15_000, budgetMs),
      } as const;
      canaries.push(
        {
          ...real,
          id: 'canary-must-pass-real',
          cell: 'canary/must-pass/real',
          flags: [],
          faults: ['pause'],
          mutant: null,
        },
        // Reads from the local map under partitions: seen in every run if anything is looked at.
        {
          ...real,
          id: 'canary-must-fail-real',
          cell: 'canary/must-fail/real',
          flags: [],
          faults: ['partition'],
          mutant: 'local-read',
        },
      );
    }
    return canaries;
  }

  #next(): Job | undefined {
    const { config, mutant, signal, hindrance } = this.#options;
    const leftMs = this.#deadline - Date.now();
    if (signal.aborted || this.#troubles >= troublesMax) return undefined;
    this.#hindrance ??= hindrance();
    if (this.#hindrance !== undefined) return undefined;
    const cell = this.#shares.next();
    if (cell === undefined) return undefined;
    const timeMs = cell.world === 'sim' ? this.#simJobMs : (config.real?.['time-limit'] ?? 0);
    if (leftMs < leastMs || (cell.world === 'real' && leftMs < timeMs)) return undefined;
    const number = ++this.#begun;
    const id = `job-${number}`;
    const { name, workload, faults, target, flags } = cell;
    this.#shares.charge(name, timeMs);
    const seed = this.#random(id).below(seedBound - seedsMax);
    const common = { id, cell: name, workload, faults: faults && [...faults], seed, mutant };
    const timeLimitMs = Math.min(timeMs, leftMs);
    return cell.world === 'sim'
      ? { type: 'sim', ...common, seeds: seedsMax, timeLimitMs }
      : { type: 'real', ...common, target, flags: [...flags], timeLimitMs };
  }

  async #do(job: Job): Promise<void> {
    const { hands, journal, tell, signal } = this.#options;
    await this.#lanes.with(hands.lanesOf(job), async () => {
      if (signal.aborted) return;
      journal.append({ type: 'begun', job });
      const result = await hands.perform(job);
      // What an interrupt cut short is done again when the night goes on.
      if (signal.aborted) return;
      this.#results.set(job.id, { job, result });
      journal.append({ type: 'done', result });
      this.#troubles = result.trouble === null ? 0 : this.#troubles + 1;
      tell(line(job, result));
      if (!job.cell.startsWith('canary/')) for (const failure of result.failures) await this.#lookInto(job, failure);
    });
  }

  async #lookInto(job: Job, failure: Failure): Promise<void> {
    const { config, hands, journal, tell, signal } = this.#options;
    const { signature } = failure;
    const already = this.#lookedInto.get(signature) ?? 0;
    if (already >= config['examples-per-group'] || signal.aborted) return;
    this.#lookedInto.set(signature, already + 1);
    const example = await hands.followUp(job, failure);
    if (signal.aborted) return;
    this.#examples.push(example);
    journal.append({ type: 'example', example });
    const { shrunk, replay } = example;
    const size = shrunk === undefined ? '' : `shrunk to ${shrunk.operations} operations and ${shrunk.faults} faults; `;
    tell(`${signature}: ${size}came back in ${replay.cameBack} of ${replay.times}: ${example.command}`);
  }

  #sumUp(): Summary {
    const { id, seed, shard, code, config, mutant, firstSeen, signal } = this.#options;
    const all = [...this.#results.values()];
    const ordinary = all.filter(({ job }) => !job.cell.startsWith('canary/'));
    const facts = {
      canaries: all.flatMap(({ job, result }) => (job.cell.startsWith('canary/') ? [canary(job, result)] : [])),
      cells: this.#cells.map(({ name }) =>
        summarize(
          name,
          ordinary.map(({ result }) => result),
        ),
      ),
      groups: [
        ...groupsOf(
          ordinary.flatMap(({ result }) => result.failures),
          bySize(this.#examples),
          firstSeen,
        ),
      ],
    };
    const { colour, reasons } = colourOf({ ...facts, interrupted: signal.aborted || this.#troubles >= troublesMax });
    const hindered = this.#hindrance === undefined ? [] : [this.#hindrance];
    return {
      version: 1,
      id,
      seed,
      shard: `${shard.number}/${shard.of}`,
      code,
      started: this.#started,
      ended: new Date().toISOString(),
      budgetMs: config.budget,
      usedMs: config.budget - (this.#deadline - Date.now()),
      mutant,
      colour: colour === 'green' && hindered.length > 0 ? 'unknown' : colour,
      reasons: [...reasons, ...hindered],
      ...facts,
      coverage: added(ordinary.map(({ result }) => result.coverage)),
    };
  }

  /** Shards draw differently. */
  #random(purpose: string): Random {
    const { seed, shard } = this.#options;
    return seededRandom(seed, `${purpose} of shard ${shard.number}`);
  }
}

/** How long a job of a simulated cell begins seeds: less than asked for in a short night, so that each cell has a turn. */
function simJobMs({ budget, sim, real }: Config, cells: readonly Cell[], lanes: number): number {
  const simulated = cells.filter(({ world }) => world === 'sim').length;
  const realMs = (cells.length - simulated) * ((real?.['time-limit'] ?? 0) + realOverheadMs);
  const shareMs = ((firstRound * budget - realMs) * lanes) / Math.max(1, simulated);
  return Math.min(sim?.['job-time'] ?? 0, Math.max(leastMs, shareMs));
}

function canary(job: Job, result: JobResult): Canary {
  const { valid, invalid, unknown, trouble, reasons, found } = result;
  const must = job.cell.startsWith('canary/must-fail') ? 'fail' : 'pass';
  const name = job.cell.slice('canary/'.length);
  const mutant = job.mutant ?? undefined;
  if (trouble !== null) return { name, must, good: false, told: trouble, ...(mutant && { mutant }) };
  if (job.type === 'mutant') {
    const told =
      reasons[0] ?? (found === null ? `${job.mutant} was not found` : `${job.mutant} found in ${found.seconds} s`);
    return { name, must, good: found !== null, told, mutant: job.mutant, ...(found && { seconds: found.seconds }) };
  }
  const runs = valid + invalid + unknown;
  const good = must === 'fail' ? invalid > 0 : runs > 0 && valid === runs;
  const told = `${valid} valid, ${invalid} invalid, ${unknown} unknown${reasons[0] === undefined ? '' : `: ${reasons[0]}`}`;
  return { name, must, good, told, ...(mutant && { mutant }) };
}

function summarize(name: string, results: readonly JobResult[]): CellSummary {
  const own = results.filter(({ cell }) => cell === name);
  const sum = (of: (result: JobResult) => number) => own.reduce((total, result) => total + of(result), 0);
  return {
    name,
    jobs: own.length,
    valid: sum(({ valid }) => valid),
    invalid: sum(({ invalid }) => invalid),
    unknown: sum(({ unknown }) => unknown),
    operations: sum(({ operations }) => operations),
    virtualMs: sum(({ virtualMs }) => virtualMs),
    tookMs: sum(({ tookMs }) => tookMs),
    reasons: [...new Set(own.flatMap(({ reasons }) => reasons))].slice(0, 10),
    troubles: [...new Set(own.flatMap(({ trouble }) => trouble ?? []))].slice(0, 10),
  };
}

/** Counts by name, added up. */
export function added(all: readonly { readonly [name: string]: number }[]): { [name: string]: number } {
  const total: { [name: string]: number } = {};
  for (const counts of all) {
    for (const [name, count] of Object.entries(counts)) total[name] = (total[name] ?? 0) + count;
  }
  return total;
}

function line({ id, cell }: Job, { valid, invalid, unknown, operations, tookMs, trouble }: JobResult): string {
  const came = trouble === null ? `${valid} valid, ${invalid} invalid, ${unknown} unknown, ${operations} ok` : trouble;
  return `${id}  ${cell}  ${came}  (${Math.round(tookMs / 1000)} s)`;
}
