import type { StepsApi } from '../steps-api.ts';
import type { Identity } from './authenticator.ts';
import { requireReach } from './limited-reads.ts';

/** Steps for a key that is limited to some streams: of which both the input and all outputs must be, else TW_FORBIDDEN and nothing is done. */
export function limitedSteps(steps: StepsApi, identity: Identity): StepsApi {
  return {
    async step(request) {
      requireReach(identity, request.input.stream);
      for (const { stream } of request.outputs ?? []) requireReach(identity, stream);
      return steps.step(request);
    },
    async stepPosition(place) {
      requireReach(identity, place.stream);
      return steps.stepPosition(place);
    },
  };
}
