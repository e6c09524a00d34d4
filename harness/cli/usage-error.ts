/** Something that the user can mend on the command line: told in one line, exit code 254. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
