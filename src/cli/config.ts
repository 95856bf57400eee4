/** `coppice config`: the settings in force. */
import type { Command } from "commander";
import { actsWords } from "../config/declared.ts";
import { noSetting } from "../config/settings.ts";
import { adminRoutes, type SettingInForce, type SettingsInForce } from "../model/admin.ts";
import { callAdmin } from "./admin-client.ts";
import { table } from "./format.ts";
import { findCluster } from "./home.ts";
import type { Register } from "./main.ts";

interface ConfigOptions {
  readonly name?: string;
  readonly json?: true;
}

export const registerConfig: Register = (program) => {
  const config = program
    .command("config")
    .summary("the settings in force")
    .description("Shows the settings of a running cluster. docs/configuration.md says what each is for.");
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
};

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

/** As the command line takes it. */
function settingText(value: SettingInForce["value"]): string {
  return typeof value === "object" ? value.join(",") : String(value);
}
