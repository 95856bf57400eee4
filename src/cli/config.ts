/** `coppice config`: the settings in force, and other ones while the cluster runs. Values are written as `--set` takes them: there is no other way. */
import type { Command } from "commander";
import { actsWords, declaredSettings } from "../config/declared.ts";
import { noSetting } from "../config/settings.ts";
import { adminRoutes, type ChangeSettingsRequest, type SettingsChanged, type SettingsInForce } from "../model/admin.ts";
import { CoppiceError } from "../model/errors.ts";
import { type Acts, settingText } from "../model/settings.ts";
import { callAdmin } from "./admin-client.ts";
import { table } from "./format.ts";
import { findCluster } from "./home.ts";
import type { Register } from "./main.ts";

interface ConfigOptions {
  readonly name?: string;
  readonly json?: true;
}

export const registerConfig: Register = (program, setExitCode) => {
  const config = program
    .command("config")
    .summary("the settings in force, and other ones from now on")
    .description("Shows and changes the settings of a running cluster. docs/configuration.md says what each is for.")
    .addHelpText("after", "\nWithout a command it is show, with its options.\n");
  withConfigOptions(config.command("show", { isDefault: true }))
    .summary("all settings: value, default, and when a change of it acts")
    .description("Shows all settings: the value in force, the default where that is another, and when a change of it acts.")
    .action(async (options: ConfigOptions) => {
      const inForce = await settingsOf(options);
      process.stdout.write(options.json === true ? `${JSON.stringify(inForce, null, 2)}\n` : describeSettings(inForce));
    });
  withConfigOptions(config.command("get"))
    .argument("<setting>", "its name")
    .summary("one setting's value")
    .description("Prints the value of one setting, as --set takes it.")
    .action(async (name: string, options: ConfigOptions) => {
      const setting = (await settingsOf(options)).settings.find((one) => one.name === name);
      if (setting === undefined) throw noSetting(name);
      process.stdout.write(`${options.json === true ? JSON.stringify(setting) : settingText(setting.value)}\n`);
    });
  withConfigOptions(config.command("set").alias("apply"))
    .argument("<setting=value...>", "as --set takes them, as in mode=observe drainTimeoutMs=60000")
    .option("--dry-run", "only say what would change")
    .summary("other values from now on, all of them or none")
    .description("Changes settings while the cluster runs: all that are named, or none where one is wrong. What changed is an event too.")
    .addHelpText("after", whenTheyAct())
    .action(async (given: string[], options: ConfigOptions & { readonly dryRun?: true }) => {
      const set = Object.fromEntries(given.map(pairOf));
      const body: ChangeSettingsRequest = { set, dryRun: options.dryRun === true };
      const changed = await callAdmin<SettingsChanged>(findCluster(options.name).paths, { ...adminRoutes.changeSettings, body });
      process.stdout.write(options.json === true ? `${JSON.stringify(changed)}\n` : describeChange(changed, body.dryRun === true));
      if (!changed.inForce && options.dryRun !== true) setExitCode(1);
    });
};

/** @throws CoppiceError COPPICE_ARGUMENT that says how it is written. */
function pairOf(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at <= 0) throw new CoppiceError("COPPICE_ARGUMENT", `"${text}" is no setting=value; expected is one as in drainTimeoutMs=60000`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function whenTheyAct(): string {
  const namesOf = (when: Acts) => declaredSettings.flatMap(({ name, acts }) => (acts === when ? [name] : [])).join(", ");
  return [
    "",
    `A change acts at once, but ${actsWords["new-instances"]}: ${namesOf("new-instances")}.`,
    `Only ${actsWords["next-start"]}, and so not to be changed here: ${namesOf("next-start")}.`,
    "",
  ].join("\n");
}

export function describeChange({ changes, inForce }: SettingsChanged, dryRun: boolean): string {
  if (changes.length === 0) return "nothing changes: it is so already\n";
  const lines = changes.map(({ name, from, to, unit, acts }) => {
    const inUnit = unit === null ? "" : ` ${unit}`;
    return `${name}: ${settingText(from) || "-"} -> ${settingText(to) || "-"}${inUnit}, ${actsWords[acts]}`;
  });
  const options = changes.map(({ name, to }) => `--set ${name}=${quoted(settingText(to))}`).join(" ");
  if (dryRun) lines.push("a dry run: nothing was changed");
  else if (inForce) lines.push(`until the cluster ends; to start it so the next time: ${options}`);
  else lines.push("not in force yet: the journal cannot be written (is the disk full?); it comes into force as soon as that can");
  return `${lines.join("\n")}\n`;
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w.:,/-]*$/.test(text) ? text : `'${text}'`;
}

function withConfigOptions(command: Command): Command {
  return command.option("--name <name>", "the cluster's name; not needed if only one runs").option("--json", "the result as JSON");
}

async function settingsOf({ name }: ConfigOptions): Promise<SettingsInForce> {
  return callAdmin<SettingsInForce>(findCluster(name).paths, adminRoutes.settings);
}

export function describeSettings({ settings }: SettingsInForce): string {
  const rows = settings.map(({ name, value, default: usual, unit, acts }) => {
    const isDefault = settingText(value) === settingText(usual);
    return [
      name,
      settingText(value) || "-",
      unit ?? "",
      isDefault ? "default" : `set (default ${settingText(usual) || "-"})`,
      actsWords[acts],
    ];
  });
  return `${table([["SETTING", "VALUE", "UNIT", "FROM", "A CHANGE ACTS"], ...rows]).join("\n")}\n`;
}
