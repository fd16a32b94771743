export type { TornFacts } from './active-file.ts';
export { FileJournal, type FileJournalOptions } from './file-journal.ts';
export { FolderLock } from './folder-lock.ts';
export type { Checkpoint, CreateOutcome, Journal } from './journal.ts';
export { ObjectJournal } from './object-journal.ts';
export { type Pin, type PinRecord, Pins } from './pins.ts';
export { JournalReplica } from './replica.ts';
export type { BuildProposal, JournalMachine, Proposal } from './replica-types.ts';
export { type FaultListener, type JournalFacts, verifyObjectJournal } from './verify-journal.ts';
