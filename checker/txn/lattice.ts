/**
 * Which anomaly implies which, which consistency model implies which, and which anomaly refutes which model: the
 * facts of Elle's `consistency-model`, with its names. Sources: Adya's thesis (PL-1 … PL-3), Bailis et al.
 * (HAT), Cerone, Bernardi & Gotsman (atomic visibility), Daudjee & Salem (session and strong variants).
 */
type Arrows = { readonly [from: string]: readonly string[] };

const CYCLES = ['G0', 'G1c', 'G-single-item', 'G-single', 'G-nonadjacent-item', 'G-nonadjacent', 'G2-item', 'G2'];

/** What a kind of cycle is a special case of, among cycles of the same strength (plain, process, realtime). */
const WIDER_CYCLES: Arrows = {
  G0: ['G1c'],
  'G-single-item': ['G-single', 'G-nonadjacent-item'],
  'G-single': ['G-nonadjacent'],
  'G-nonadjacent-item': ['G-nonadjacent', 'G2-item'],
  'G-nonadjacent': ['G2'],
  'G2-item': ['G2'],
};

/** An anomaly, and what is present whenever it is. */
const IMPLIED: Arrows = {
  G1a: ['G1'],
  G1b: ['G1'],
  G1c: ['G1'],
  'G1c-process': ['G1-process'],
  'G1c-realtime': ['G1-realtime'],
  G1: ['G1-process'],
  'G1-process': ['G1-realtime'],
  'G-single': ['GSIb'],
  GSIa: ['GSI'],
  GSIb: ['GSI'],
  'incompatible-order': ['G1a'],
  'future-read': ['G1c'],
  'dirty-update': ['G1a'],
  'lost-update': ['write-skew', 'G2-item'],
  'write-skew': ['G2'],
};

/** A model, and the weaker ones that hold whenever it does. */
const WEAKER: Arrows = {
  'causal-cerone': ['read-atomic'],
  'consistent-view': ['cursor-stability', 'monotonic-view'],
  'cursor-stability': ['read-committed'],
  'forward-consistent-view': ['consistent-view'],
  'monotonic-atomic-view': ['read-committed'],
  'monotonic-view': ['read-committed'],
  'monotonic-snapshot-read': ['read-committed'],
  'parallel-snapshot-isolation': ['causal-cerone', 'update-atomic'],
  prefix: ['causal-cerone'],
  'read-atomic': ['monotonic-atomic-view'],
  'read-committed': ['read-uncommitted'],
  'repeatable-read': ['cursor-stability', 'monotonic-atomic-view'],
  'update-atomic': ['read-atomic'],
  'update-serializable': ['forward-consistent-view'],
  serializable: ['repeatable-read', 'update-serializable', 'snapshot-isolation', 'view-serializable'],
  'session-serializable': ['1SR'],
  'snapshot-isolation': [
    'forward-consistent-view',
    'monotonic-atomic-view',
    'monotonic-snapshot-read',
    'parallel-snapshot-isolation',
    'prefix',
  ],
  'strong-serializable': [
    'serializable',
    'linearizable',
    'snapshot-isolation',
    'strong-snapshot-isolation',
    'strong-session-serializable',
    'session-serializable',
  ],
  'strong-session-read-uncommitted': ['read-uncommitted'],
  'strong-session-read-committed': ['read-committed', 'strong-session-read-uncommitted'],
  'strong-read-uncommitted': ['strong-session-read-uncommitted'],
  'strong-read-committed': ['strong-session-read-committed', 'strong-read-uncommitted'],
  'strong-session-serializable': ['serializable', 'strong-session-snapshot-isolation'],
  'strong-session-snapshot-isolation': ['snapshot-isolation', 'strong-session-read-committed'],
  'strong-snapshot-isolation': ['strong-session-snapshot-isolation', 'strong-read-committed'],
  linearizable: ['sequential'],
  sequential: ['causal'],
  causal: ['writes-follow-reads', 'PRAM'],
  PRAM: ['monotonic-reads', 'monotonic-writes', 'read-your-writes'],
};

/** A model, and the anomalies that it forbids beyond those of the weaker models. */
const FORBIDDEN: Arrows = {
  'read-uncommitted': [
    'G0',
    'duplicate-elements',
    'cyclic-versions',
    // An Adya history has a writer for every version that is read.
    'garbage-read',
  ],
  'read-committed': ['G1'],
  'causal-cerone': ['internal', 'G1a'],
  'cursor-stability': ['G1', 'G-cursor', 'lost-update'],
  'monotonic-view': ['G1', 'G-monotonic'],
  'monotonic-snapshot-read': ['G1', 'G-MSR'],
  'consistent-view': ['G1', 'G-single'],
  'forward-consistent-view': ['G1', 'G-SIb'],
  'parallel-snapshot-isolation': ['internal', 'G1a'],
  prefix: ['internal', 'G1a'],
  'read-atomic': ['internal', 'G1a', 'future-read'],
  'update-atomic': ['lost-update'],
  'repeatable-read': ['G1', 'G2-item', 'lost-update'],
  'snapshot-isolation': ['internal', 'G1', 'G-SI', 'G-nonadjacent'],
  serializable: ['internal', 'G1', 'G2', 'predicate-read-miss'],
  'update-serializable': ['G1', 'G-update'],
  'strong-session-read-uncommitted': ['G0-process'],
  'strong-session-read-committed': ['G1c-process'],
  'strong-read-uncommitted': ['G0-realtime'],
  'strong-read-committed': ['G1c-realtime'],
  'strong-session-snapshot-isolation': ['internal', 'G1-process', 'G-nonadjacent-process'],
  'strong-snapshot-isolation': ['internal', 'G1-realtime', 'G-nonadjacent-realtime'],
  'strong-session-serializable': ['G1-process', 'G2-process'],
  'strong-serializable': ['G1', 'G1c-realtime', 'G2-realtime'],
};

/** Models that a cycle of some class refutes, and the name by which Elle says that there is one which it cannot name. */
const CYCLE_EXISTS: { readonly [model: string]: string } = {
  'read-uncommitted': 'PL-1-cycle-exists',
  'read-committed': 'PL-2-cycle-exists',
  'repeatable-read': 'PL-2.99-cycle-exists',
  'snapshot-isolation': 'PL-SI-cycle-exists',
  serializable: 'PL-3-cycle-exists',
  'strong-session-read-uncommitted': 'strong-session-PL-1-cycle-exists',
  'strong-session-read-committed': 'strong-session-PL-2-cycle-exists',
  'strong-session-snapshot-isolation': 'strong-session-snapshot-isolation-cycle-exists',
  'strong-session-serializable': 'strong-session-serializable-cycle-exists',
  'strong-read-uncommitted': 'strong-PL-1-cycle-exists',
  'strong-read-committed': 'strong-PL-2-cycle-exists',
  'strong-snapshot-isolation': 'strong-snapshot-isolation-cycle-exists',
  'strong-serializable': 'PL-SS-cycle-exists',
};

/** Other names of models, and ours for them. */
const ALIASES: { readonly [name: string]: string } = {
  'strict-serializable': 'strong-serializable',
  'conflict-serializable': 'serializable',
  'PL-1': 'read-uncommitted',
  'PL-2': 'read-committed',
  'PL-2+': 'consistent-view',
  'PL-2.99': 'repeatable-read',
  'PL-2L': 'monotonic-view',
  'PL-3': 'serializable',
  'PL-3U': 'update-serializable',
  'PL-CS': 'cursor-stability',
  'PL-FCV': 'forward-consistent-view',
  'PL-MSR': 'monotonic-snapshot-read',
  'PL-SI': 'snapshot-isolation',
  'PL-SS': 'strong-serializable',
  'strong-session-PL-1': 'strong-session-read-uncommitted',
  'strong-session-PL-2': 'strong-session-read-committed',
  'strong-PL-1': 'strong-read-uncommitted',
  'strong-PL-2': 'strong-read-committed',
};

class Relation {
  readonly #out = new Map<string, string[]>();
  readonly #in = new Map<string, string[]>();

  add(from: string, to: string): void {
    Relation.#push(this.#out, from, to);
    Relation.#push(this.#in, to, from);
  }

  addAll(arrows: Arrows): void {
    for (const [from, all] of Object.entries(arrows)) for (const to of all) this.add(from, to);
  }

  /** The given names and whatever they lead to. */
  forward(names: Iterable<string>): Set<string> {
    return Relation.#closure(this.#out, names);
  }

  /** The given names and whatever leads to them. */
  backward(names: Iterable<string>): Set<string> {
    return Relation.#closure(this.#in, names);
  }

  targets(name: string): readonly string[] {
    return this.#out.get(name) ?? [];
  }

  sources(name: string): readonly string[] {
    return this.#in.get(name) ?? [];
  }

  static #push(map: Map<string, string[]>, from: string, to: string): void {
    const list = map.get(from);
    if (list) list.push(to);
    else map.set(from, [to]);
  }

  static #closure(map: Map<string, string[]>, names: Iterable<string>): Set<string> {
    const seen = new Set(names);
    for (const name of seen) for (const next of map.get(name) ?? []) seen.add(next);
    return seen;
  }
}

const implied = new Relation();
implied.addAll(IMPLIED);
for (const kind of CYCLES) {
  // Processes are single-threaded: a violation of a process's order is one of real time.
  implied.add(kind, `${kind}-process`);
  implied.add(`${kind}-process`, `${kind}-realtime`);
  for (const wider of WIDER_CYCLES[kind] ?? []) {
    for (const suffix of ['', '-process', '-realtime']) implied.add(kind + suffix, wider + suffix);
  }
}
const weaker = new Relation();
weaker.addAll(WEAKER);
const forbidden = new Relation();
forbidden.addAll(FORBIDDEN);
for (const [model, kind] of Object.entries(CYCLE_EXISTS)) forbidden.add(model, kind);

const MODELS = new Set([...Object.entries(WEAKER).flat(2), ...Object.keys(FORBIDDEN)]);

/** Every name of a consistency model that options may use. */
const consistencyModels: readonly string[] = [...MODELS, ...Object.keys(ALIASES)].sort();

/** Every name of an anomaly. */
const anomalyNames: readonly string[] = [
  ...implied.forward([
    ...Object.keys(IMPLIED),
    ...CYCLES,
    ...Object.values(FORBIDDEN).flat(),
    ...Object.values(CYCLE_EXISTS),
  ]),
].sort();

/** The name that results use. @throws RangeError when there is no such model. */
export function canonicalModel(name: string): string {
  const model = ALIASES[name] ?? name;
  if (!MODELS.has(model)) {
    throw new RangeError(`no consistency model "${name}"; known are ${consistencyModels.join(', ')}`);
  }
  return model;
}

/** For the weakest models that all these anomalies rule out and some of them alone do not: Elle's name for that. */
export function cycleExists(all: Iterable<string>, some: Iterable<string>): Map<string, string> {
  const { not, alsoNot } = ruledOut(some);
  const weakest = ruledOut(all).not.filter((model) => !not.includes(model) && !alsoNot.includes(model));
  return new Map(weakest.flatMap((model) => (CYCLE_EXISTS[model] ? [[model, CYCLE_EXISTS[model]]] : [])));
}

/** The anomaly itself and every one that is present whenever it is. */
export function impliedAnomalies(anomaly: string): ReadonlySet<string> {
  return implied.forward([anomaly]);
}

/** Anomalies that cannot be present if all these models hold, and those that imply one of the anomalies named. */
export function prohibitedAnomalies(models: readonly string[], anomalies: readonly string[]): ReadonlySet<string> {
  for (const anomaly of anomalies) {
    if (!anomalyNames.includes(anomaly)) {
      throw new RangeError(`no anomaly "${anomaly}"; known are ${anomalyNames.join(', ')}`);
    }
  }
  const required = [...weaker.forward(models.map(canonicalModel))];
  return implied.backward([...required.flatMap((model) => forbidden.targets(model)), ...anomalies]);
}

/** What anomalies rule out: the weakest models among them (`not`), and the stronger ones that fall with those. */
export function ruledOut(anomalies: Iterable<string>): { readonly not: string[]; readonly alsoNot: string[] } {
  const present = [...implied.forward(anomalies)];
  const models = weaker.backward(present.flatMap((anomaly) => forbidden.sources(anomaly)));
  const isWeakest = (model: string): boolean => ![...weaker.forward([model])].some((m) => m !== model && models.has(m));
  const not = [...models].filter(isWeakest).sort();
  return { not, alsoNot: [...models].filter((model) => !not.includes(model)).sort() };
}
