/** A broken invariant. It is never caught to go on: the node stops and says the facts. */
export class InvariantViolation extends Error {
  readonly facts: Readonly<Record<string, unknown>>;
  constructor(message: string, facts: Readonly<Record<string, unknown>>) {
    super(`${message} ${JSON.stringify(facts, (_, value) => (typeof value === 'bigint' ? String(value) : value))}`);
    this.name = 'InvariantViolation';
    this.facts = facts;
  }
}

type Violated = (violation: InvariantViolation) => void;

let onViolation: Violated = (violation) => {
  throw violation;
};

/** For the simulator, which may record violations and go on to see what the checkers make of the consequences. */
export function setViolationHandler(handler: Violated): void {
  onViolation = handler;
}

/**
 * States an invariant in production code.
 * @param facts what to print when it is broken; a function, so that the good path builds nothing
 */
export function invariant(holds: boolean, message: string, facts?: () => Readonly<Record<string, unknown>>): void {
  if (!holds) onViolation(new InvariantViolation(message, facts?.() ?? {}));
}
