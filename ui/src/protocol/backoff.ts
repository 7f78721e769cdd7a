/** How long to wait before the next attempt: doubled each time, with jitter. */

const FIRST_S = 1;
const LONGEST_S = 30;

/**
 * Seconds before attempt number `failures` (1 is the first after a loss), 1 to 30.
 * `random` is in [0, 1): the wait is between half of the step and all of it, so that many viewers
 * of a server that comes back do not come at once.
 */
export function waitSeconds(failures: number, random: number): number {
  const step = Math.min(LONGEST_S, FIRST_S * 2 ** Math.max(0, failures - 1));
  return Math.max(FIRST_S, step * (0.5 + random / 2));
}
