export type { Checkpoint, CreateOutcome, Journal } from './journal.ts';
export type { BuildProposal, JournalMachine, Proposal } from './replica-types.ts';
