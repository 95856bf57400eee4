export interface Sessions {
  flush(): Promise<{ writes: number; checksum: string }>;
}
import type { InstanceBirth } from "../../model/birth.ts";
import type { FromInstance } from "../../model/control.ts";

export function installSessions(_birth: InstanceBirth, _tell: (message: FromInstance) => boolean): Sessions {
  return { flush: () => Promise.resolve({ writes: 0, checksum: "0" }) };
}
