/** `npm run chaos -- kill --kills 50 --seed 1`: the long forms of the chaos tests, with their figures. */
import { parseArgs } from "node:util";
import { killAtRandom } from "./kill.ts";
import { largeBodies } from "./large.ts";
import { keepLedger } from "./ledger.ts";
import { reloadOnAndOn } from "./reload.ts";
import { soak } from "./soak.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string", default: "1" },
    kills: { type: "string", default: "50" },
    rounds: { type: "string", default: "100" },
    requests: { type: "string", default: "1000000" },
    regenerations: { type: "string", default: "200" },
    mebibytes: { type: "string", default: "1024" },
  },
});
const say = (text: string) => process.stdout.write(`${text}\n`);

switch (positionals[0]) {
  case "kill": {
    const outcome = await killAtRandom({
      seed: Number(values.seed),
      kills: Number(values.kills),
      kinds: ["monitor", "forwarder", "replicator", "node"],
      say,
    });
    say(JSON.stringify(outcome, null, 2));
    process.exitCode = outcome.unexpected.length + outcome.lost + outcome.stale + outcome.doubled === 0 ? 0 : 1;
    break;
  }
  case "reload": {
    const outcome = await reloadOnAndOn(Number(values.rounds), say);
    say(JSON.stringify(outcome, null, 2));
    process.exitCode = outcome.failed.length + outcome.lost + outcome.stale + outcome.doubled + outcome.wentBack === 0 ? 0 : 1;
    break;
  }
  case "ledger": {
    const kills = process.argv.includes("--kills") ? Number(values.kills) : 0;
    const outcome = await keepLedger({ requests: Number(values.requests), regenerations: Number(values.regenerations), kills, say });
    say(JSON.stringify(outcome, null, 2));
    const { failures, twice, missing } = outcome;
    process.exitCode = twice.length + missing.length + (kills === 0 ? failures.length : 0) === 0 ? 0 : 1;
    break;
  }
  case "soak": {
    const { readings, ...outcome } = await soak(Number(values.rounds), say);
    say(JSON.stringify({ rounds: readings.length, ...outcome }, null, 2));
    process.exitCode = outcome.failed.length + outcome.lost + outcome.stale + outcome.doubled === 0 ? 0 : 1;
    break;
  }
  case "large": {
    const transfers = await largeBodies(Number(values.mebibytes) * 2 ** 20, say);
    process.exitCode = transfers.every(({ whole }) => whole) ? 0 : 1;
    break;
  }
  default:
    say(
      "npm run chaos -- kill [--kills 50] [--seed 1] | reload [--rounds 20] | soak [--rounds 100] | ledger [--requests 1000000] [--regenerations 200] [--kills 20] | large [--mebibytes 1024]",
    );
    process.exitCode = 2;
}
