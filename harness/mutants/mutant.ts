/**
 * A planted bug: a small edit of the system's source. The system itself has no switch for it (docs/ARCHITECTURE.md).
 */
export interface Mutant {
  readonly name: string;
  /** What is broken, for a person. */
  readonly breaks: string;
  /** The real system that shipped it. */
  readonly source: string;
  /** Beyond the list that every harness of this kind should be tried on (docs/mutants.md). */
  readonly isOwn?: true | undefined;
  /** The sections of `results.json` of which one must find it. */
  readonly seenBy: readonly ('linear' | 'txn' | 'log' | 'hash' | 'election' | 'liveness' | 'core-liveness')[];
  readonly edits: readonly Edit[];
}

export interface Edit {
  /** Relative to the repository: `system/node/reads.ts`. */
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

/** An edit that no longer fits the source; the source moved on and the mutant must follow. */
export class EditMisfit extends Error {
  constructor(edit: Edit, places: number) {
    super(`${edit.file}: the text to replace stands in ${places} places instead of one:\n${edit.find}`);
    this.name = 'EditMisfit';
  }
}

/**
 * @param source the text of `edit.file`
 * @throws EditMisfit unless the text to replace stands in exactly one place
 */
export function applyEdit(source: string, edit: Edit): string {
  const pieces = source.split(edit.find);
  if (pieces.length !== 2) throw new EditMisfit(edit, pieces.length - 1);
  return pieces.join(edit.replace);
}
