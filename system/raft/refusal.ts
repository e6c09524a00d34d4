/** Why a proposal was not taken. It is not in any log and never will be by this call. */
export type ProposalDropped =
  | 'no-leader'
  | 'campaigning'
  | 'not-a-member'
  | 'leadership-transfer'
  | 'too-much-uncommitted'
  | 'forwarding-disabled';

/** Why `step` did nothing with a message. Harmless, and to be expected from a network. */
export type StepRefused = ProposalDropped | 'local-message' | 'unknown-peer' | 'too-many-reads';
