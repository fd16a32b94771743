import { processContext } from './context.ts';
import { runCli } from './program.ts';

// A reader that closes early (`tailwater tail … | head`) is not a failure.
process.stdout.on('error', error => {
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2), processContext);
