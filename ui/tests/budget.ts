/** How generous tests of time are: goals are of a machine at rest, a gate may be anything but that. */

/** Goals are times this. `BUDGET_FACTOR=1 make test-ui` is for a machine at rest. */
export const GENEROUS = Number(process.env["BUDGET_FACTOR"] ?? 3);
